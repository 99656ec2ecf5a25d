import { rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { ReleaseId } from "../../src/core/ids.ts";
import { Plane } from "./plane.fixture.ts";
import { type Deadline, healthWithin } from "./product.fixture.ts";

const names = ["steps", "sick", "cancelled", "back", "refused", "stuck", "gone", "number"];
const rolling = {
  rollout: { strategy: "rolling" as const, batch: "50%" as const, bake: "150ms" as const, drain: "1s" as const },
};

let plane: Plane;
let here = "";
let [one, two, soon, after]: ReleaseId[] = [];

const version = (name: string, deadline: Deadline = "20s"): Promise<ReleaseId> =>
  plane.version(name, {
    services: {
      web: plane.product.web({ instances: 2, health: healthWithin(deadline) }),
      worker: plane.product.worker({ instances: 2 }),
    },
    ...rolling,
  });

beforeAll(async () => {
  plane = await Plane.start({ environments: Object.fromEntries(names.map((name) => [name, {}])) });
  one = await version("v1");
  two = await version("v2");
  soon = await version("v2a", "4s");
  after = await version("v3");
});

afterEach(() => plane.expectAtRest(here));
afterAll(() => plane.close());

async function withLive(name: string, release = one): Promise<void> {
  here = name;
  expect((await plane.deploy(name, release!)).phase).toBe("succeeded");
}

const both = async () => [await plane.running(here, "web"), await plane.running(here, "worker")];

describe("a rolling deployment", () => {
  it("replaces batch by batch: each is healthy before it has requests, and drained before it stops", async () => {
    await withLive("steps");
    const id = await plane.start(here, two!);
    await plane.reaches(id, "shifting");
    plane.product.behave("web", "v2", "hold");
    await plane.reaches(id, "verifying");
    await plane.ask(id, "pause");
    await plane.reaches(id, "paused");
    // The second of the new ones has started, and must be healthy before the second of the old ones goes.
    expect(await both()).toEqual([
      { r1: 1, r2: 2 },
      { r1: 1, r2: 2 },
    ]);
    const seen = new Set<string>();
    for (let visits = 0; visits < 40; visits += 1) seen.add(await plane.visit(here));
    expect([...seen].toSorted()).toEqual(["200 v1", "200 v2"]);
    plane.product.behave("web", "v2", "good");
    await plane.ask(id, "resume");
    const { phase, phases } = await plane.ended(id);
    const step = ["starting", "verifying", "shifting", "draining"];
    expect([phase, phases]).toEqual([
      "succeeded",
      ["queued", ...step, "starting", "verifying", "paused", ...step, "baking", "retiring", "succeeded"],
    ]);
    expect(await both()).toEqual([{ r2: 2 }, { r2: 2 }]);
    expect(await plane.visit(here)).toBe("200 v2");
  });

  it("is taken back from the middle, and what it had stopped runs again", async () => {
    await withLive("sick");
    const id = await plane.start(here, two!);
    await plane.reaches(id, "draining");
    plane.product.behave("web", "v2", "sick");
    const { phase, failure } = await plane.ended(id);
    plane.product.behave("web", "v2", "good");
    expect([phase, failure?.service]).toEqual(["rolled-back", "web"]);
    expect(await both()).toEqual([{ r1: 2 }, { r1: 2 }]);
    expect(await plane.visit(here)).toBe("200 v1");
  });

  it("goes back as a whole when it is cancelled under all traffic", async () => {
    await withLive("cancelled");
    const id = await plane.start(here, two!);
    await plane.reaches(id, "baking");
    await plane.ask(id, "cancel");
    const { phase, phases } = await plane.ended(id);
    // Its web first, for there is nobody warm to take the requests; its workers when the traffic is back.
    expect([phase, phases.slice(-6)]).toEqual([
      "cancelled",
      ["baking", "restoring", "unshifting", "restoring", "cleaning", "cancelled"],
    ]);
    expect(await both()).toEqual([{ r1: 2 }, { r1: 2 }]);
    expect(await plane.visit(here)).toBe("200 v1");
  });

  it("is taken back by a person after its end as well: the old release starts again before it takes requests", async () => {
    await withLive("back");
    expect((await plane.deploy(here, two!)).phase).toBe("succeeded");
    expect(await both()).toEqual([{ r2: 2 }, { r2: 2 }]);
    expect((await plane.ended(await plane.rollback(here))).phase).toBe("succeeded");
    expect(await plane.running(here, "worker")).toEqual({ r1: 2 });
    expect(await plane.visit(here)).toBe("200 v1");
  });

  it("whose way back fails says so with both reasons, leaves the old release at 100 %, and is no good release", async () => {
    await withLive("stuck", soon);
    const id = await plane.start(here, two!);
    await plane.reaches(id, "baking");
    plane.product.behave("web", "v2a", "sick");
    await plane.ask(id, "cancel");
    const { phase, failure, row } = await plane.ended(id);
    expect([phase, failure?.code, failure?.service]).toEqual(["rollback-failed", "PROBE_DEADLINE", "web"]);
    expect(row.reason).toContain("could not go back: web was not healthy within");
    expect((await plane.environment(here)).live_release_id).toBe(soon);
    await expect(plane.rollback(here, { to: two! })).rejects.toMatchObject({ code: "RELEASE_KNOWN_BAD" });
    // The next success puts everything right, what was left running included.
    plane.product.behave("web", "v2a", "good");
    expect((await plane.deploy(here, after!)).phase).toBe("succeeded");
    expect(await both()).toEqual([{ r4: 2 }, { r4: 2 }]);
  });

  it("keeps the address of a service that it drops until the new release is whole", async () => {
    here = "gone";
    const { product } = plane;
    const api = product.web({ routes: ["/api"], env: { ...product.web().env, GREETING: "by api" } });
    const before = await plane.version("v4", { services: { web: product.web({ instances: 2 }), api }, ...rolling });
    const after = await plane.version("v5", { services: { web: product.web({ instances: 2 }) }, ...rolling });
    expect((await plane.deploy(here, before)).phase).toBe("succeeded");
    const id = await plane.start(here, after);
    await plane.reaches(id, "shifting");
    product.behave("web", "v5", "hold");
    await plane.reaches(id, "verifying");
    expect(await plane.visit(here, "/api/x")).toBe("200 v4 by api");
    product.behave("web", "v5", "good");
    expect((await plane.ended(id)).phase).toBe("succeeded");
    expect(await plane.visit(here, "/api/x")).toBe("200 v5");
  });

  it("whose way back is refused for a moment tries again, and has gone back", async () => {
    here = "refused";
    const program = join(plane.product.root, "program");
    symlinkSync(process.execPath, program);
    const old = await plane.version("v0", {
      services: { web: plane.product.web({ instances: 2, command: [program, "web.mjs"] }) },
      ...rolling,
    });
    expect((await plane.deploy(here, old)).phase).toBe("succeeded");
    const id = await plane.start(here, two!);
    await plane.reaches(id, "baking");
    rmSync(program);
    await plane.ask(id, "cancel");
    await expect.poll(() => plane.troubles.filter((line) => line.startsWith("restore.refused"))).not.toEqual([]);
    // Meanwhile the candidate answers.
    expect(await plane.visit(here)).toBe("200 v2");
    symlinkSync(process.execPath, program);
    expect((await plane.ended(id)).phase).toBe("cancelled");
    expect(await plane.visit(here)).toBe("200 v0");
    expect(Object.values(await plane.running(here, "web"))).toEqual([2]);
  });

  it("replaces as many at a time as a number says, and at last those that are left", async () => {
    await withLive("number");
    const many = await plane.version("many", {
      services: { web: plane.product.web({ instances: 5 }), worker: plane.product.worker({ instances: 2 }) },
      rollout: { ...rolling.rollout, batch: 2 },
    });
    const { phase, phases } = await plane.deploy(here, many);
    expect([phase, phases.filter((each) => each === "shifting").length]).toEqual(["succeeded", 3]);
    expect((await both()).flatMap((running) => Object.values(running))).toEqual([5, 2]);
    expect(await plane.visit(here)).toBe("200 many");
  });
});
