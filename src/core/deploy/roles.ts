import type { RevisionId } from "../ids.ts";
import type { Deployment, Rollout } from "./deployment.ts";

/** `candidate` and `stable` run; `warm` runs without traffic; `stopped` can be started again; `removed` is gone. */
export type Role = "candidate" | "stable" | "warm" | "stopped" | "removed";

/** What each revision of a deployment is in its phase. */
export function rolesOf({ course, phase, shifted }: Deployment): Map<RevisionId, Role> {
  const roles = new Map<RevisionId, Role>();
  const last = course.stages.at(-1);
  for (const rollout of course.rollouts) {
    const job = rollout.kind === "job";
    if (rollout.candidate !== null) {
      const role = candidateRole({ is: phase.is, job, kept: course.stable === null && shifted > 0 });
      roles.set(rollout.candidate, role === "removed" && keepsCandidate({ course, phase }, rollout) ? "stopped" : role);
    }
    if (rollout.stable === null) continue;
    const succeeded = phase.is === "succeeded";
    const running = (last?.[rollout.service]?.stable ?? 0) > 0;
    roles.set(rollout.stable, succeeded ? (running ? "warm" : "stopped") : "stable");
  }
  return roles;
}

/**
 * Whether what there was of the release before stays when it is not live: its attempt was called off, which says nothing against it,
 * and a rollback may go to it.
 */
export function keepsCandidate(
  { course, phase }: Pick<Deployment, "course" | "phase">,
  { kind }: Pick<Rollout, "kind">,
): boolean {
  const end = phase.is === "cleaning" ? phase.end.is : phase.is;
  return end === "cancelled" && course.kept === true && kind !== "job";
}

function candidateRole(at: {
  readonly is: Deployment["phase"]["is"];
  readonly job: boolean;
  readonly kept: boolean;
}): Role {
  switch (at.is) {
    case "succeeded":
      // It has done its work, and would not do it again if it were found the next time.
      return at.job ? "removed" : "stable";
    case "failed":
      if (!at.kept) return "removed";
      return at.job ? "stopped" : "stable";
    case "rolled-back":
    case "cancelled":
      return "removed";
    // It still runs, and is stopped when the next release has succeeded.
    case "rollback-failed":
      return at.job ? "stopped" : "candidate";
    default:
      return "candidate";
  }
}
