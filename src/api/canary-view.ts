import type { StepEnd } from "../core/deploy/deployment.ts";
import type { EpochMs } from "../core/ids.ts";

/** Weights are hundredths of a percent. */
export type CanaryView = {
  /** Each with how it ended; null while it has not. */
  readonly steps: readonly { readonly weight: number; readonly end: StepEnd | null }[];
  /** The one, from 1, that has the traffic; null before the first, and when all traffic is on the candidate. */
  readonly step: number | null;
  /** While a step is watched: at least until then, and how long in all. */
  readonly watchedUntil: EpochMs | null;
  readonly watchMs: number | null;
  /** What it waits for; null while it goes on by itself. */
  readonly waits: { readonly for: "resume" | "promotion" | "evidence" | "gates"; readonly why: string } | null;
};
