import type { ServiceName } from "../ids.ts";
import type { EdgeSpec, ServiceSpec } from "../product/spec.ts";
import type { Course, Rollout } from "./deployment.ts";

/** Who waits for two minutes has given up: proxies and clients commonly do after one. */
const maxHoldMs = 120_000;

/** Requests of one service that wait at the edge at once; the others get 503. */
export const maxHeld = 1_000;

/**
 * From a deadline that has passed until the way back holds requests itself: the verdict, a commit, and a look whether stable's image is
 * there. Measured in milliseconds; much more, because a host that is slow is why many a deadline passes.
 */
const wayBackMs = 30_000;

/**
 * How long requests wait while a service is stopped and the other side of it starts. Longer than the start may take: who waited for
 * one that never becomes healthy is answered by the side that comes back, and who came last has no error meanwhile.
 */
export function holdMs({ health }: Pick<ServiceSpec, "health">): number {
  return Math.min(health.deadlineMs + wayBackMs, maxHoldMs);
}

/** Whether a start may take longer than anybody waits: from then on requests get 503. */
export function outlastsHold({ health }: Pick<ServiceSpec, "health">): boolean {
  return health.deadlineMs + wayBackMs > maxHoldMs;
}

/** As the drivers' `can.hold`, for a plan, which asks nobody: a Caddy on another machine cannot make requests wait. */
export function canHold({ driver, server }: Pick<EdgeSpec, "driver" | "server">): boolean {
  return driver === "embedded" || server === null;
}

/** Of these services those whose stable side stops before the candidate's first instances start in this stage. */
export function stopping(
  { rollouts, stages }: Course,
  { stage, services }: { readonly stage: number; readonly services: readonly ServiceName[] },
): ServiceName[] {
  const startsIn = (service: ServiceName): boolean =>
    (stages[stage]?.[service]?.candidate ?? 0) > 0 && (stages[stage - 1]?.[service]?.candidate ?? 0) === 0;
  return rollouts
    .filter((rollout) => isStopFirst(rollout) && services.includes(rollout.service) && startsIn(rollout.service))
    .map((rollout) => rollout.service);
}

/** Both sides exist, and never run at the same time. */
export function isStopFirst({ stopFirst, candidate, stable }: Rollout): boolean {
  return stopFirst !== undefined && candidate !== null && stable !== null;
}
