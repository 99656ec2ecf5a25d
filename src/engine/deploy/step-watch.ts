import type { StepLook } from "../../core/deploy/step.ts";
import { type Counts, noCounts, since } from "../../core/judge/counts.ts";
import { judgeErrorRatio } from "../../core/judge/error-ratio.ts";
import type { Verdict } from "../../core/judge/verdict.ts";
import type { RolloutSpec } from "../../core/product/spec.ts";
import type { InstanceStatus } from "../../ports/target.ts";
import type { Baked, BakeWorld } from "./bake.ts";
import { Synthetic } from "./synthetic.ts";

/** What a step of a canary asks for besides its time. */
export type StepWatch = {
  /** Requests of each service. */
  readonly minimum: number;
  /** How far errors may be above stable's share; null where they are not judged. */
  readonly margin: number | null;
  /** How long it goes on beyond its time while something is missing. */
  readonly limitMs: number;
  readonly synthetic: { readonly path: string; readonly perSecond: number } | null;
};

export type StepMarks = { readonly candidate: Counts; readonly stable: Counts };

/** Requests of our own to those that users send too few; null where the config asks for none. */
export function sendSynthetic(
  world: BakeWorld,
  services: readonly Baked[],
  step: StepWatch | null,
  { instances, signal }: { instances(service: Baked): readonly InstanceStatus[]; readonly signal: AbortSignal },
): Synthetic | null {
  if (step === null || step.synthetic === null) return null;
  const synthetic = new Synthetic(world, step.synthetic, signal);
  for (const service of services.filter(({ routed }) => routed)) {
    void synthetic.keepAsking({
      revision: service.revision,
      instances: () => instances(service),
      isWanted: () => countsIn(world.counts, service).candidate.requests < step.minimum,
    });
  }
  return synthetic;
}

/**
 * Our own requests, by a fixed bound. They stand in for users' where those are too few to judge by, but not where those few
 * went badly: many good answers to us must not drown a few bad ones to them.
 */
export function judgeSynthetic(
  counts: BakeWorld["counts"],
  service: Baked,
  rules: RolloutSpec["rules"],
  sent: Counts,
): Verdict | null {
  if (rules.errorRatio === null || sent.requests === 0) return null;
  const { candidate, stable } = countsIn(counts, service);
  const own = judgeErrorRatio(candidate, stable ?? noCounts, { ...rules.errorRatio, minimum: 1 });
  if (own.is === "fail") return { is: "inconclusive", why: `${service.service}: ${own.why}, too few to judge by` };
  const verdict = judgeErrorRatio(sent, stable ?? noCounts, rules.errorRatio);
  return { ...verdict, why: `${service.service}: of Slipway's own requests ${verdict.why}` };
}

/** What both sides answered in the step; outside of one, since the candidate came. */
export function countsIn(
  counts: BakeWorld["counts"],
  service: Baked,
): Omit<NonNullable<StepLook["counts"]>, "synthetic"> {
  const marks = service.stepMarks ?? { candidate: service.mark, stable: service.stableMark };
  const { revision, stable } = service;
  return {
    candidate: since(counts.counted(revision).counts, marks.candidate),
    stable: stable === null ? null : since(counts.counted(stable).counts, marks.stable),
  };
}
