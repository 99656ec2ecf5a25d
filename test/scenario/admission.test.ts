import { readdirSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { deploymentId, environmentName, type ReleaseId } from "../../src/core/ids.ts";
import { lock, unlock } from "../../src/engine/commands/lock.ts";
import { plan, planSource } from "../../src/engine/commands/plan.ts";
import { Plane } from "./plane.fixture.ts";
import { healthWithin } from "./product.fixture.ts";

let plane: Plane;
let here = "";
let [one, two, three]: ReleaseId[] = [];
const long = { rollout: { bake: "1m" as const } };

beforeAll(async () => {
  plane = await Plane.start({
    environments: {
      queue: long,
      replace: { rollout: { bake: "1m", whenBusy: "replace" } },
      refuse: { rollout: { bake: "1m", whenBusy: "refuse" } },
      locked: {},
      staging: {},
      production: { promoteFrom: "staging" },
    },
  });
  const services = { web: plane.product.web() };
  one = await plane.version("v1", { services });
  two = await plane.version("v2", { services: { web: plane.product.web({ health: healthWithin("4s") }) } });
  three = await plane.version("v3", { services });
});

afterEach(() => plane.expectAtRest(here));
afterAll(() => plane.close());

/** One that is watched until it is cancelled. */
async function underWay(release: ReleaseId) {
  const id = await plane.start(here, release);
  await plane.reaches(id, "baking");
  return id;
}

describe("a deployment that is asked for again, because the answer was lost", () => {
  it("is the same, whatever has come of it, and no other has its name", async () => {
    here = "locked";
    const id = deploymentId("dep_00000000a9a1");
    const both = await Promise.all([plane.start(here, one!, { id }), plane.start(here, one!, { id })]);
    expect(both).toEqual([id, id]);
    expect((await plane.ended(id)).phase).toBe("succeeded");
    expect(await plane.start(here, one!, { id })).toBe(id);
    const all = plane.world.store.db
      .selectFrom("deployment")
      .select("id")
      .where("environment", "=", environmentName(here));
    expect(await all.execute()).toEqual([{ id }]);
    await expect(plane.start(here, two!, { id })).rejects.toMatchObject({
      code: "USAGE",
      message: `${id} is a deployment of ${one} to locked`,
    });
  });
});

describe("a deployment that comes while another is under way", () => {
  it("waits its turn, in the order of coming", async () => {
    here = "queue";
    const first = await underWay(one!);
    const [second, third] = [await plane.start(here, two!), await plane.start(here, three!)];
    expect([(await plane.row(second)).phase, (await plane.row(third)).phase]).toEqual(["queued", "queued"]);
    for (const id of [first, second, third]) {
      await plane.reaches(id, "baking");
      await plane.ask(id, "cancel");
      await plane.ended(id);
    }
    expect(plane.product.told(here).filter((line) => line.endsWith("starts"))).toEqual([
      "web v1 starts",
      "web v2 starts",
      "web v3 starts",
    ]);
    // The first had nothing to go back to.
    expect((await plane.environment(here)).live_release_id).toBe(one);
  });

  it("replaces all before it, where the config says so: they go back first", async () => {
    here = "replace";
    const first = await underWay(one!);
    const second = await plane.start(here, two!);
    const third = await plane.start(here, three!);
    await plane.reaches(third, "baking");
    const [a, b] = [await plane.ended(first), await plane.ended(second)];
    expect([a.phase, b.phase]).toEqual(["failed", "cancelled"]);
    expect([a.row.reason, b.row.reason]).toEqual([
      expect.stringMatching(/replaced by dep_/),
      expect.stringContaining(`replaced by ${third}`),
    ]);
    expect(await plane.visit(here)).toBe("200 v3");
    await plane.ask(third, "cancel");
    await plane.ended(third);
  });

  it("is refused, where the config says so, with who is at it; what the command says comes first", async () => {
    here = "refuse";
    const first = await underWay(one!);
    await expect(plane.start(here, two!)).rejects.toMatchObject({
      code: "DEPLOYMENT_IN_PROGRESS",
      message: `${first} is under way in refuse (baking)`,
      evidence: [
        ["started by", "ada"],
        ["now", expect.any(String)],
      ],
    });
    const planned = await plan(plane.world, { release: two!, environment: environmentName(here) });
    expect(planned.blocked).toEqual(["a deployment is under way, and the config says to refuse others meanwhile"]);
    const second = await plane.start(here, two!, { whenBusy: "replace" });
    await plane.reaches(second, "baking");
    await plane.ask(second, "cancel");
    await plane.ended(second);
  });
});

describe("a locked environment", () => {
  const locked = () => ({
    product: plane.product.name,
    environment: environmentName("locked"),
    actor: "carol",
    reason: "the audit",
  });

  it("takes no deployment, with who and why, lets what is under way go on and a rollback pass, until it is unlocked", async () => {
    here = "locked";
    expect((await plane.deploy(here, one!)).phase).toBe("succeeded");
    const id = await plane.start(here, two!);
    await lock(plane.world, locked());
    expect((await plane.ended(id)).phase).toBe("succeeded");
    await expect(plane.start(here, three!)).rejects.toMatchObject({
      code: "ENVIRONMENT_LOCKED",
      message: "locked is locked by carol: the audit",
    });
    await expect(lock(plane.world, locked())).rejects.toMatchObject({ code: "ENVIRONMENT_LOCKED" });
    expect((await plan(plane.world, { release: three!, environment: environmentName(here) })).blocked).toEqual([
      "locked by carol: the audit",
    ]);
    expect((await plane.ended(await plane.rollback(here))).phase).toBe("succeeded");
    expect(await plane.visit(here)).toBe("200 v1");
    await unlock(plane.world, locked());
    expect((await plane.deploy(here, three!)).phase).toBe("succeeded");
  });
});

describe("a promotion", () => {
  const promote = (release: ReleaseId) => plane.start("production", release, { kind: "promotion" });

  it("is refused for a release that has not succeeded before, and for one that failed there", async () => {
    here = "staging";
    await expect(promote(one!)).rejects.toMatchObject({
      code: "PROMOTION_REFUSED",
      message: expect.stringContaining("r1 has not been deployed there"),
    });
    await expect(plane.start("production", one!)).rejects.toMatchObject({ code: "PROMOTION_REFUSED" });
    plane.product.behave("web", "v2", "sick");
    expect((await plane.deploy(here, two!)).phase).toBe("failed");
    plane.product.behave("web", "v2", "good");
    await expect(promote(two!)).rejects.toMatchObject({
      code: "PROMOTION_REFUSED",
      message: expect.stringContaining("r2 failed there"),
    });
    expect((await plan(plane.world, { release: two!, environment: environmentName("production") })).blocked).toEqual([
      "r2 has not succeeded in staging yet",
    ]);
  });

  it("is not opened by a first release that failed there, stayed, and was asked for again", async () => {
    here = "staging";
    const bad = await plane.version("v4", { services: { web: plane.product.web() }, rollout: { bake: "1m" } });
    const id = await plane.start(here, bad);
    await plane.reaches(id, "baking");
    plane.product.behave("web", "v4", "sick");
    expect((await plane.ended(id)).phase).toBe("failed");
    await plane.deploy(here, bad);
    await expect(promote(bad)).rejects.toMatchObject({ code: "PROMOTION_REFUSED" });
  });

  it("takes the same release on, not a new one, once it has succeeded", async () => {
    here = "production";
    expect((await plane.deploy("staging", one!)).phase).toBe("succeeded");
    const { phase, row } = await plane.ended(await promote(one!));
    expect([phase, row.kind, row.release_id, await plane.visit(here)]).toEqual([
      "succeeded",
      "promotion",
      one,
      "200 v1",
    ]);
  });
});

describe("what does not exist", () => {
  it("is refused by name", async () => {
    here = "production";
    await expect(plane.start("nowhere", one!)).rejects.toMatchObject({
      code: "UNKNOWN_ENVIRONMENT",
      evidence: [["it has", expect.stringContaining("staging")]],
    });
    await expect(plane.start(here, "rel_none" as ReleaseId)).rejects.toMatchObject({ code: "UNKNOWN_RELEASE" });
  });
});

it("a plan of what has no release yet reads its config, builds nothing, and leaves nothing behind", async () => {
  here = "staging";
  const { product, world } = plane;
  const source = { product: product.name, repository: product.repository, revision: "HEAD", dirty: true };
  const planned = (more: Partial<typeof source> = {}) =>
    planSource(world, { ...source, ...more }, environmentName(here), AbortSignal.timeout(90_000));
  const before = await world.store.db.selectFrom("release").select("number").orderBy("number", "desc").execute();
  const next = (before[0]?.number ?? 0) + 1;
  product.commit("v90", { services: { web: product.web({ instances: 3 }) } });
  const clean = await planned();
  expect(clean.release).toMatchObject({ id: null, number: next });
  expect(clean.steps[0]).toMatch(new RegExp(`^make r${next} from [0-9a-f]{7}$`));
  expect(clean.services.find(({ name }) => name === "web")?.instances).toMatch(/3$/);
  expect(clean.changeLog.flatMap(({ lines }) => lines).join()).toContain("v90");
  product.write("notes.txt", "not committed");
  expect((await planned()).steps[0]).toBe(`make r${next} from the working tree`);
  expect((await planned({ dirty: false })).warnings.join()).toContain("differs from HEAD in 1 path");
  expect((await planned({ revision: "HEAD~1" })).release.number).toBeLessThan(next);
  await expect(planned({ product: "another" })).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  await expect(planSource(world, source, environmentName("prod"), AbortSignal.timeout(90_000))).rejects.toMatchObject({
    code: "UNKNOWN_ENVIRONMENT",
  });
  product.git("clean", "--quiet", "--force");
  // What has a release is planned as that one.
  const release = await plane.release();
  expect((await planned()).release).toMatchObject({ id: release, number: next });
  expect(readdirSync(world.runsDirectory).filter((name) => name.startsWith("plan-"))).toEqual([]);
});
