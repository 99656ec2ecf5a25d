import {
  allTraffic,
  type Deployment,
  type DeploymentEvent,
  type Rollout,
  takesRequests,
} from "../../core/deploy/deployment.ts";
import type { EpochMs, ReleaseId, ServiceName } from "../../core/ids.ts";
import { noCounts } from "../../core/judge/counts.ts";
import type { HostsAway } from "../../ports/target.ts";
import { releaseView } from "../release/read.ts";
import type { World } from "../world.ts";
import { type Baked, type BakeEnd, type BakeInput, bake } from "./bake.ts";
import { revisionSpec } from "./revision-spec.ts";
import type { Verified } from "./verify.ts";

type Scaled = { readonly release: ReleaseId; readonly service: ServiceName; readonly count: number };

/** Brings one service of a release to so many instances; none stops it and keeps what a start needs. Hosts that are away: as configured. */
export async function scale(
  world: World,
  course: Deployment["course"],
  { release, service, count }: Scaled,
  signal: AbortSignal,
  hostsAway?: HostsAway,
): Promise<void> {
  const view = await releaseView(world.store.db, release, course.environment);
  await world.targets.of(view.spec.target).ensure(await revisionSpec(world, view, service), count, signal, hostsAway);
}

/**
 * Has everything brought that a start needs: images pulled, archives unpacked. Before something has to stop or wait for that start.
 * A revision that is there, running or not, has it.
 */
export async function prepare(
  world: World,
  course: Deployment["course"],
  side: Omit<Scaled, "count">,
  signal: AbortSignal,
): Promise<void> {
  const { target, spec, isThere } = await found(world, course, side);
  // Asked for none, a target would stop what runs of it: after a crash that may be this deployment's own.
  if (!isThere) await target.ensure(spec, 0, signal);
}

/**
 * Stops all instances of one service of a release, and keeps it. Does nothing where it is not there. Hosts that are away: as configured,
 * or left out, where it is only too much: the keeper stops it there when they are back.
 */
export async function stop(
  world: World,
  course: Deployment["course"],
  side: Omit<Scaled, "count">,
  signal: AbortSignal,
  hostsAway?: HostsAway,
): Promise<void> {
  const { target, spec, isThere } = await found(world, course, side);
  // What is not there would be prepared for a start.
  if (isThere) await target.ensure(spec, 0, signal, hostsAway);
}

async function found(world: World, course: Deployment["course"], { release, service }: Omit<Scaled, "count">) {
  const view = await releaseView(world.store.db, release, course.environment);
  const target = world.targets.of(view.spec.target);
  const spec = await revisionSpec(world, view, service);
  return { target, spec, isThere: (await target.observe({ revision: spec.id })).length > 0 };
}

/**
 * Waits for all, then rejects with the first failure. Nothing goes on behind the back of what comes next: a side that still
 * starts would meet the one that is started in its place.
 */
export async function allDone(work: readonly Promise<unknown>[]): Promise<void> {
  const results = await Promise.allSettled(work);
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

type Sides = {
  readonly release: ReleaseId;
  readonly sides: readonly { readonly rollout: Rollout; readonly count: number }[];
  readonly side: "candidate" | "stable";
};

/** What is healthy for one side of some rollouts, and how many instances of it there should be. */
export async function verified(
  world: World,
  course: Deployment["course"],
  { release, sides, side }: Sides,
): Promise<Verified[]> {
  const { spec } = await releaseView(world.store.db, release, course.environment);
  return sides.flatMap(({ rollout, count }) => {
    const service = spec.services[rollout.service];
    const revision = rollout[side];
    if (service === undefined || revision === null) return [];
    const health =
      course.proven && service.health.path === null ? { ...service.health, startPeriodMs: 0 } : service.health;
    return [{ revision, service: rollout.service, health, instances: count, kind: service.kind }];
  });
}

/** Watches all candidates by the rules of their release, until `until` or for ever. */
export async function bakeCandidates(
  world: World,
  deployment: Deployment,
  until: number | null,
  signal: AbortSignal,
): Promise<BakeEnd> {
  const { spec } = await releaseView(world.store.db, deployment.course.release, deployment.course.environment);
  const endsEarly = spec.rollout.endEarly === "always";
  return watchCandidates(world, deployment, { until, bakeMs: deployment.course.bakeMs, endsEarly }, signal);
}

/** The same in a step of a canary, at its weight. */
export async function watchCandidateStep(
  world: World,
  deployment: Deployment,
  { stage, until, limit }: { readonly stage: number; readonly until: EpochMs; readonly limit: EpochMs },
  signal: AbortSignal,
): Promise<BakeEnd> {
  const { course } = deployment;
  const { spec } = await releaseView(world.store.db, course.release, course.environment);
  const { minimum = 0, synthetic = null } = spec.rollout.canary ?? {};
  const margin = spec.rollout.rules.errorRatio?.margin ?? null;
  const step = { minimum, margin, synthetic, limitMs: limit - until };
  const bakeMs = course.canary?.steps[stage]?.bakeMs ?? 0;
  const endsEarly = spec.rollout.endEarly !== undefined;
  return watchCandidates(world, deployment, { until, bakeMs, step, endsEarly }, signal);
}

async function watchCandidates(
  world: World,
  deployment: Deployment,
  time: Pick<BakeInput, "until" | "bakeMs" | "step" | "endsEarly">,
  signal: AbortSignal,
): Promise<BakeEnd> {
  const { course } = deployment;
  const { spec } = await releaseView(world.store.db, course.release, course.environment);
  const stage = Math.max(0, deployment.shifted - 1);
  const sides = course.rollouts.map((rollout) => ({
    rollout,
    count: course.stages[stage]?.[rollout.service]?.candidate ?? 0,
  }));
  const checked = await verified(world, course, { release: course.release, sides, side: "candidate" });
  const judged = course.rollouts.filter((rollout) => takesRequests(rollout, "candidate")).length;
  // In a canary some come only with its last step.
  const there = checked.filter(({ instances }) => instances > 0);
  const services = there.map((service): Baked => {
    const rollout = course.rollouts.find((each) => each.service === service.service);
    const routed = rollout !== undefined && takesRequests(rollout, "candidate");
    const mark = deployment.marks[service.revision] ?? noCounts;
    const stable = rollout?.stable ?? null;
    const stableMark = (stable === null ? undefined : deployment.marks[stable]) ?? noCounts;
    const share = course.stages[stage]?.[service.service];
    const stableServes = stable !== null && (share?.weight ?? allTraffic) < allTraffic;
    const judge = world.judges.of(course.id, service.revision, { rollout: spec.rollout, services: judged });
    const stepMarks = stepMarksOf(deployment, { revision: service.revision, stable });
    return { ...service, stable, stableMark, stableServes, routed, mark, judge, ...stepMarks };
  });
  const since = deployment.shiftedAt ?? deployment.liveAt ?? world.clock.now();
  const { counts } = world.edges.of(spec.edge);
  return bake({ ...world, counts }, { services, rules: spec.rollout.rules, since, ...time }, signal);
}

function stepMarksOf(
  { stepMarks }: Deployment,
  { revision, stable }: Pick<Baked, "revision" | "stable">,
): Pick<Baked, "stepMarks"> {
  const candidate = stepMarks?.[revision];
  if (candidate === undefined) return {};
  return { stepMarks: { candidate, stable: (stable === null ? undefined : stepMarks?.[stable]) ?? noCounts } };
}

/** The rules without an end: resolves only with a failure. */
export function watchOnly(world: World, deployment: Deployment): (signal: AbortSignal) => Promise<DeploymentEvent> {
  return async (signal) => {
    if (deployment.shifted === 0) return never(signal);
    const result = await bakeCandidates(world, deployment, null, signal);
    if ("note" in result || "missing" in result) throw new Error("a watch without an end has ended well");
    return { is: "failed", failure: result };
  };
}

/** Rejects with the signal's reason, and does nothing before. */
export function never(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) return reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
