import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { environmentName, type ReleaseId, serviceName } from "../../src/core/ids.ts";
import type { ProductInput } from "../../src/core/product/input.ts";
import { plan } from "../../src/engine/commands/plan.ts";
import { scale } from "../../src/engine/commands/scale.ts";
import { scaleReadings } from "../../src/engine/scale/standings.ts";
import { Plane } from "./plane.fixture.ts";

let plane: Plane;
let meter: Server;
/** What the product says of its load, to whoever asks. */
let load = 0;
/** What it says instead; null: it hangs. */
let lie: string | null | undefined;
let asked = 0;

beforeAll(async () => {
  meter = createServer((_, response) => {
    asked += 1;
    if (lie !== null) response.end(lie ?? JSON.stringify({ load }));
  });
  await new Promise<void>((resolve) => meter.listen(0, "127.0.0.1", resolve));
  const suggest = { services: { web: { scale: { suggest: true } } } };
  plane = await Plane.start({ environments: { live: {}, trial: suggest, hand: {}, blind: {} } });
});

afterAll(async () => {
  await plane.close();
  meter.closeAllConnections();
  meter.close();
});

function release(version: string): Promise<ReleaseId> {
  const web = plane.product.web();
  const url = `http://127.0.0.1:${(meter.address() as AddressInfo).port}/`;
  const services: ProductInput["services"] = {
    web: {
      ...web,
      health: { ...web.health, deadline: "20s" },
      scale: { max: 2, when: ["load > 10"], upAfter: "1s", downAfter: "2s" },
    },
    worker: plane.product.worker(),
  };
  const metrics = {
    load: { json: { url, path: "load" }, every: "1s", timeout: "900ms" },
  } satisfies ProductInput["metrics"];
  return plane.version(version, { services, metrics });
}

/** What was done about the number of instances there, as `event reason`, once there is so much of it. */
async function told(environment: string, count: number): Promise<string[]> {
  const signal = AbortSignal.timeout(90_000);
  for (;;) {
    const changed = plane.world.changes.next(signal);
    changed.catch(() => {});
    const rows = await plane.world.store.db
      .selectFrom("history")
      .selectAll()
      .where("environment", "=", environmentName(environment))
      .where("event", "like", "service.scal%")
      .orderBy("id")
      .execute();
    if (rows.length >= count) return rows.map(({ event, reason }) => `${event.slice("service.".length)} ${reason}`);
    await changed;
  }
}

/** How many instances of web the edge sends requests to. */
async function routed(environment: string): Promise<number> {
  const table = await plane.world.edges.all()[0]?.edge.current();
  const targets = table?.services[`${plane.product.name}/${environment}/web`]?.targets ?? [];
  return targets.find(({ weight }) => weight > 0)?.instances.length ?? 0;
}

/** Slow visitors come all the while; what they got that was not an answer. */
function visitors(environment: string): () => Promise<string[]> {
  const lost: string[] = [];
  const open = new Set<Promise<void>>();
  const timer = setInterval(() => {
    const visit = plane.visit(environment, "/slow").then(
      (text) => void (text.startsWith("200 ") || lost.push(text)),
      (error: Error) => void lost.push(error.message),
    );
    open.add(visit);
    void visit.finally(() => open.delete(visit));
  }, 25);
  return async () => {
    clearInterval(timer);
    await Promise.all(open);
    return lost;
  };
}

function byHand(environment: string, instances: number | null) {
  return scale(plane.world, {
    product: plane.product.name,
    environment: environmentName(environment),
    service: serviceName("web"),
    instances,
    actor: "ada",
    reason: "the sale begins",
  });
}

it("there are more instances under load and fewer after it, over a deployment and a way back, and nobody notices", async () => {
  load = 0;
  const one = await release("v1");
  expect((await plane.deploy("live", one)).phase).toBe("succeeded");
  const leave = visitors("live");
  load = 20;
  const up = await told("live", 2);
  expect(up).toEqual([
    expect.stringMatching(/^scaling web 1 → 2: load is 20 \(above 10\), for \d+s$/),
    "scaled web 1 → 2: healthy",
  ]);
  await expect.poll(() => routed("live"), { timeout: 90_000 }).toBe(2);
  expect(await plane.running("live", "web")).toEqual({ r1: 2 });
  // What comes next begins with as many, and says so before.
  const two = await release("v2");
  const planned = await plan(plane.world, { release: two, environment: environmentName("live") });
  expect(planned.services.map(({ instances }) => instances)).toEqual([
    "2 -> 2 (1–2; as many as now, the config says 1)",
    "1 -> 1",
  ]);
  expect((await plane.deploy("live", two)).phase).toBe("succeeded");
  expect([await plane.running("live", "web"), (await told("live", 2)).length]).toEqual([{ r1: 2, r2: 2 }, 2]);
  await plane.expectAtRest("live");
  load = 0;
  const down = await told("live", 4);
  expect(down.slice(2)).toEqual([
    expect.stringMatching(/^scaling web 2 → 1: load is [\d.]+ \(not above 10\), for \d+s$/),
    "scaled web 2 → 1: drained",
  ]);
  expect([await routed("live"), await plane.running("live", "web")]).toEqual([1, { r1: 2, r2: 1 }]);
  // Back to what is warm, with as many as there are now.
  await plane.ended(await plane.rollback("live"));
  expect(await plane.running("live", "web")).toEqual({ r1: 1, r2: 1 });
  expect(await leave()).toEqual([]);
  await plane.expectAtRest("live");
});

it("what only suggests says it once, and does nothing", async () => {
  load = 0;
  expect((await plane.deploy("trial", await release("v3"))).phase).toBe("succeeded");
  load = 20;
  expect(await told("trial", 1)).toEqual([
    expect.stringMatching(/^scale-suggested web 1 → 2: load is 20 \(above 10\), for \d+s \(only suggested\)$/),
  ]);
  const [web] = await scaleReadings(plane.world, { environment: environmentName("trial") });
  expect([web?.instances, web?.limits, web?.changed]).toEqual([1, "1–2 suggested", null]);
  // It would do the same again, and again has nothing to say.
  const decided = () =>
    [...plane.world.scalings.values()].find(({ environment }) => environment === "trial")?.decision.do;
  await expect.poll(decided, { timeout: 90_000 }).toBe("hold");
  await expect.poll(decided, { timeout: 90_000 }).toBe("up");
  expect([(await told("trial", 1)).length, await plane.running("trial", "web")]).toEqual([1, { r3: 1 }]);
  await plane.expectAtRest("trial");
});

it("a person sets the number, which nothing changes until it is given back; a deployment that comes is not kept waiting", async () => {
  load = 0;
  const here = "hand";
  expect((await plane.deploy(here, await release("v4"))).phase).toBe("succeeded");
  expect(await byHand(here, 3)).toMatchObject({ from: 1, to: 3 });
  expect((await told(here, 2))[0]).toBe("scaling web 1 → 3, by hand: the sale begins");
  await expect.poll(() => routed(here), { timeout: 90_000 }).toBe(3);
  const [web] = await scaleReadings(plane.world, { environment: environmentName(here) });
  expect([web?.instances, web?.limits]).toEqual([3, "1–2 by hand"]);
  const five = await release("v5");
  expect((await plane.deploy(here, five)).phase).toBe("succeeded");
  expect(await plane.running(here, "web")).toMatchObject({ r5: 3 });
  // Another one never becomes healthy, and so never has a request; a deployment calls it off.
  plane.product.behave("web", "v5", "hold");
  expect(await byHand(here, 4)).toMatchObject({ from: 3, to: 4 });
  await expect(byHand(here, 2)).rejects.toMatchObject({ code: "DEPLOYMENT_IN_PROGRESS" });
  await expect.poll(() => plane.running(here, "web"), { timeout: 90_000 }).toMatchObject({ r5: 4 });
  expect(await routed(here)).toBe(3);
  expect((await plane.deploy(here, await release("v6"))).phase).toBe("succeeded");
  expect((await told(here, 4)).at(-1)).toMatch(
    /^scale-called-off web 3 → 4 called off: dep_\w+ comes first; there are 3$/,
  );
  // What is kept warm is what was live, and not what was just being started.
  expect(await plane.running(here, "web")).toEqual({ r5: 3, r6: 3 });
  await plane.expectAtRest(here);
  expect(await byHand(here, null)).toMatchObject({ from: 3, to: 2 });
  expect((await told(here, 8)).at(-1)).toBe("scaled web 2 → 1: drained");
  await plane.expectAtRest(here);
});

it("a load that vanishes, hangs or is no number takes no instance away and brings none, until it is known again", async () => {
  load = 20;
  const here = "blind";
  expect((await plane.deploy(here, await release("v7"))).phase).toBe("succeeded");
  expect(await told(here, 2)).toHaveLength(2);
  const decided = () =>
    [...plane.world.scalings.values()].find(({ environment }) => environment === here)?.decision.reason;
  const nothing = ["", "<html>", "{}", '{"load":null}', '{"load":"NaN"}', '{"load":-1e999}', '{"load":[0]}'];
  for (const said of [null, ...nothing]) {
    lie = said;
    const before = asked;
    await expect.poll(() => asked - before, { timeout: 90_000 }).toBeGreaterThan(3);
    await expect
      .poll(decided, { timeout: 90_000, message: String(said) })
      .toMatch(/^load is not known \(.+\), so none is taken away$/);
  }
  expect([(await told(here, 2)).length, await routed(here)]).toEqual([2, 2]);
  lie = undefined;
  load = 0;
  expect((await told(here, 4)).at(-1)).toBe("scaled web 2 → 1: drained");
  await plane.expectAtRest(here);
});
