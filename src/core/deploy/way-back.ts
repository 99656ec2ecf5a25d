import type { EpochMs } from "../ids.ts";
import { withLastStep } from "./canary.ts";
import { stay, to } from "./decision.ts";
import {
  type Decision,
  type Deployment,
  type Failure,
  type Phase,
  type Rollout,
  serves,
  type Undoing,
  type Undone,
} from "./deployment.ts";

/** The way back from any phase before an end, as one unit over all services. */
export function undo(wrong: Deployment, how: Undone["is"], failure: Failure, now: EpochMs, reason: string): Decision {
  // Going back waits for nobody.
  const { holdFor: _, ...held } = wrong;
  const deployment = withLastStep(held, how, reason, now);
  const { course, phase } = deployment;
  if (phase.is === "restoring" || phase.is === "unshifting" || phase.is === "cleaning") {
    return stay(wrong, "it is going back already");
  }
  const seen: Deployment = { ...deployment, detectedAt: deployment.detectedAt ?? now };
  if (deployment.shifted === 0) return undoBeforeTraffic(seen, { is: how, failure }, reason);
  if (course.stable === null) {
    return to(seen, { is: "failed", failure }, `${reason}; nothing was live before, so it stays`);
  }
  const end = { is: how === "cancelled" ? "cancelled" : "rolled-back", failure } as const;
  // Going back is one change of weights when what takes requests still has all its instances.
  const services = notWhole(deployment)
    .filter((rollout) => serves(rollout, "stable"))
    .map((rollout) => rollout.service);
  return services.length === 0
    ? to(seen, { is: "unshifting", end }, `${reason}; taking traffic back to stable`)
    : to(
        seen,
        { is: "restoring", services, followedBy: "unshifting", end },
        `${reason}; starting stable's instances again`,
      );
}

/** What was stopped first must run again; the rest of stable was never touched. */
export function undoBeforeTraffic(deployment: Deployment, end: Undone, reason: string): Decision {
  const services = deployment.stopped ?? [];
  return services.length === 0
    ? to(deployment, { is: "cleaning", end }, reason)
    : to(
        deployment,
        { is: "restoring", services, followedBy: "cleaning", end },
        `${reason}; starting ${services.join(", ")} again as before`,
      );
}

export function onRestored(deployment: Deployment, phase: Extract<Phase, { is: "restoring" }>, now: EpochMs): Decision {
  const reason = `${phase.services.join(", ")}: stable runs again`;
  if (phase.followedBy === "unshifting") return to(deployment, { is: "unshifting", end: phase.end }, reason);
  // Without a traffic to take back, this was all there was to restore.
  return to({ ...deployment, restoredAt: deployment.restoredAt ?? now }, { is: "cleaning", end: phase.end }, reason);
}

/** Traffic is back, which was the hurry; then what takes no requests (workers) and had been stopped. */
export function onUnshifted(deployment: Deployment, end: Undoing): Decision {
  const services = notWhole(deployment)
    .filter((rollout) => !serves(rollout, "stable"))
    .map((rollout) => rollout.service);
  const reason = "all traffic is back on stable";
  return services.length === 0
    ? to(deployment, { is: "cleaning", end }, reason)
    : to(
        deployment,
        { is: "restoring", services, followedBy: "cleaning", end },
        `${reason}; starting ${services.join(", ")} again`,
      );
}

/**
 * The services whose stable side a stage has, or may have, stopped in part; or that was stopped for the next one. A stage stops its part only
 * when its traffic has moved: called off before that, there is nothing to start again, and going back is one change of weights.
 */
export function notWhole({ course, shifted, stopped = [], phase }: Deployment): Rollout[] {
  const stage = course.stages[(phase.is === "shifting" ? phase.stage : shifted) - 1];
  return course.rollouts.filter(
    ({ service, stable, stableInstances }) =>
      stable !== null &&
      ((stage !== undefined && stage[service]?.stable !== stableInstances) || stopped.includes(service)),
  );
}
