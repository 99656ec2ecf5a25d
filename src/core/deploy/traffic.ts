import type { ReleaseId, RevisionId, ServiceName } from "../ids.ts";
import {
  allTraffic,
  type Course,
  type Deployment,
  hasEnded,
  type Rollout,
  sharesTraffic,
  takesRequests,
} from "./deployment.ts";

/** A revision's part in a service's traffic. */
export type TrafficTarget = {
  readonly revision: RevisionId;
  readonly release: ReleaseId;
  /** Only instances with an index below this take requests; the others are being drained. */
  readonly instances: number;
  readonly weight: number;
  /** Runs without a share, and takes a request only when nothing weighted could. */
  readonly fallback: boolean;
};

/**
 * What the edge should do for one environment: which release's routes are in force, and who takes the requests of each
 * service. Recorded in the transaction that decides it, before the edge is told.
 */
export type Traffic = {
  /** Routes and policies come from this release's config; null when nothing is live. */
  readonly routesOf: ReleaseId | null;
  /** Also the routes that only this release has, as long as one of the two is not whole. */
  readonly keepsRoutesOf?: ReleaseId;
  /** Candidate first: a user in a hash bucket never goes back while the candidate's weight rises. */
  readonly services: Readonly<Record<ServiceName, readonly TrafficTarget[]>>;
};

export const noTraffic: Traffic = { routesOf: null, services: {} };

/** The traffic that a deployment's phase asks for. */
export function trafficOf(deployment: Deployment): Traffic {
  const { course, phase } = deployment;
  switch (phase.is) {
    case "starting":
    case "verifying":
    case "paused":
      // A first shift has not been asked for, or the one of the stage before is in force.
      return deployment.shifted === 0 ? stableTraffic(course) : stageTraffic(course, deployment.shifted - 1);
    case "shifting":
    case "draining":
    case "watching":
    case "waiting":
      return stageTraffic(course, phase.stage);
    case "baking":
    case "held":
    case "retiring":
    case "succeeded":
      return stageTraffic(course, course.stages.length - 1);
    case "restoring":
      return phase.followedBy === "cleaning" ? stableTraffic(course) : stageTraffic(course, deployment.shifted - 1);
    case "unshifting":
    case "cleaning":
    case "rolled-back":
    case "cancelled":
      return stableTraffic(course);
    case "rollback-failed":
      return deployment.shifted > 0 ? stableBeforeCandidate(course) : stableTraffic(course);
    case "failed":
      // With nothing to go back to, the only release there is stays.
      return course.stable === null && deployment.shifted > 0
        ? stageTraffic(course, course.stages.length - 1)
        : stableTraffic(course);
  }
}

/** Whether users may meet the candidate of a deployment under way: from its first share on, until stable is asked to have all again. */
export function isExposed({ phase, shifted }: Deployment): boolean {
  if (shifted === 0 || hasEnded(phase) || phase.is === "unshifting" || phase.is === "cleaning") return false;
  return phase.is !== "restoring" || phase.followedBy === "unshifting";
}

function stableTraffic(course: Course): Traffic {
  if (course.stable === null) return noTraffic;
  const release = course.stable;
  return traffic(release, course.rollouts, (rollout) =>
    rollout.stable === null || !takesRequests(rollout, "stable")
      ? []
      : [
          {
            revision: rollout.stable,
            release,
            instances: rollout.stableInstances,
            weight: allTraffic,
            fallback: false,
          },
        ],
  );
}

/** The candidate that could not be replaced still runs: it answers what stable cannot, until somebody has brought stable back. */
function stableBeforeCandidate(course: Course): Traffic {
  const taken = stableTraffic(course);
  const last = course.stages.at(-1);
  const services = Object.entries<readonly TrafficTarget[]>(taken.services).map(([service, targets]) => {
    const rollout = course.rollouts.find((each) => each.service === service);
    const instances = last?.[service as ServiceName]?.candidate ?? 0;
    if (rollout === undefined || rollout.candidate === null || !sharesTraffic(rollout) || instances === 0)
      return [service, targets] as const;
    const behind = { revision: rollout.candidate, release: course.release, instances, weight: 0, fallback: true };
    return [service, [...targets, behind]] as const;
  });
  return { ...taken, services: Object.fromEntries(services) };
}

/**
 * The traffic of a deployment that has not moved any yet, with what a way back before it has left running behind stable: while that
 * cannot answer, nobody else does. `isLeft`: whether a revision is such a one.
 */
export function withLeftBehind(taken: Traffic, recorded: Traffic, isLeft: (revision: RevisionId) => boolean): Traffic {
  const services = Object.entries<readonly TrafficTarget[]>(taken.services).map(([service, targets]) => {
    const left = (recorded.services[service as ServiceName] ?? []).filter(
      ({ revision, fallback }) =>
        fallback && isLeft(revision) && !targets.some((target) => target.revision === revision),
    );
    return [service, [...targets, ...left]] as const;
  });
  return { ...taken, services: Object.fromEntries(services) };
}

function stageTraffic(course: Course, stage: number): Traffic {
  const last = stage === course.stages.length - 1;
  const taken = traffic(course.release, course.rollouts, (rollout) => {
    const share = course.stages[stage]?.[rollout.service];
    if (share === undefined) throw new Error(`stage ${stage} has no share for ${rollout.service}`);
    const targets: TrafficTarget[] = [];
    const isTaken = takesRequests(rollout, "candidate");
    // In a canary some change over only with the last step.
    if (rollout.candidate !== null && isTaken && share.candidate > 0) {
      targets.push({
        revision: rollout.candidate,
        release: course.release,
        instances: share.candidate,
        weight: share.weight,
        fallback: false,
      });
    }
    // A service that the release drops, or makes a worker or a job of, keeps its traffic until the last stage.
    const stableWeight = isTaken ? allTraffic - share.weight : allTraffic;
    if (
      rollout.stable !== null &&
      course.stable !== null &&
      takesRequests(rollout, "stable") &&
      share.stable > 0 &&
      (isTaken || !last)
    ) {
      targets.push({
        revision: rollout.stable,
        release: course.stable,
        instances: share.stable,
        weight: stableWeight,
        fallback: stableWeight === 0,
      });
    }
    return targets;
  });
  // A canary shows a share of the requests the new code, and nobody the new config: addresses that only the candidate has are
  // there at once, because its other services may need them; all else stays as stable has it until the last step.
  if (course.canary !== undefined && !last && course.stable !== null)
    return { ...taken, routesOf: course.stable, keepsRoutesOf: course.release };
  // Going back restores the config at once; going on, nobody loses an address before all that comes instead is there.
  return last || course.stable === null || course.proven ? taken : { ...taken, keepsRoutesOf: course.stable };
}

function traffic(
  routesOf: ReleaseId,
  rollouts: readonly Rollout[],
  targets: (rollout: Rollout) => TrafficTarget[],
): Traffic {
  const services: Record<ServiceName, readonly TrafficTarget[]> = {};
  for (const rollout of rollouts) {
    const list = rollout.routed ? targets(rollout) : [];
    if (list.length > 0) services[rollout.service] = list;
  }
  return { routesOf, services };
}

/** Whether a revision is one of those that the edge sends requests to. */
export function takesTraffic({ services }: Traffic, revision: RevisionId): boolean {
  return Object.values<readonly TrafficTarget[]>(services).some((targets) =>
    targets.some((each) => each.revision === revision),
  );
}

/** Brings a release that is at rest to its traffic: what an environment's row says between deployments. */
export function releasesAtFullTraffic(traffic: Traffic): ReleaseId[] {
  const full = Object.values<readonly TrafficTarget[]>(traffic.services).flatMap((targets) =>
    targets.filter((target) => target.weight === allTraffic).map((target) => target.release),
  );
  return [...new Set(full)];
}
