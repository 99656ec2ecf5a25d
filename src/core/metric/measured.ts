import type { EpochMs } from "../ids.ts";

/**
 * What a window says. *Unknown* is an answer of its own: nothing was measured there, which is neither zero nor good. A known
 * answer says how much it rests on; whether that is enough is for a rule to decide.
 */
export type Measured =
  | {
      readonly is: "known";
      readonly value: number;
      /** What it is of: requests for a ratio or a latency, samples for everything else. */
      readonly count: number;
      /** The share of the window, 0 to 1, in which somebody looked. */
      readonly covered: number;
      /** Time of the oldest and the newest thing in it. */
      readonly from: EpochMs;
      readonly to: EpochMs;
    }
  | { readonly is: "unknown"; readonly why: string };

export type Window = { readonly from: EpochMs; readonly to: EpochMs };

/**
 * How a window becomes one number. `avg`: by time, so each sample counts as long as it held; of a truth it is the share of time in
 * which it was true. `rate`: a second. `ratio`, `quantile`: of things counted together.
 */
export type Take = "last" | "avg" | "min" | "max" | "sum" | "increase" | "rate" | "ratio" | "quantile";

export const unknown = (why: string): Measured => ({ is: "unknown", why });
