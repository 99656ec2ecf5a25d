import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { environmentName, type InstanceId, revisionId, serviceName } from "../../src/core/ids.ts";
import type { HealthInput, ProductInput, ServiceInput } from "../../src/core/product/input.ts";
import { decideHealing } from "../../src/engine/recover/decide.ts";
import type { HostStatus } from "../../src/ports/hosts.ts";
import { Plane } from "./plane.fixture.ts";

const names = ["heals", "broken", "watched", "ruled", "hosted"];
const notifiers = { pager: { urlFrom: "SLIPWAY_TEST_PAGER" } } satisfies ProductInput["notifiers"];
const quiet = { bake: "150ms", rules: { errorRatio: false, latency: false } } satisfies ProductInput["rollout"];

let plane: Plane;
let pager: Server;
const told: string[] = [];

beforeAll(async () => {
  pager = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on("end", () => {
      told.push((JSON.parse(body) as { text: string }).text);
      response.end("ok");
    });
  });
  await new Promise<void>((resolve) => pager.listen(0, "127.0.0.1", resolve));
  process.env.SLIPWAY_TEST_PAGER = `http://127.0.0.1:${(pager.address() as AddressInfo).port}/`;
  plane = await Plane.start({ environments: Object.fromEntries(names.map((name) => [name, {}])) });
});

afterAll(async () => {
  await plane.close();
  pager.close();
});

/** A web service that is slow to be given up at its start, with this policy. */
function web(health: HealthInput, more: Partial<ServiceInput> = {}): ServiceInput {
  const known = plane.product.web();
  return { ...known, ...more, health: { ...known.health, deadline: "10s", ...health } };
}

async function history(environment: string, ...events: string[]) {
  const rows = await plane.world.store.db
    .selectFrom("history")
    .selectAll()
    .where("environment", "=", environmentName(environment))
    .where("event", "in", events)
    .orderBy("id")
    .execute();
  return rows.map(({ event, actor, reason, evidence }) => ({
    event,
    actor,
    reason,
    said: new Map(JSON.parse(evidence) as [string, string][]),
  }));
}

/** The history has these events so many times. */
async function until(environment: string, event: string, count: number): Promise<void> {
  const signal = AbortSignal.timeout(120_000);
  for (;;) {
    const changed = plane.world.changes.next(AbortSignal.any([signal, AbortSignal.timeout(1_000)])).catch(() => {});
    if ((await history(environment, event)).length >= count) return;
    signal.throwIfAborted();
    await changed;
  }
}

const starts = (environment: string, version: string) =>
  plane.product.told(environment).filter((line) => line === `web ${version} starts`).length;

describe("an unhealthy instance", () => {
  it("is restarted and is well again, one of its service at a time, also when the control plane ends half-way", async () => {
    const services = { web: web({ restartAfter: "200ms" }, { instances: 2 }) };
    const release = await plane.version("h1", { services, rollout: quiet });
    expect((await plane.deploy("heals", release)).phase).toBe("succeeded");
    const before = starts("heals", "h1");
    plane.product.behave("web", "h1", "stale");
    await until("heals", "instance.restart", 1);
    // What was decided is done by the next one, and not a second time.
    await plane.restart();
    await until("heals", "instance.restarted", 2);
    const rows = await history("heals", "instance.restart", "instance.restarted", "instance.given-up");
    expect(rows.map(({ event }) => event)).toEqual([
      "instance.restart",
      "instance.restarted",
      "instance.restart",
      "instance.restarted",
    ]);
    const [first, healed, second] = rows;
    expect(first?.said.get("instance")).toBe(healed?.said.get("instance"));
    expect(first?.said.get("instance")).not.toBe(second?.said.get("instance"));
    expect(first?.reason).toMatch(/^web instance \d is unhealthy for \d+s, .*503.*; restart 1 of 3$/);
    expect(healed?.reason).toMatch(/^web instance \d: healthy again \S+ after its restart$/);
    expect(starts("heals", "h1") - before).toBe(2);
    // About a life that is over nothing is decided any more, whoever asks.
    const [instance, startedAt] = (first?.said.get("life") ?? "").split("@");
    const life = {
      product: plane.product.name,
      environment: environmentName("heals"),
      service: serviceName("web"),
      release,
      revision: revisionId((instance ?? "").split(".")[0] ?? ""),
      instance: instance as InstanceId,
      which: "instance",
      startedAt: Number(startedAt),
    };
    const again = await decideHealing(plane.world, life, { is: "rule", rule: "r", why: "a test" });
    expect(again).toMatchObject({ healing: { do: "wait" }, begun: null });
  });

  it("is left alone where its host does not answer, and until that has answered", async () => {
    const release = await plane.version("a1", { services: { web: web({ restartAfter: "200ms" }) }, rollout: quiet });
    expect((await plane.deploy("hosted", release)).phase).toBe("succeeded");
    const host = { name: "h1", url: "ssh://h1", awayForMs: null, askedMs: 1, givenUp: false };
    let now = (): HostStatus => host;
    let looks = 0;
    const { targets } = plane.world;
    const hosts = vi.spyOn(targets, "hosts").mockImplementation(() => {
      looks += 1;
      return [now()];
    });
    const looksMore = (times: number) => {
      const seen = looks;
      return expect.poll(() => looks - seen, { timeout: 120_000 }).toBeGreaterThanOrEqual(times);
    };
    try {
      plane.product.behave("web", "a1", "stale");
      // Its cable is out, which nobody knows yet; then somebody does.
      await looksMore(2);
      now = () => ({ ...host, askedMs: 2, awayForMs: 1 });
      await looksMore(1);
      expect(await history("hosted", "instance.restart")).toEqual([]);
      now = () => ({ ...host, askedMs: 3 });
      await looksMore(1);
      // From here on it answers whenever it is asked.
      const before = looks;
      now = () => ({ ...host, askedMs: 3 + looks - before });
      await until("hosted", "instance.restarted", 1);
    } finally {
      hosts.mockRestore();
    }
  });

  it("that a restart does not help is given up: people are told, or a release that is still watched is taken back", async () => {
    const policy: HealthInput = { restarts: 1, restartAfter: "200ms" };
    const good = await plane.version("b0", { services: { web: web({}) }, rollout: quiet });
    const bad = await plane.version("b1", { services: { web: web(policy) }, rollout: quiet, notifiers });
    const unjudged = { bake: "10m", rules: { errorRatio: false, latency: false, healthLost: false } } as const;
    const watched = await plane.version("b2", { services: { web: web(policy) }, rollout: unjudged });
    expect((await plane.deploy("broken", bad)).phase).toBe("succeeded");
    expect((await plane.deploy("watched", good)).phase).toBe("succeeded");
    const id = await plane.start("watched", watched);
    await plane.reaches(id, "baking");
    plane.product.behave("web", "b1", "sick");
    plane.product.behave("web", "b2", "sick");

    await until("broken", "instance.paged", 1);
    const events = ["instance.restart", "instance.restart-failed", "instance.given-up", "instance.paged"];
    const rows = await history("broken", ...events);
    expect(rows.map(({ event }) => event)).toEqual(events);
    expect(rows[1]?.reason).toMatch(/restarted, and not healthy within 10s/);
    expect(rows[2]?.reason).toMatch(/^web instance 0 is unhealthy .*, after 1 restarts in 10m$/);
    expect(told).toEqual([
      expect.stringMatching(/^🔴 \*probe broken: health of web fired\*\nweb instance 0 is unhealthy/),
    ]);
    expect((await plane.environment("broken")).live_release_id).toBe(bad);

    const { phase, failure } = await plane.ended(id);
    expect([phase, failure?.message]).toEqual(["rolled-back", expect.stringContaining("after 1 restarts in 10m")]);
    const [restarted] = await history("watched", "instance.restart");
    expect(restarted?.actor).toBe("slipway");
    expect(await plane.visit("watched")).toBe("200 b0");
  });

  it("is restarted by a rule that says so, and by nobody else where healing is switched off", async () => {
    const release = await plane.version("r1", {
      services: { web: web({ restarts: 1, restartAfter: "1h" }) },
      rollout: quiet,
      rules: { unwell: "health of web failing -> restart" },
    });
    expect((await plane.deploy("ruled", release)).phase).toBe("succeeded");
    plane.product.behave("web", "r1", "stale");
    await until("ruled", "rule.resolved", 1);
    await until("ruled", "instance.restarted", 1);
    const rows = await history("ruled", "instance.restart", "instance.restarted");
    expect(rows.map(({ event, actor }) => [event, actor])).toEqual([
      ["instance.restart", "rule unwell"],
      ["instance.restarted", "rule unwell"],
    ]);
    // Once more at once is more than its limit: said, not done.
    plane.product.behave("web", "r1", "sick");
    await until("ruled", "rule.action-failed", 1);
    const [refused] = await history("ruled", "rule.action-failed");
    expect(refused?.reason).toMatch(/^restart was not done: .*1 restarts in 10m are the limit$/);
  });
});
