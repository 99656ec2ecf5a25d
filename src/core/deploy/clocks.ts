import type { EpochMs } from "../ids.ts";
import type { Deployment } from "./deployment.ts";

/** What the clocks of a machine show at one moment. */
export type Clocks = {
  readonly wallMs: EpochMs;
  /** Never set by anybody; comparable with another reading of the same `boot` only. */
  readonly steadyMs: number;
  /** Names the origin of `steadyMs`: one start of a machine. */
  readonly boot: string;
};

/** Notes when it was recorded, where the phase has an end that is to come: what sets the wall clock from now on can be told. */
export function dated({ datedAt: _, ...deployment }: Deployment, clocks: Clocks): Deployment {
  const { is } = deployment.phase;
  return is === "baking" || is === "watching" ? { ...deployment, datedAt: clocks } : deployment;
}

/**
 * The deployment with the end of its watch where the wall clock will show it then, however that was set since it was recorded:
 * forward must not end a watch early, and back must not stretch it. Another boot has other milliseconds: then the end stays.
 */
export function redated(deployment: Deployment, clocks: Clocks): Deployment {
  const { phase, datedAt } = deployment;
  if (datedAt === undefined || datedAt.boot !== clocks.boot) return deployment;
  if (phase.is !== "baking" && phase.is !== "watching") return deployment;
  const setByMs = Math.round(clocks.wallMs - datedAt.wallMs - (clocks.steadyMs - datedAt.steadyMs));
  // Less is rounding, or the slow correction of a clock that is a little wrong.
  if (Math.abs(setByMs) <= toleratedMs) return deployment;
  return { ...deployment, phase: { ...phase, until: phase.until + setByMs }, datedAt: clocks };
}

const toleratedMs = 2;
