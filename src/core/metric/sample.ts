import type { EpochMs } from "../ids.ts";
import type { Labels } from "./labels.ts";

/** Counters that were read together: each only rises, until what counts begins anew and all of them do. */
export type Tally = readonly number[];

/** One measurement. */
export type Sample = {
  /** As in the catalogue, or the name of a declared metric. */
  readonly metric: string;
  readonly labels: Labels;
  /** When it was taken, on the clock of whoever keeps it, which does not go back (`src/engine/metrics/time.ts`). */
  readonly at: EpochMs;
  /** A number; a truth as 1 or 0; or counters. */
  readonly value: number | Tally;
  /** How long it says something about now when no other follows: two and a half times the interval at which it is taken. */
  readonly holdMs: number;
};

/** A number that means something, and no negative counter. Everything else is refused, and what is refused is a gap. */
export function isSound(value: Sample["value"]): boolean {
  if (typeof value === "number") return Number.isFinite(value);
  return value.length > 0 && value.every((count) => Number.isFinite(count) && count >= 0);
}
