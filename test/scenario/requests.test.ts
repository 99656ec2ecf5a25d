import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { deploymentId, type ReleaseId } from "../../src/core/ids.ts";
import { Plane } from "./plane.fixture.ts";

const names = [
  "queued",
  "verifying",
  "draining",
  "baking",
  "late",
  "held",
  "held-sick",
  "paused",
  "paused-draining",
  "paused-queued",
  "paused-cancelled",
  "not-paused",
];

let plane: Plane;
let here = "";
let [one, two, long, sick]: ReleaseId[] = [];

beforeAll(async () => {
  plane = await Plane.start({ environments: Object.fromEntries(names.map((name) => [name, {}])) });
  const { product } = plane;
  const services = { web: product.web({ needs: ["migrate"] }), migrate: product.job() };
  one = await plane.version("v1", { services });
  two = await plane.version("v2", { services });
  long = await plane.version("v3", { services, rollout: { bake: "1m", drain: "5s" } });
  sick = await plane.version("v4", {
    services: { ...services, web: { ...services.web, health: { path: "/up", interval: "100ms", deadline: "1m" } } },
    rollout: { bake: "150ms" },
  });
});

afterEach(() => plane.expectAtRest(here));
afterAll(() => plane.close());

async function withLive(name: string): Promise<void> {
  here = name;
  plane.product.behave("web", "v4", "sick");
  expect((await plane.deploy(name, one!)).phase).toBe("succeeded");
}

/** One that waits for its health for as long as a test wants. */
async function verifying() {
  const id = await plane.start(here, sick!);
  await plane.reaches(id, "verifying");
  while (!plane.product.told(here).includes("web v4 starts")) await plane.world.clock.sleep(5);
  return id;
}

describe("a deployment that is cancelled", () => {
  it("while it waits for its turn never begins", async () => {
    await withLive("queued");
    const first = await verifying();
    const waiting = await plane.start(here, two!);
    expect((await plane.row(waiting)).phase).toBe("queued");
    await plane.ask(waiting, "cancel");
    const { phase, phases, row, failure } = await plane.ended(waiting);
    expect(failure).toMatchObject({ code: "CANCELLED", message: row.reason });
    expect([phase, phases, row.reason]).toEqual([
      "cancelled",
      ["queued", "cancelled"],
      "cancelled by bob: a good reason",
    ]);
    expect((await plane.row(first)).ended_at).toBeNull();
    await plane.ask(first, "cancel");
    await plane.ended(first);
    expect(plane.product.told(here)).not.toContain("web v2 starts");
  });

  it("while it becomes healthy leaves stable as it was, and nothing of itself", async () => {
    await withLive("verifying");
    const id = await verifying();
    await plane.ask(id, "cancel");
    const { phase, failure, phases } = await plane.ended(id);
    expect([phase, failure?.code, failure?.message]).toEqual([
      "cancelled",
      "CANCELLED",
      "cancelled by bob: a good reason",
    ]);
    expect(phases).not.toContain("shifting");
    expect([await plane.visit(here), await plane.running(here, "web")]).toEqual(["200 v1", { r1: 1 }]);
  });

  it("while stable drains takes the traffic back, and the request in flight is answered", async () => {
    await withLive("draining");
    const id = await plane.start(here, long!);
    await plane.reaches(id, "verifying");
    const slow = plane.visit(here, "/slow");
    await plane.reaches(id, "draining");
    await plane.ask(id, "cancel");
    const { phase, phases } = await plane.ended(id);
    expect([phase, phases]).toEqual(["cancelled", expect.not.arrayContaining(["baking"])]);
    expect([await slow, await plane.visit(here)]).toEqual(["200 v1", "200 v1"]);
  });

  it("while it is watched takes the traffic back; asked twice, it goes back once", async () => {
    await withLive("baking");
    const id = await plane.start(here, long!);
    await plane.reaches(id, "baking");
    expect(await plane.visit(here)).toBe("200 v3");
    await Promise.all([plane.ask(id, "cancel"), plane.ask(id, "cancel")]);
    const { phase, phases } = await plane.ended(id);
    expect([phase, phases.slice(-5).toSorted()]).toEqual([
      "cancelled",
      ["baking", "cancelled", "cleaning", "ignored", "unshifting"],
    ]);
    expect(await plane.visit(here)).toBe("200 v1");
  });

  it("after its end is told that it has ended", async () => {
    await withLive("late");
    const { row } = await plane.deploy(here, two!);
    await expect(plane.ask(row.id, "cancel")).rejects.toMatchObject({
      code: "NOT_CANCELLABLE",
      message: `${row.id} has ended: succeeded`,
    });
    await expect(plane.ask(row.id, "pause")).rejects.toMatchObject({ code: "NOT_PAUSABLE" });
    await expect(plane.ask(deploymentId("dep_none"), "cancel")).rejects.toMatchObject({ code: "UNKNOWN_DEPLOYMENT" });
  });
});

describe("a deployment that is paused", () => {
  it("in its bake is watched on while the clock stands, and needs only the rest when it is resumed", async () => {
    await withLive("held");
    const id = await plane.start(here, two!);
    await plane.reaches(id, "baking");
    await plane.ask(id, "pause");
    await plane.reaches(id, "held");
    await plane.world.clock.sleep(400);
    expect((await plane.row(id)).phase).toBe("held");
    await plane.ask(id, "resume");
    expect((await plane.ended(id)).phases.slice(-5)).toEqual(["baking", "held", "baking", "retiring", "succeeded"]);
  });

  it("in its bake is still taken back when it turns out bad", async () => {
    await withLive("held-sick");
    const id = await plane.start(here, long!);
    await plane.reaches(id, "baking");
    await plane.ask(id, "pause");
    await plane.reaches(id, "held");
    plane.product.behave("web", "v3", "sick");
    const { phase, failure } = await plane.ended(id);
    plane.product.behave("web", "v3", "good");
    expect([phase, failure?.code]).toEqual(["rolled-back", "HEALTH_LOST"]);
    expect(await plane.visit(here)).toBe("200 v1");
  });

  it("before the switch goes on where it was, and does no job twice", async () => {
    await withLive("paused");
    const id = await verifying();
    await plane.ask(id, "pause");
    await plane.reaches(id, "paused");
    plane.product.behave("web", "v4", "good");
    await plane.world.clock.sleep(300);
    expect([(await plane.row(id)).phase, await plane.visit(here)]).toEqual(["paused", "200 v1"]);
    await plane.ask(id, "resume");
    expect((await plane.ended(id)).phase).toBe("succeeded");
    expect(plane.product.told(here).filter((line) => line.startsWith("migrate v4"))).toEqual(["migrate v4 runs"]);
    expect(await plane.visit(here)).toBe("200 v4");
  });

  it("while stable drains is held when it has, under all traffic", async () => {
    await withLive("paused-draining");
    const id = await plane.start(here, long!);
    await plane.reaches(id, "verifying");
    const slow = plane.visit(here, "/slow");
    await plane.reaches(id, "draining");
    await plane.ask(id, "pause");
    await plane.reaches(id, "held");
    expect([await slow, await plane.visit(here)]).toEqual(["200 v1", "200 v3"]);
    await plane.ask(id, "resume");
    await plane.reaches(id, "baking");
    await plane.ask(id, "cancel");
    expect((await plane.ended(id)).phase).toBe("cancelled");
  });

  it("while it waits for its turn is paused as soon as it has it", async () => {
    await withLive("paused-queued");
    const first = await verifying();
    const waiting = await plane.start(here, two!);
    await plane.ask(waiting, "pause");
    await plane.ask(first, "cancel");
    await plane.reaches(waiting, "paused");
    await plane.ask(waiting, "resume");
    expect((await plane.ended(waiting)).phase).toBe("succeeded");
  });

  it("can be cancelled", async () => {
    await withLive("paused-cancelled");
    const id = await verifying();
    await plane.ask(id, "pause");
    await plane.reaches(id, "paused");
    await plane.ask(id, "cancel");
    expect((await plane.ended(id)).phase).toBe("cancelled");
    expect(await plane.running(here, "web")).toEqual({ r1: 1 });
  });
});

it("a resume of what is not paused, and a second pause, are refused, and change nothing", async () => {
  await withLive("not-paused");
  const id = await plane.start(here, long!);
  await plane.reaches(id, "baking");
  await expect(plane.ask(id, "resume")).rejects.toMatchObject({ code: "NOT_PAUSABLE" });
  expect((await plane.row(id)).phase).toBe("baking");
  await plane.ask(id, "pause");
  await plane.reaches(id, "held");
  await expect(plane.ask(id, "pause")).rejects.toMatchObject({ code: "NOT_PAUSABLE" });
  await plane.ask(id, "cancel");
  await plane.ended(id);
});
