import type { Deployment, DeploymentEvent, Effect, Failure } from "../../core/deploy/deployment.ts";
import { keepsCandidate } from "../../core/deploy/roles.ts";
import { isStopFirst, stopping } from "../../core/deploy/stop-first.ts";
import { isSlipwayError, reasonOf, SlipwayError } from "../../core/errors/error.ts";
import type { RevisionId } from "../../core/ids.ts";
import type { Counts } from "../../core/judge/counts.ts";
import { linkedSignal } from "../../lib/linked-signal.ts";
import type { RevisionStatus } from "../../ports/target.ts";
import { untilStepGatesOpen } from "../gates/step.ts";
import { logEvidence } from "../health/evidence.ts";
import { noteChanges } from "../release/changes.ts";
import { releaseView } from "../release/read.ts";
import { scaleRows } from "../scale/held.ts";
import type { EdgeSite } from "../traffic/sites.ts";
import type { World } from "../world.ts";
import { untilAble } from "./able.ts";
import { ensureAccessories } from "./accessories.ts";
import { untilAccessoriesWell } from "./accessories-well.ts";
import type { BakeEnd } from "./bake.ts";
import {
  predecessorsAgain,
  retirePredecessors,
  stopPredecessorsFirst,
  stopWorkersBefore,
  switchOver,
} from "./predecessors.ts";
import { someoneAsks } from "./requests.ts";
import { doubtOf } from "./second-look.ts";
import {
  allDone,
  bakeCandidates,
  never,
  prepare,
  scale,
  stop,
  verified,
  watchCandidateStep,
  watchOnly,
} from "./sides.ts";
import { holdRequests, releaseRequests, stopOthers, untilIdle } from "./stop-first.ts";
import { verify } from "./verify.ts";

/**
 * Does what a phase asks, and tells what came of it as the next event; null when a person has asked something meanwhile.
 * Every effect may be repeated after a crash. Rejects only with what is worth another attempt, and when it is aborted.
 */
export async function perform(
  world: World,
  deployment: Deployment,
  effect: Effect,
  signal: AbortSignal,
): Promise<DeploymentEvent | null> {
  try {
    return await effects(world, deployment, effect, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (isSlipwayError(error) && error.retryable && !isLasting(error)) throw error;
    world.log.error("deployment.effect-failed", {
      deployment: deployment.course.id,
      effect: effect.do,
      reason: reasonOf(error),
    });
    return { is: "failed", failure: failureFrom(error) };
  }
}

/** A full disk does not empty itself in the time for which other troubles are worth a wait. */
function isLasting({ code }: SlipwayError): boolean {
  return code === "DISK_FULL";
}

/** Any thrown thing as a failure that a person can read. */
export function failureFrom(error: unknown): Failure {
  const { code, message, evidence, hint } = isSlipwayError(error)
    ? error
    : new SlipwayError("INTERNAL", { message: reasonOf(error) });
  return { code, message, evidence, hint, service: null };
}

function effects(
  world: World,
  deployment: Deployment,
  effect: Effect,
  signal: AbortSignal,
): Promise<DeploymentEvent | null> {
  switch (effect.do) {
    case "start":
      return start(world, deployment, effect, signal);
    case "verify":
      return verifyCandidates(world, deployment, effect, signal);
    case "shift":
      return shift(world, deployment, signal);
    case "drain":
      return drain(world, deployment, effect.stage, signal);
    case "watch":
      return watch(world, deployment, effect.until, signal);
    case "watch-step":
      return watchStep(world, deployment, effect, signal);
    case "await-gates":
      return awaitGates(world, deployment, effect, signal);
    case "await-resume":
      return untilAsked(world, deployment, signal, watchOnly(world, deployment));
    case "retire":
      return retire(world, deployment, signal);
    case "restore":
      return restore(world, deployment, effect, signal);
    case "clean":
      return clean(world, deployment, effect.failure, signal);
  }
}

/** Who calls it off while a host or an accessory is waited for, or an image comes, waits for none of them. */
function start(
  world: World,
  deployment: Deployment,
  effect: Extract<Effect, { do: "start" }>,
  signal: AbortSignal,
): Promise<DeploymentEvent | null> {
  return untilAsked(world, deployment, signal, (aborted) => startCandidates(world, deployment, effect, aborted));
}

async function startCandidates(
  world: World,
  deployment: Deployment,
  { stage, services, stopping: stopped }: Extract<Effect, { do: "start" }>,
  signal: AbortSignal,
): Promise<DeploymentEvent> {
  const { course } = deployment;
  const { release } = course;
  const { spec } = await releaseView(world.store.db, release, course.environment);
  world.edges.of(spec.edge);
  // The admission may not be on disk yet: what outlives this machine must not be left by a deployment that nobody remembers.
  if (!world.targets.of(spec.target).can.endsWithMachine) await world.store.flushed();
  if (stage === 0) {
    const began = world.clock.now();
    await ensureAccessories(world, course, signal);
    await untilAccessoriesWell(world, course, began, signal);
  }
  // Before anything is stopped and anybody waits: to bring an image may take minutes, and may fail.
  await allDone(stopped.map((service) => prepare(world, course, { release, service }, signal)));
  if (stage === 0) await stopPredecessorsFirst(world, course, services, signal);
  await allDone(
    services.map(async (service) => {
      const revision = course.rollouts.find((rollout) => rollout.service === service)?.candidate ?? null;
      if (revision !== null && stopped.includes(service)) {
        const held = await holdRequests(world, deployment, { service, release });
        if (held !== null) await untilIdle(world, held, course.drainMs, signal);
        await stopOthers(world, course, { service, revision }, signal);
        // Who waits goes on waiting, for as long as the start may take: the stop has had its own time.
        await holdRequests(world, deployment, { service, release });
      }
      const count = course.stages[stage]?.[service]?.candidate ?? 0;
      await scale(world, course, { release, service, count }, signal);
    }),
  );
  return { is: "started" };
}

async function verifyCandidates(
  world: World,
  deployment: Deployment,
  { stage, services }: Extract<Effect, { do: "verify" }>,
  signal: AbortSignal,
): Promise<DeploymentEvent | null> {
  const { course } = deployment;
  const sides = course.rollouts
    .filter((rollout) => services.includes(rollout.service))
    .map((rollout) => ({ rollout, count: course.stages[stage]?.[rollout.service]?.candidate ?? 0 }));
  const checked = await verified(world, course, { release: course.release, sides, side: "candidate" });
  // From when the deadline counts, also after a crash: who waits must not be let go before the way back has begun.
  for (const service of stopping(course, { stage, services }))
    await holdRequests(world, deployment, { service, release: course.release });
  const site = await siteOf(world, course);
  return untilAsked(world, deployment, signal, async (aborted) => {
    const seen = (running: readonly RevisionStatus[]): void => site.router.saw(running);
    const result = untilAble(world, { course, stage, checked }, aborted, seen);
    // From the second step on the candidate has users: it is watched while its next instances start.
    return deployment.shifted === 0 ? result : Promise.race([result, watchOnly(world, deployment)(aborted)]);
  });
}

async function shift(world: World, { course }: Deployment, signal: AbortSignal): Promise<DeploymentEvent> {
  const marks: Record<RevisionId, Counts> = {};
  const counted: Record<RevisionId, Counts> = {};
  const site = await siteOf(world, course);
  for (const rollout of course.rollouts) {
    if (rollout.stable !== null) marks[rollout.stable] = site.counts.before(rollout.stable);
    if (rollout.candidate !== null) marks[rollout.candidate] = site.counts.of(rollout.candidate);
    for (const side of [rollout.stable, rollout.candidate]) if (side !== null) counted[side] = site.counts.of(side);
  }
  // Only where nothing of ours was live can another have what the edge needs; and going back waits for no look at hosts.
  await (course.stable === null ? switchOver(world, course, site, signal) : site.router.sync());
  await releaseRequests(world, course, site.edge);
  return { is: "shifted", marks, counted };
}

/** The edge that the release's config names; going back, that of the one it goes back to. */
export async function siteOf(world: World, course: Deployment["course"]): Promise<EdgeSite> {
  return world.edges.of((await releaseView(world.store.db, course.release, course.environment)).spec.edge);
}

async function drain(
  world: World,
  deployment: Deployment,
  stage: number,
  signal: AbortSignal,
): Promise<DeploymentEvent | null> {
  const { course } = deployment;
  return untilAsked(world, deployment, signal, async (aborted) => {
    const drained = Promise.all([
      drainStable(world, deployment, stage, aborted),
      stopWorkersBefore(world, course, aborted),
    ]).then(([inflight]): DeploymentEvent => ({ is: "drained", inflight }));
    return Promise.race([drained, watchOnly(world, deployment)(aborted)]);
  }).finally(() => world.log.info("deployment.drained", { deployment: course.id, stage }));
}

async function drainStable(world: World, { course }: Deployment, stage: number, signal: AbortSignal): Promise<number> {
  const view = await releaseView(world.store.db, course.release, course.environment);
  const limits = { timeoutMs: course.drainMs, streamLimitMs: view.spec.rollout.streamLimitMs };
  const { edge } = world.edges.of(view.spec.edge);
  const drains = course.rollouts.map(async ({ routed, stable }) => {
    return routed && stable !== null ? (await edge.drain(stable, limits)).inflight : 0;
  });
  const left = await Promise.all(
    course.rollouts.map(async (rollout, index) => {
      const share = course.stages[stage]?.[rollout.service];
      if (rollout.stable === null || share === undefined) return 0;
      const inflight = (await drains[index]) ?? 0;
      // Whoever answers them asks this one.
      if (rollout.behind) await Promise.all(drains);
      // The edge's drain cannot be called off: by now the deployment may be on its way back.
      signal.throwIfAborted();
      if (share.stable < rollout.stableInstances && course.stable !== null) {
        const { service } = rollout;
        const stable = { release: course.stable, service };
        await (share.stable === 0
          ? stop(world, course, stable, signal, "left out")
          : scale(world, course, { ...stable, count: share.stable }, signal));
      }
      return inflight;
    }),
  );
  return left.reduce((sum, each) => sum + each, 0);
}

async function watch(
  world: World,
  deployment: Deployment,
  until: number | null,
  signal: AbortSignal,
): Promise<DeploymentEvent | null> {
  return untilAsked(world, deployment, signal, async (aborted) => {
    return eventOf(await bakeCandidates(world, deployment, until, aborted));
  });
}

async function watchStep(
  world: World,
  deployment: Deployment,
  { stage, until, limit }: Extract<Effect, { do: "watch-step" }>,
  signal: AbortSignal,
): Promise<DeploymentEvent | null> {
  return untilAsked(world, deployment, signal, async (aborted) => {
    const looking = world.stepConditions.keepLooking(world, deployment, stage, aborted);
    const watched = watchCandidateStep(world, deployment, { stage, until, limit }, aborted);
    return eventOf(await Promise.race([watched, failing(looking, aborted)]));
  });
}

async function awaitGates(
  world: World,
  deployment: Deployment,
  { stage, wait }: Extract<Effect, { do: "await-gates" }>,
  signal: AbortSignal,
): Promise<DeploymentEvent | null> {
  return untilAsked(world, deployment, signal, async (aborted) => {
    const looking = world.stepConditions.keepLooking(world, deployment, stage, aborted);
    const opened = untilStepGatesOpen(world, deployment, wait, aborted);
    return Promise.race([opened, watchOnly(world, deployment)(aborted), failing(looking, aborted)]);
  });
}

/** Rejects when it does; never resolves but by the signal. */
async function failing(work: Promise<void>, signal: AbortSignal): Promise<never> {
  await work;
  return never(signal);
}

function eventOf(end: BakeEnd): DeploymentEvent {
  if ("missing" in end) return { is: "unclear", missing: end.missing };
  return "note" in end ? { is: "passed", note: end.note } : { is: "failed", failure: end };
}

async function retire(world: World, { course }: Deployment, signal: AbortSignal): Promise<DeploymentEvent> {
  const own = new Set(course.rollouts.flatMap((rollout) => [rollout.candidate, rollout.stable]));
  const { spec } = await releaseView(world.store.db, course.release, course.environment);
  const warm = await world.store.db
    .selectFrom("revision")
    .select(["id", "release_id", "service"])
    .where("product", "=", spec.product)
    .where("environment", "=", course.environment)
    .where("role", "in", ["warm", "candidate"])
    .execute();
  const surplus = warm.filter((revision) => !own.has(revision.id));
  // A job that has ended is nothing to keep; found again, it would not run when its release is deployed again.
  const jobs = course.rollouts.filter((rollout) => rollout.kind === "job").map((rollout) => rollout.candidate);
  await Promise.all(jobs.map((job) => (job === null ? null : world.targets.remove(job, signal))));
  await Promise.all([
    retirePredecessors(world, course, signal),
    // Only now: asked before the start, git would take a tenth of the time until the release is live.
    noteChanges(world, course.id),
    trimWarm(world, course, signal),
    ...surplus.map(async ({ id, release_id: release, service }) => {
      const { spec: old } = await releaseView(world.store.db, release, course.environment);
      const kind = old.services[service]?.kind;
      if (kind === "web" || kind === "static") await untilAnswered(world, course, id, signal);
      await stop(world, course, { release, service }, signal, "left out");
    }),
  ]);
  return { is: "retired" };
}

/** What was warm has answered for an instance that died, until a moment ago: what it has still to answer is not cut off. */
async function untilAnswered(
  world: World,
  course: Deployment["course"],
  revision: RevisionId,
  signal: AbortSignal,
): Promise<void> {
  const { edge } = await siteOf(world, course);
  const { spec } = await releaseView(world.store.db, course.release, course.environment);
  const limits = { timeoutMs: course.drainMs, streamLimitMs: spec.rollout.streamLimitMs };
  // An edge that cannot tell may still have some: then the time for it is waited out, and a good release is not taken back.
  await edge.drain(revision, limits).catch(() => world.clock.sleep(limits.timeoutMs, signal));
  signal.throwIfAborted();
}

/** Of what was being scaled when this deployment came, more may run than its counts say. */
async function trimWarm(world: World, course: Deployment["course"], signal: AbortSignal): Promise<void> {
  const { stable: release, environment } = course;
  const last = course.stages.at(-1);
  if (release === null) return;
  const { spec } = await releaseView(world.store.db, release, environment);
  if ((await scaleRows(world.store.db, { product: spec.product, environment })).length === 0) return;
  const running = new Map((await world.targets.observe({ environment })).map(({ id, wanted }) => [id, wanted]));
  await Promise.all(
    course.rollouts.map(async ({ service, stable }) => {
      const count = last?.[service]?.stable ?? 0;
      if (stable === null || count === 0 || (running.get(stable) ?? 0) <= count) return;
      await scale(world, course, { release, service, count }, signal);
    }),
  );
}

/** A candidate that answers has done so by then; one that hangs must not keep those who wait for stable. */
const backIdleMs = 1_000;

async function restore(
  world: World,
  deployment: Deployment,
  { services }: Extract<Effect, { do: "restore" }>,
  signal: AbortSignal,
): Promise<DeploymentEvent> {
  const { course } = deployment;
  if (course.stable === null) return { is: "restored" };
  const release = course.stable;
  const sides = course.rollouts
    .filter((rollout) => services.includes(rollout.service))
    .map((rollout) => ({ rollout, count: rollout.stableInstances }));
  await allDone(
    sides.map(async ({ rollout, count }) => {
      const { service, stable: revision } = rollout;
      if (revision !== null && isStopFirst(rollout)) {
        await prepare(world, course, { release, service }, signal);
        const held = await holdRequests(world, deployment, { service, release });
        if (held !== null && deployment.shifted > 0)
          await untilIdle(world, held, Math.min(course.drainMs, backIdleMs), signal);
        await stopOthers(world, course, { service, revision }, signal);
      }
      await startAgain(world, course, { release, service, count }, signal);
    }),
  );
  const checked = await verified(world, course, { release, sides, side: "stable" });
  for (const { rollout } of sides.filter((side) => isStopFirst(side.rollout)))
    await holdRequests(world, deployment, { service: rollout.service, release });
  const failure = await verify(world, checked, signal);
  if (failure !== null) return { is: "failed", failure };
  if (deployment.phase.is === "restoring" && deployment.phase.followedBy === "cleaning") {
    // No change of traffic follows that would tell the edge where stable runs now.
    const { spec } = await releaseView(world.store.db, release, course.environment);
    const { router, edge } = world.edges.of(spec.edge);
    await router.sync();
    await releaseRequests(world, course, edge);
  }
  return { is: "restored" };
}

/** A dozen seconds in all: a way back that is given up is the worst end there is, and meanwhile the candidate has its traffic. */
const startAgainAttempts = 8;
const startAgainMs = 100;

/**
 * What has run here before and is refused now may be refused for a moment only: a host out of memory, a daemon that restarts. A host that is
 * away holds nobody up, whatever the config says of it: users wait for stable, and the others have room for it.
 */
async function startAgain(
  world: World,
  course: Deployment["course"],
  side: Parameters<typeof scale>[2],
  signal: AbortSignal,
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await scale(world, course, side, signal, "left out");
    } catch (error) {
      signal.throwIfAborted();
      const mayPass = isSlipwayError(error) && ["START_FAILED", "PORT_TAKEN", "HOST_AWAY"].includes(error.code);
      if (!mayPass || attempt === startAgainAttempts) throw error;
      world.log.warn("restore.refused", { deployment: course.id, service: side.service, reason: error.message });
      await world.clock.sleep(startAgainMs * 2 ** (attempt - 1), signal);
    }
  }
}

async function clean(
  world: World,
  deployment: Deployment,
  failure: Failure,
  signal: AbortSignal,
): Promise<DeploymentEvent> {
  const { course } = deployment;
  const guilty = course.rollouts.find((rollout) => rollout.service === failure.service)?.candidate ?? null;
  const doubt = doubtOf(world, deployment, failure, signal);
  // It goes on beside the rest, and what ends that first has said enough.
  doubt.catch(() => {});
  const evidence =
    guilty === null
      ? []
      : await logEvidence(
          world,
          { revision: guilty, instance: failure.instance ?? null },
          await startOf(world, course.id),
        );
  await Promise.all(
    course.rollouts.map(async (rollout) => {
      const { candidate, service } = rollout;
      if (candidate === null) return;
      if (keepsCandidate(deployment, rollout))
        await stop(world, course, { release: course.release, service }, signal, "left out");
      else await world.targets.remove(candidate, signal);
    }),
  );
  await predecessorsAgain(world, course, signal);
  const said = await doubt;
  return said === null ? { is: "cleaned", evidence } : { is: "cleaned", evidence, doubt: said };
}

/** What an earlier attempt with the same release wrote is not of this one. */
async function startOf(world: World, id: Deployment["course"]["id"]): Promise<number> {
  const row = await world.store.db
    .selectFrom("deployment")
    .select("started_at")
    .where("id", "=", id)
    .executeTakeFirst();
  return row?.started_at ?? 0;
}

/** Made once: a reason that is made costs a stack each time. */
const decided = new Error("decided otherwise");

/** Runs the work until it has a result or a person asks something, whichever is first; the other is aborted. */
async function untilAsked(
  world: World,
  { course }: Deployment,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<DeploymentEvent>,
): Promise<DeploymentEvent | null> {
  const stop = new AbortController();
  const either = linkedSignal([signal, stop.signal]);
  const result = work(either.signal);
  const asked = someoneAsks(world, course.id, either.signal).then(() => null);
  try {
    return await Promise.race([result, asked]);
  } finally {
    stop.abort(decided);
    await Promise.allSettled([result, asked]);
    either.release();
  }
}
