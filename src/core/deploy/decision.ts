import type { Decision, Deployment, DeploymentEvent, Phase } from "./deployment.ts";
import { type At, effectOf, startOf } from "./effects.ts";

export function to(deployment: Deployment, phase: Phase, reason: string): Decision {
  const next = { ...deployment, phase };
  const effect = effectOf(next);
  return { next, effects: effect === null ? [] : [effect], reason };
}

export function stay(deployment: Deployment, reason: string): Decision {
  const effect = effectOf(deployment);
  return { next: deployment, effects: effect === null ? [] : [effect], reason };
}

export function unexpected(deployment: Deployment, event: DeploymentEvent): Decision {
  return stay(deployment, `${event.is} does not belong to ${deployment.phase.is}; ignored`);
}

export function start(deployment: Deployment, at: At, reason: string): Decision {
  return to(withStopped(deployment, at), { is: "starting", ...at }, reason);
}

/** Counted before it is done: after a crash in between, stable may have been stopped already. */
export function withStopped(deployment: Deployment, at: At): Deployment {
  const stopped = [...new Set([...(deployment.stopped ?? []), ...startOf(deployment.course, at).stopping])];
  return stopped.length === 0 ? deployment : { ...deployment, stopped };
}
