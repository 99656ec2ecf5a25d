import type { ServiceName } from "../ids.ts";
import { limitOf } from "./canary.ts";
import type { Course, Deployment, Effect } from "./deployment.ts";
import { stopping } from "./stop-first.ts";

/** What the phase asks to be done; null at an end. A pure function of the state, so a restart knows what was pending. */
export function effectOf(deployment: Deployment): Effect | null {
  const { phase, course } = deployment;
  switch (phase.is) {
    case "starting":
      return startOf(course, phase);
    case "verifying":
      return { do: "verify", stage: phase.stage, services: wave(course, phase) };
    case "paused":
      return { do: "await-resume" };
    case "shifting":
    case "unshifting":
      return { do: "shift" };
    case "draining":
      return { do: "drain", stage: phase.stage };
    case "baking":
      return { do: "watch", until: phase.until };
    case "held":
      return { do: "watch", until: null };
    case "waiting":
      return phase.for.is === "gates"
        ? { do: "await-gates", stage: phase.stage, wait: phase.for }
        : { do: "watch", until: null };
    case "watching":
      return { do: "watch-step", stage: phase.stage, until: phase.until, limit: phase.until + limitOf(course) };
    case "retiring":
      return { do: "retire" };
    case "restoring":
      return { do: "restore", services: phase.services };
    case "cleaning":
      return { do: "clean", failure: phase.end.failure };
    default:
      return null;
  }
}

/** The start of one wave, with what has to stop before it. */
export function startOf(course: Course, at: At): Extract<Effect, { do: "start" }> {
  const services = wave(course, at);
  return { do: "start", stage: at.stage, services, stopping: stopping(course, { stage: at.stage, services }) };
}

export type At = { readonly stage: number; readonly wave: number };

/** The services that start together. */
export function wave(course: Course, at: At): readonly ServiceName[] {
  if (at.stage === 0) return course.waves[at.wave] ?? [];
  return course.rollouts
    .filter((rollout) => rollout.candidate !== null && rollout.kind !== "job")
    .map((rollout) => rollout.service);
}
