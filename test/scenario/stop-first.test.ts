import { renameSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { courseOf } from "../../src/core/deploy/course.ts";
import { begin } from "../../src/core/deploy/decide.ts";
import type { Rollout } from "../../src/core/deploy/deployment.ts";
import { rollbackStages, stages } from "../../src/core/deploy/stages.ts";
import {
  type DeploymentId,
  deploymentId,
  environmentName,
  type ReleaseId,
  revisionId,
  serviceName,
} from "../../src/core/ids.ts";
import { beginWorkflow } from "../../src/engine/deploy/open.ts";
import { artifactsOf, releaseView } from "../../src/engine/release/read.ts";
import { Plane } from "./plane.fixture.ts";

const names = ["good", "absent", "early", "sick", "late", "killed", "rollback"];

let plane: Plane;
let here = "";
let [one, two]: ReleaseId[] = [];

beforeAll(async () => {
  plane = await Plane.start({ environments: Object.fromEntries(names.map((name) => [name, {}])) });
  one = await version("v1");
  two = await version("v2");
});

afterEach(async () => {
  await plane.expectAtRest(here);
  for (const service of ["web", "worker"]) expectNeverBoth(service);
});
afterAll(() => plane.close());

/** With time for requests in flight to end, on a busy machine too: half of the deadline, or the drain. */
function version(name: string): Promise<ReleaseId> {
  const { product } = plane;
  const web = product.web();
  return plane.version(name, {
    services: { web: { ...web, health: { ...web.health, deadline: "4s" } }, worker: product.worker() },
    rollout: { bake: "150ms", drain: "2s" },
  });
}

/**
 * Only a container has what makes its service stop first, and here are only processes: so the course is recorded as it would be
 * for containers, at the first instant of a deployment. Everything after that is the engine's own.
 */
async function startStopFirst(release: ReleaseId, kind: "deploy" | "rollback" = "deploy"): Promise<DeploymentId> {
  const { world } = plane;
  const { db } = world.store;
  const environment = environmentName(here);
  const { live_release_id: live, product } = await plane.environment(here);
  if (live === null) throw new Error("nothing is live");
  const id = deploymentId(`dep_${here}-${kind}`);
  const view = await releaseView(db, release, environment);
  const planned = courseOf({ id, kind, release: view, stable: await releaseView(db, live, environment) });
  const rollouts = planned.rollouts.map((each): Rollout => ({ ...each, stopFirst: "volumes" }));
  const steps = kind === "rollback" ? rollbackStages(rollouts) : stages(rollouts, view.spec.rollout);
  const deployment = begin({ ...planned, rollouts, stages: steps });
  const now = world.clock.now();
  const row = { id, product, environment, release_id: release, stable_id: live, kind, phase: deployment.phase.is };
  const times = {
    created_at: now,
    started_at: now,
    live_at: null,
    detected_at: null,
    restored_at: null,
    ended_at: null,
  };
  const told = { reason: "a test", change_log: "[]", created_by: "ada" };
  await db.transaction().execute(async (trx) => {
    const state = JSON.stringify(deployment);
    await trx
      .insertInto("deployment")
      .values({ ...row, ...times, ...told, state, version: 1 })
      .execute();
    for (const { service, candidate } of rollouts) {
      if (candidate === null) continue;
      const role = "candidate" as const;
      const revision = { id: candidate, product, environment, service, release_id: release, role };
      await trx
        .insertInto("revision")
        .values({ ...revision, created_at: now, updated_at: now })
        .onConflict((conflict) => conflict.column("id").doUpdateSet({ role, updated_at: now }))
        .execute();
    }
  });
  await beginWorkflow(world, { id, product, environment });
  return id;
}

async function withLive(name: string): Promise<void> {
  here = name;
  expect((await plane.deploy(name, one!)).phase).toBe("succeeded");
}

/** What visitors got, each text once, who came until the work was done. */
async function visitorsDuring(work: Promise<unknown>): Promise<string[]> {
  const seen = new Set<string>();
  let over = false;
  const done = work.finally(() => {
    over = true;
  });
  const visitors = Array.from({ length: 3 }, async () => {
    while (!over) seen.add(await plane.visit(here));
  });
  await Promise.all([done, ...visitors]);
  return [...seen].toSorted();
}

/** The edge has passed a request on that has no answer yet. */
async function somebodyIsServed(): Promise<void> {
  const site = plane.world.edges.of((await releaseView(plane.world.store.db, one!, environmentName(here))).spec.edge);
  const revision = revisionId(`rev_probe-${here}-web-r1`);
  for (;;) {
    const { revisions } = await site.counts.next(AbortSignal.timeout(90_000));
    if ((revisions[revision]?.inflight ?? 0) > 0) return;
  }
}

/** What no healthy version answers. */
function oddIn(seen: readonly string[]): string[] {
  return seen.filter((each) => each !== "200 v1" && each !== "200 v2");
}

/** By what the processes themselves told: each version ended before another began. */
function expectNeverBoth(service: string): void {
  const told = plane.product.told(here).filter((line) => line.startsWith(`${service} `));
  let running: string | null = null;
  for (const line of told) {
    const [, version, what] = line.split(" ");
    if (what === "starts") {
      expect(running, `${told.join("; ")}`).toBeNull();
      running = version ?? null;
    } else running = null;
  }
}

describe("services that cannot run beside their successors", () => {
  it("change over one after the other, and no request is lost", async () => {
    await withLive("good");
    const slow = plane.visit(here, "/slow");
    await somebodyIsServed();
    const id = await startStopFirst(two!);
    expect(oddIn(await visitorsDuring(plane.ended(id)))).toEqual([]);
    const { phase, phases } = await plane.ended(id);
    expect([phase, phases.at(-2)]).toEqual(["succeeded", "retiring"]);
    // It was in flight when its service was to be stopped, and the service stops at once when it is told to.
    expect(await slow).toBe("200 v1");
    expect([await plane.running(here, "web"), await plane.running(here, "worker")]).toEqual([{ r2: 1 }, { r2: 1 }]);
  });

  it("are not stopped for new ones that cannot be brought, also when it is only one of them", async () => {
    await withLive("absent");
    const made = await plane.world.store.db.selectFrom("release").selectAll().where("id", "=", two!).executeTakeFirst();
    const archive = plane.world.artifacts.file(artifactsOf(made!)[serviceName("worker")]!.directory!);
    renameSync(archive, `${archive}.away`);
    const { phase, failure } = await startStopFirst(two!)
      .then((id) => plane.ended(id))
      .finally(() => renameSync(`${archive}.away`, archive));
    expect([phase, failure?.code]).toEqual(["failed", "ARTIFACT_MISSING"]);
    expect(plane.product.told(here).toSorted()).toEqual(["web v1 starts", "worker v1 starts"]);
  });

  it("come back when they are called off before any traffic: requests wait for them, and nobody met the new ones", async () => {
    await withLive("early");
    plane.product.behave("web", "v2", "hold");
    const id = await startStopFirst(two!);
    const visits = visitorsDuring(plane.ended(id));
    await plane.reaches(id, "verifying");
    expect(await plane.running(here, "web")).toEqual({ r2: 1 });
    await plane.ask(id, "cancel");
    expect(await visits).toEqual(["200 v1"]);
    const { phases, row } = await plane.ended(id);
    expect(phases.slice(-4)).toEqual(["verifying", "restoring", "cleaning", "cancelled"]);
    expect(row.restored_at).not.toBeNull();
    expect([await plane.running(here, "web"), await plane.running(here, "worker")]).toEqual([{ r1: 1 }, { r1: 1 }]);
  });

  it("come back when the new ones never become healthy, with the log of what failed", async () => {
    await withLive("sick");
    plane.product.behave("web", "v2", "sick");
    const id = await startStopFirst(two!);
    // Visitors come all the time: who waits for the new one in vain is answered by the old one.
    expect(await visitorsDuring(plane.ended(id))).toEqual(["200 v1"]);
    const { phase, failure, row } = await plane.ended(id);
    expect([phase, failure?.code, row.reason]).toEqual([
      "failed",
      "PROBE_DEADLINE",
      "refused: web was not healthy within 4s; stable runs again (web, worker had been stopped first)",
    ]);
    expect(failure?.evidence).toContainEqual(["log", expect.stringContaining("the database is away")]);
    expect(await plane.visit(here)).toBe("200 v1");
  });

  it("come back from under all traffic, before it does", async () => {
    await withLive("late");
    const id = await startStopFirst(two!);
    await plane.reaches(id, "baking");
    const visits = visitorsDuring(plane.ended(id));
    await plane.ask(id, "cancel");
    expect(oddIn(await visits)).toEqual([]);
    const { phases } = await plane.ended(id);
    expect(phases.slice(-6)).toEqual(["baking", "restoring", "unshifting", "restoring", "cleaning", "cancelled"]);
    expect([await plane.running(here, "web"), await plane.running(here, "worker")]).toEqual([{ r1: 1 }, { r1: 1 }]);
  });

  it("go on where they were when the control plane is replaced in the middle", async () => {
    await withLive("killed");
    plane.product.behave("web", "v2", "hold");
    const id = await startStopFirst(two!);
    await plane.reaches(id, "verifying");
    await plane.restart();
    await plane.reaches(id, "verifying");
    plane.product.behave("web", "v2", "good");
    expect((await plane.ended(id)).phase).toBe("succeeded");
    expect([await plane.running(here, "web"), await plane.visit(here)]).toEqual([{ r2: 1 }, "200 v2"]);
  });

  it("are taken back by a person like that too, what takes requests first", async () => {
    await withLive("rollback");
    expect((await plane.ended(await startStopFirst(two!))).phase).toBe("succeeded");
    const id = await startStopFirst(one!, "rollback");
    expect(oddIn(await visitorsDuring(plane.ended(id)))).toEqual([]);
    expect((await plane.ended(id)).phase).toBe("succeeded");
    // A worker runs before it has said so.
    const last = ["web v2 stops", "web v1 starts", "worker v2 stops", "worker v1 starts"];
    await expect.poll(() => plane.product.told(here).slice(-4)).toEqual(last);
    expect([await plane.running(here, "web"), await plane.running(here, "worker")]).toEqual([{ r1: 1 }, { r1: 1 }]);
  });
});
