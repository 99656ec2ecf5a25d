import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { ReleaseId } from "../../src/core/ids.ts";
import { Plane } from "./plane.fixture.ts";
import { healthWithin } from "./product.fixture.ts";

/** Each test has an environment of its own, so that they share one control plane and leave each other alone. */
const names = [
  "first",
  "second",
  "sick",
  "errors",
  "crash",
  "fading",
  "looping",
  "missing",
  "deaf",
  "order",
  "job",
  "worker",
  "stays",
  "never",
  "dropped",
  "turned",
];

let plane: Plane;
let here = "";
let [one, two]: ReleaseId[] = [];

beforeAll(async () => {
  plane = await Plane.start({ environments: Object.fromEntries(names.map((name) => [name, {}])) });
  one = await plane.version("v1");
  two = await plane.version("v2");
});

afterEach(() => plane.expectAtRest(here));
afterAll(() => plane.close());

/** The environment of this test, with the first version live. */
async function withLive(name: string): Promise<void> {
  here = name;
  expect((await plane.deploy(name, one!)).phase).toBe("succeeded");
}

/** Of a release whose deadline the test waits for. */
const givenUpSoon = () => ({
  web: plane.product.web({ health: healthWithin("4s") }),
  worker: plane.product.worker(),
});

describe("a deployment of a good release", () => {
  it("into an empty environment goes live, and is called succeeded only after its bake", async () => {
    here = "first";
    const { row, phases } = await plane.deploy(here, one!);
    expect(phases).toEqual([
      "queued",
      "starting",
      "verifying",
      "shifting",
      "draining",
      "baking",
      "retiring",
      "succeeded",
    ]);
    expect((row.ended_at ?? 0) - (row.live_at ?? 0)).toBeGreaterThanOrEqual(150);
    expect([await plane.visit(here), row.detected_at, row.restored_at]).toEqual(["200 v1", null, null]);
    expect([await plane.running(here, "web"), await plane.running(here, "worker")]).toEqual([{ r1: 1 }, { r1: 1 }]);
  });

  it("takes all traffic from the one before, which stays warm where it takes requests and stops where it does not", async () => {
    await withLive("second");
    const { phase, row } = await plane.deploy(here, two!);
    expect([phase, row.stable_id, await plane.visit(here)]).toEqual(["succeeded", one, "200 v2"]);
    expect([await plane.running(here, "web"), await plane.running(here, "worker")]).toEqual([
      { r1: 1, r2: 1 },
      { r2: 1 },
    ]);
    // A program says that it starts when it has loaded: the one before may have been told to stop by then.
    const told = plane.product.told(here).filter((line) => line.startsWith("worker"));
    expect(told.sort()).toEqual(["worker v1 starts", "worker v1 stops", "worker v2 starts"]);
  });

  it("deployed once more changes nothing", async () => {
    here = "second";
    const before = plane.product.told(here);
    const { phase, row } = await plane.deploy(here, two!);
    expect([phase, row.reason]).toEqual(["succeeded", "it is live already; nothing to do"]);
    expect([plane.product.told(here), await plane.visit(here)]).toEqual([before, "200 v2"]);
  });
});

describe("a release that never becomes healthy", () => {
  it("is refused with its last probe and its log, and stable was never touched", async () => {
    await withLive("sick");
    const sick = await plane.version("v3", { services: givenUpSoon() });
    plane.product.behave("web", "v3", "sick");
    const { phase, failure, phases, row } = await plane.deploy(here, sick);
    expect([phase, failure?.code, failure?.service, row.live_at]).toEqual(["failed", "PROBE_DEADLINE", "web", null]);
    expect(phases).not.toContain("shifting");
    const evidence = failure?.evidence ?? [];
    expect(evidence.find(([label]) => label === "last probe")?.[1]).toMatch(
      /^GET http:\/\/127\.0\.0\.1:\d+\/up -> 503 .*migrating/,
    );
    expect(
      evidence
        .filter(([label]) => label === "log")
        .map(([, line]) => line)
        .join("\n"),
    ).toMatch(/web v3 starts[\s\S]*the database is away/);
    expect([await plane.visit(here), await plane.running(here, "web"), await plane.running(here, "worker")]).toEqual([
      "200 v1",
      { r1: 1 },
      { r1: 1 },
    ]);
    expect(plane.product.told(here)).not.toContain("worker v1 stops");
  });

  it("because it ends again and again is refused as soon as that is known", async () => {
    await withLive("looping");
    const looping = await plane.version("v4", {
      services: { web: plane.product.web({ health: { path: "/up", deadline: "1m" } }) },
    });
    plane.product.behave("web", "v4", "crash");
    const { phase, failure } = await plane.deploy(here, looping);
    expect([phase, failure?.code]).toEqual(["failed", "CRASH_LOOP"]);
    expect(failure?.evidence).toContainEqual(["last exit", "exit code 7"]);
    expect(failure?.evidence).toContainEqual(["log", expect.stringContaining("web v4 is out of luck")]);
    expect(await plane.visit(here)).toBe("200 v1");
  });

  it("because its command does not exist is refused with the command", async () => {
    await withLive("missing");
    const missing = await plane.version("v5", {
      services: { web: plane.product.web({ command: ["no-such-program", "--flag"] }) },
    });
    const { phase, failure } = await plane.deploy(here, missing);
    expect([phase, failure?.code]).toEqual(["failed", "START_FAILED"]);
    expect(JSON.stringify(failure?.evidence)).toContain("no-such-program");
    expect(await plane.visit(here)).toBe("200 v1");
  });

  it("because it does not listen where it was told to is refused with where that is", async () => {
    await withLive("deaf");
    const deaf = await plane.version("v55", {
      services: { web: plane.product.web({ command: ["sleep", "600"], health: { path: "/up", deadline: "1s" } }) },
    });
    const { phase, failure } = await plane.deploy(here, deaf);
    expect([phase, failure?.code, failure?.hint]).toEqual([
      "failed",
      "PROBE_DEADLINE",
      expect.stringContaining("PORT"),
    ]);
    expect(await plane.visit(here)).toBe("200 v1");
  });

  it("in an empty environment leaves it empty", async () => {
    here = "never";
    plane.product.behave("web", "v6", "sick");
    const { phase, row } = await plane.deploy(here, await plane.version("v6", { services: givenUpSoon() }));
    expect([phase, row.stable_id, (await plane.environment(here)).live_release_id]).toEqual(["failed", null, null]);
    expect(await plane.running(here, "web")).toEqual({});
  });
});

describe("a release that turns out bad after the switch", () => {
  it("by its errors is taken back, with both sides' counts", async () => {
    await withLive("errors");
    plane.product.behave("web", "v7", "errors");
    const bad = await plane.version("v7", {
      rollout: { bake: "1m", rules: { errorRatio: { margin: "5%", minimum: 5 } } },
    });
    const id = await plane.start(here, bad);
    await plane.visitUntilEnded(here, id);
    const { phase, failure, phases, row } = await plane.ended(id);
    expect([phase, failure?.code, failure?.service]).toEqual(["rolled-back", "ERROR_RATIO", "web"]);
    // Errors that come while stable still drains are caught there.
    expect(phases.slice(phases.indexOf("shifting")).filter((each) => each !== "baking")).toEqual([
      "shifting",
      "draining",
      "unshifting",
      "restoring",
      "cleaning",
      "rolled-back",
    ]);
    expect(failure?.evidence.map(([label]) => label)).toEqual(expect.arrayContaining(["stable", "rule", "log"]));
    expect([row.live_at, row.detected_at, row.restored_at].every((at) => at !== null)).toBe(true);
    expect((row.restored_at ?? 0) - (row.detected_at ?? 0)).toBeGreaterThanOrEqual(0);
    expect([await plane.visit(here), await plane.running(here, "web"), await plane.running(here, "worker")]).toEqual([
      "200 v1",
      { r1: 1 },
      { r1: 1 },
    ]);
  });

  it("by an exit is taken back, with the exit and the log", async () => {
    await withLive("crash");
    const bad = await plane.version("v8", { rollout: { bake: "1m" } });
    const id = await plane.start(here, bad);
    await plane.reaches(id, "baking");
    plane.product.behave("worker", "v8", "crash");
    const { phase, failure } = await plane.ended(id);
    expect([phase, failure?.code, failure?.service]).toEqual(["rolled-back", "HEALTH_LOST", "worker"]);
    expect(failure?.evidence).toContainEqual(["last exit", "exit code 7"]);
    expect(failure?.evidence).toContainEqual(["log", expect.stringContaining("worker v8 is out of luck")]);
    expect([await plane.visit(here), await plane.running(here, "worker")]).toEqual(["200 v1", { r1: 1 }]);
  });

  it("by its probes is taken back, with the last one", async () => {
    await withLive("fading");
    const bad = await plane.version("v9", { rollout: { bake: "1m" } });
    const id = await plane.start(here, bad);
    await plane.reaches(id, "baking");
    plane.product.behave("web", "v9", "sick");
    const { phase, failure } = await plane.ended(id);
    expect([phase, failure?.code]).toEqual(["rolled-back", "HEALTH_LOST"]);
    expect(failure?.evidence.find(([label]) => label === "last probe")?.[1]).toContain("503");
    expect(await plane.visit(here)).toBe("200 v1");
  });

  it("stays, and is called failed, where there is nothing to go back to; deploying it again does not make it good", async () => {
    here = "stays";
    const bad = await plane.version("v10", { rollout: { bake: "1m" } });
    const id = await plane.start(here, bad);
    await plane.reaches(id, "baking");
    plane.product.behave("web", "v10", "sick");
    const { phase, failure } = await plane.ended(id);
    expect([phase, failure?.code, (await plane.environment(here)).live_release_id]).toEqual([
      "failed",
      "HEALTH_LOST",
      bad,
    ]);
    const again = await plane.deploy(here, bad);
    expect(again.phase).not.toBe("succeeded");
    expect(again.row.reason).toContain("it is live already");
    expect(again.failure).toMatchObject({ code: "RELEASE_KNOWN_BAD", message: again.row.reason });
    expect(again.failure?.evidence).toEqual([[id, (await plane.row(id)).reason]]);
    // A good one takes its place as any other.
    expect((await plane.deploy(here, one!)).phase).toBe("succeeded");
    expect(await plane.visit(here)).toBe("200 v1");
  });
});

describe("services that need each other", () => {
  it("start in that order, each after the one before is healthy", async () => {
    here = "order";
    plane.product.behave("api", "v11", "sick");
    const { product } = plane;
    const ordered = await plane.version("v11", {
      services: {
        web: product.web({ needs: ["api"] }),
        api: product.web({ needs: ["migrate"], routes: ["/api"] }),
        migrate: product.job(),
        worker: product.worker({ needs: ["web"] }),
      },
    });
    const id = await plane.start(here, ordered);
    await plane.reaches(id, "verifying");
    const signal = AbortSignal.timeout(90_000);
    while (!product.told(here).includes("api v11 starts")) await plane.world.clock.sleep(5, signal);
    expect(product.told(here)).toEqual(["migrate v11 runs", "api v11 starts"]);
    product.behave("api", "v11", "good");
    expect((await plane.ended(id)).phase).toBe("succeeded");
    expect(product.told(here)).toEqual(["migrate v11 runs", "api v11 starts", "web v11 starts", "worker v11 starts"]);
    expect([await plane.visit(here), await plane.visit(here, "/api/x")]).toEqual(["200 v11", "200 v11"]);
  });
});

describe("a job", () => {
  it("runs once for a release, before anything that needs it; one that fails refuses the release", async () => {
    here = "job";
    const { product } = plane;
    const services = { web: product.web({ needs: ["migrate"] }), migrate: product.job() };
    const good = await plane.version("v12", { services });
    const bad = await plane.version("v13", { services });
    product.behave("migrate", "v13", "fail");
    expect((await plane.deploy(here, good)).phase).toBe("succeeded");
    const { phase, failure } = await plane.deploy(here, bad);
    expect([phase, failure?.code, failure?.message]).toEqual([
      "failed",
      "JOB_FAILED",
      "job migrate failed: exit code 3",
    ]);
    expect(failure?.evidence).toContainEqual(["log", expect.stringContaining("the column is there already")]);
    expect(product.told(here)).toEqual(["migrate v12 runs", "web v12 starts", "migrate v13 runs"]);
    expect(await plane.visit(here)).toBe("200 v12");
  });

  it("runs again when its release is tried again, and when it is deployed again after another", async () => {
    here = "job";
    const { product } = plane;
    const times = (version: string) => product.told(here).filter((line) => line === `migrate ${version} runs`).length;
    product.behave("migrate", "v13", "good");
    const { db } = plane.world.store;
    const [good, bad] = (
      await db
        .selectFrom("release")
        .select("id")
        .where("subject", "in", ["feat: v12", "feat: v13"])
        .orderBy("number")
        .execute()
    ).map(({ id }) => id);
    expect((await plane.deploy(here, bad!)).phase).toBe("succeeded");
    expect(times("v13")).toBe(2);
    expect((await plane.deploy(here, good!)).phase).toBe("succeeded");
    expect(times("v12")).toBe(2);
    // Going back is not deploying: what the job did is done.
    await plane.ended(await plane.rollback(here));
    expect([times("v12"), times("v13")]).toEqual([2, 2]);
    expect(await plane.visit(here)).toBe("200 v13");
  });
});

describe("a service that a release no longer has", () => {
  it("is stopped when the release is live, and runs again when it is taken back", async () => {
    await withLive("dropped");
    const dropping = await plane.version("v14", { services: { web: plane.product.web() }, rollout: { bake: "1m" } });
    const id = await plane.start(here, dropping);
    await plane.reaches(id, "baking");
    expect(await plane.running(here, "worker")).toEqual({});
    plane.product.behave("web", "v14", "sick");
    expect((await plane.ended(id)).phase).toBe("rolled-back");
    expect(await plane.running(here, "worker")).toEqual({ r1: 1 });
  });
});

describe("a service that a release makes a job of", () => {
  it("is stopped when the release is live, and runs again when it is taken back, by itself or by a person", async () => {
    await withLive("turned");
    const services = { web: plane.product.web(), worker: plane.product.job() };
    const turned = await plane.version("v15", { services, rollout: { bake: "1m" } });
    const id = await plane.start(here, turned);
    await plane.reaches(id, "baking");
    expect(await plane.running(here, "worker")).toEqual({});
    plane.product.behave("web", "v15", "sick");
    expect((await plane.ended(id)).phase).toBe("rolled-back");
    expect(await plane.running(here, "worker")).toEqual({ r1: 1 });
    const good = await plane.version("v16", { services });
    expect((await plane.deploy(here, good)).phase).toBe("succeeded");
    expect(await plane.running(here, "worker")).toEqual({});
    await plane.expectAtRest(here);
    expect((await plane.ended(await plane.rollback(here))).phase).toBe("succeeded");
    expect(await plane.running(here, "worker")).toEqual({ r1: 1 });
  });
});
