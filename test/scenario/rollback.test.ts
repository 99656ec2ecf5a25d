import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { ReleaseId } from "../../src/core/ids.ts";
import { Plane } from "./plane.fixture.ts";
import { type Deadline, healthWithin } from "./product.fixture.ts";

const names = [
  "config",
  "empty",
  "twice",
  "again",
  "again-off",
  "known-bad",
  "untried",
  "under-way",
  "queue",
  "impatient",
  "sick",
];

let plane: Plane;
let here = "";
let [one, two, three, long]: ReleaseId[] = [];

const version = (name: string, greeting: string, bake: "150ms" | "1m" = "150ms", deadline: Deadline = "20s") => {
  const { product } = plane;
  const web = product.web({ health: healthWithin(deadline) });
  return plane.version(name, {
    services: { web: { ...web, env: { ...web.env, GREETING: greeting } }, worker: product.worker() },
    rollout: { bake },
  });
};

beforeAll(async () => {
  plane = await Plane.start({ environments: Object.fromEntries(names.map((name) => [name, {}])) });
  one = await version("v1", "hello");
  two = await version("v2", "good day");
  three = await version("v3", "hi");
  long = await version("v4", "ahoy", "1m");
});

afterEach(() => plane.expectAtRest(here));
afterAll(() => plane.close());

async function withLive(name: string, ...releases: ReleaseId[]): Promise<void> {
  here = name;
  for (const release of releases) expect((await plane.deploy(name, release)).phase).toBe("succeeded");
}

async function back(more: Parameters<Plane["rollback"]>[1] = {}) {
  return plane.ended(await plane.rollback(here, more));
}

describe("a rollback", () => {
  it("without an argument goes to the last good release, with its config, and at once", async () => {
    await withLive("config", one!, two!);
    expect(await plane.visit(here)).toBe("200 v2 good day");
    const { phase, row, phases } = await back();
    expect([phase, row.kind, row.release_id, await plane.visit(here)]).toEqual([
      "succeeded",
      "rollback",
      one,
      "200 v1 hello",
    ]);
    expect(phases).not.toContain("baking");
    expect(await plane.running(here, "worker")).toEqual({ r1: 1 });
  });

  it("has nowhere to go where nothing else was good", async () => {
    here = "empty";
    await expect(plane.rollback(here)).rejects.toMatchObject({ code: "NOTHING_TO_ROLL_BACK" });
    await withLive(here, one!);
    await expect(plane.rollback(here)).rejects.toMatchObject({ code: "NOTHING_TO_ROLL_BACK" });
  });

  it("asked for twice goes two releases back, and then nowhere", async () => {
    await withLive("twice", one!, two!, three!);
    expect([(await back()).row.release_id, await plane.visit(here)]).toEqual([two, "200 v2 good day"]);
    expect([(await back()).row.release_id, await plane.visit(here)]).toEqual([one, "200 v1 hello"]);
    await expect(plane.rollback(here)).rejects.toMatchObject({ code: "NOTHING_TO_ROLL_BACK" });
  });

  it("asked for again, by one who has lost the answer, takes nothing away a second time", async () => {
    await withLive("again", one!, two!, three!);
    const askedAt = plane.world.clock.now();
    const first = await plane.rollback(here, { askedAt });
    expect(await plane.rollback(here, { askedAt })).toBe(first);
    expect((await plane.ended(first)).row.release_id).toBe(two);
    expect(await plane.rollback(here, { askedAt })).toBe(first);
    expect(await plane.rollback(here, { askedAt, to: two! })).toBe(first);
    expect(await plane.visit(here)).toBe("200 v2 good day");
    // One that is asked for from now on is another.
    const next = await back({ askedAt: plane.world.clock.now() + 1 });
    expect([next.row.release_id, next.row.id === first]).toEqual([one, false]);
  });

  it("that called off what was under way, asked for again, is that", async () => {
    await withLive("again-off", one!, two!);
    const under = await plane.start(here, long!);
    await plane.reaches(under, "baking");
    const askedAt = plane.world.clock.now();
    expect(await plane.rollback(here, { askedAt })).toBe(under);
    expect((await plane.ended(under)).phase).toBe("cancelled");
    expect(await plane.rollback(here, { askedAt })).toBe(under);
    expect(await plane.visit(here)).toBe("200 v2 good day");
  });

  it("does not go to a known bad one unless it is forced, and never picks it by itself", async () => {
    await withLive("known-bad", one!, two!);
    await back();
    await withLive(here, three!);
    await expect(plane.rollback(here, { to: two! })).rejects.toMatchObject({
      code: "RELEASE_KNOWN_BAD",
      message: "r2 failed in known-bad the last time it was there, or a person took it away",
    });
    const forced = await back({ to: two!, force: true });
    expect([forced.phase, await plane.visit(here)]).toEqual(["succeeded", "200 v2 good day"]);
    expect((await back()).row.release_id).toBe(one);
  });

  it("does not go to a release that was never live here: that is a deployment, with its gates, jobs and bake", async () => {
    await withLive("untried", one!);
    for (const force of [false, true])
      await expect(plane.rollback(here, { to: two!, force })).rejects.toMatchObject({
        code: "NOTHING_TO_ROLL_BACK",
        message: expect.stringContaining("r2 has never succeeded in untried"),
      });
    expect(await plane.visit(here)).toBe("200 v1 hello");
  });

  it("of a release that turned sick meanwhile is refused, and the live one stays", async () => {
    const soon = await version("v5", "servus", "150ms", "4s");
    await withLive("sick", soon, two!);
    // What is warm is already there: it is looked at all the same.
    plane.product.behave("web", "v5", "sick");
    const { phase, failure } = await back();
    plane.product.behave("web", "v5", "good");
    expect([phase, failure?.code, await plane.visit(here)]).toEqual(["failed", "PROBE_DEADLINE", "200 v2 good day"]);
  });
});

describe("a rollback while something is under way", () => {
  it("calls the deployment off: its traffic goes back to stable", async () => {
    await withLive("under-way", one!);
    const id = await plane.start(here, long!);
    await plane.reaches(id, "baking");
    expect(await plane.rollback(here)).toBe(id);
    const { phase, failure } = await plane.ended(id);
    expect([phase, failure?.message, await plane.visit(here)]).toEqual([
      "cancelled",
      "cancelled by bob: users complain",
      "200 v1 hello",
    ]);
  });

  it("calls off what waits behind it as well: nobody who goes back wants the next one", async () => {
    await withLive("queue", one!);
    const id = await plane.start(here, long!);
    await plane.reaches(id, "baking");
    const waiting = await plane.start(here, two!);
    expect(await plane.rollback(here)).toBe(id);
    expect([(await plane.ended(id)).phase, (await plane.ended(waiting)).phase]).toEqual(["cancelled", "cancelled"]);
    expect(await plane.visit(here)).toBe("200 v1 hello");
  });

  it("is the rollback that is under way: asking again does not bring the bad one back", async () => {
    await withLive("impatient", one!, two!);
    const first = await plane.rollback(here);
    const again = await plane.rollback(here);
    expect(again).toBe(first);
    expect((await plane.ended(first)).phase).toBe("succeeded");
    expect(await plane.visit(here)).toBe("200 v1 hello");
  });
});
