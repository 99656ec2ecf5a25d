import { above, type Histogram } from "./slow.ts";
import { lnBeta, lnLikelihood } from "./special.ts";
import type { Tally } from "./tally.ts";

export type Interval = { readonly low: number; readonly high: number };

/**
 * The shares that are not ruled out, at any time at once: with a chance of at least `1 - alpha` the true share is in all of the
 * intervals that are ever looked at. Mixture over Jeffreys' prior (H. Robbins, Ann. Math. Statist. 41, 1970).
 */
export function shareInterval(tally: Tally, alpha: number): Interval {
  const { seen, bad } = tally;
  if (seen === 0) return { low: 0, high: 1 };
  const lnLeast = lnBeta(bad + 0.5, seen - bad + 0.5) - lnBeta(0.5, 0.5) - Math.log(1 / alpha);
  const excluded = (share: number) => lnLikelihood(tally, share) < lnLeast;
  const middle = bad / seen;
  return { low: bad === 0 ? 0 : edge(excluded, 0, middle), high: bad === seen ? 1 : edge(excluded, 1, middle) };
}

/** Where being excluded ends, between a share that is and one that is not. */
function edge(excluded: (share: number) => boolean, outside: number, inside: number): number {
  let [out, within] = [outside, inside];
  for (let halving = 0; halving < 50; halving += 1) {
    const at = (out + within) / 2;
    if (excluded(at)) out = at;
    else within = at;
  }
  return out;
}

/**
 * Between which bounds the quantile surely is, at any time at once; null where it may be above the last bound. In ms, as wide as
 * the buckets at least. Fixed quantile, as `bucketCases` has it.
 */
export function quantileInterval(
  histogram: Histogram,
  bounds: readonly number[],
  { quantile, alpha }: { readonly quantile: number; readonly alpha: number },
): { readonly lowMs: number; readonly highMs: number | null } {
  let [lowMs, highMs]: [number, number | null] = [0, null];
  bounds.forEach((bound, index) => {
    const { low, high } = shareInterval(above(histogram, index), alpha / 2);
    if (low > 1 - quantile) lowMs = bound;
    if (highMs === null && high <= 1 - quantile) highMs = bound;
  });
  return { lowMs, highMs };
}
