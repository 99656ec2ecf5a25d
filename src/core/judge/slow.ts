import type { StableCase } from "./alone.ts";
import type { Direction } from "./guesses.ts";
import { lnMixture, lnMost, lnSum, pastOdds } from "./past.ts";
import type { Tally } from "./tally.ts";

/** Answers by how long they took: how many in each bucket, one more bucket than there are bounds. */
export type Histogram = readonly number[];

/** How much slower a candidate may be: so many times stable, and by so many ms at least. */
export type Slowness = { readonly factor: number; readonly floorMs: number };

export function total(histogram: Histogram): number {
  return histogram.reduce((sum, count) => sum + count, 0);
}

/** All answers, and those above bound number `index`; an index of -1 is no time at all, which every answer takes. */
export function above(histogram: Histogram, index: number): Tally {
  let [seen, bad] = [0, 0];
  histogram.forEach((count, bucket) => {
    seen += count;
    if (bucket > index) bad += count;
  });
  return { seen, bad };
}

/** The bucket that holds the quantile. */
export function bucketOf(histogram: Histogram, quantile: number): number {
  const wanted = quantile * total(histogram);
  let sum = 0;
  for (let bucket = 0; bucket < histogram.length; bucket += 1) {
    sum += histogram[bucket] as number;
    if (sum >= wanted && sum > 0) return bucket;
  }
  return histogram.length - 1;
}

/** Bounds are rounded numbers: twice 79.4 ms is 158 ms, not the bound above it. */
const rounding = 0.01;

/** The first bound at which a candidate is too slow whose stable takes up to bound `index`; null when there is none. */
export function limitAbove(bounds: readonly number[], index: number, { factor, floorMs }: Slowness): number | null {
  const stable = index < 0 ? 0 : bounds[index];
  if (stable === undefined) return null;
  const limit = bounds.findIndex((bound) => bound >= Math.max(stable * factor, stable + floorMs) * (1 - rounding));
  return limit < 0 ? null : limit;
}

/** The last bound at which a candidate is fast enough whose stable takes more than bound `index`; null when there is none. */
function limitBelow(bounds: readonly number[], index: number, { factor, floorMs }: Slowness): number | null {
  const stable = index < 0 ? 0 : (bounds[index] as number);
  const limit = bounds.findLastIndex((bound) => bound <= Math.max(stable * factor, stable + floorMs) * (1 + rounding));
  return limit < 0 ? null : limit;
}

/**
 * Every bucket that stable's quantile may be in. In the true one, a candidate whose quantile is not beyond the limit has a share
 * of `1 - quantile` above that bucket's limit at most, so that no other share of stable's has to be guessed: a comparison of
 * quantiles at a fixed quantile, as in section 4 of M. Lindon, C. Sanden, V. Shirikian, arXiv:2205.14762, without the width that
 * a band over all quantiles costs.
 */
export function bucketCases(
  past: { readonly recent: Histogram; readonly older: Histogram },
  bounds: readonly number[],
  rule: {
    readonly quantile: number;
    readonly slowness: Slowness;
    readonly alpha: number;
    readonly direction: Direction;
  },
): readonly StableCase[] {
  const allowed = 1 - rule.quantile;
  const cases: StableCase[] = [];
  for (let bucket = 0; bucket <= bounds.length; bucket += 1) {
    const lnAgainst = lnAgainstBucket(past, bucket, allowed);
    if (lnAgainst >= Math.log(pastOdds / rule.alpha)) continue;
    const limit =
      rule.direction === "worse"
        ? limitAbove(bounds, bucket, rule.slowness)
        : limitBelow(bounds, bucket - 1, rule.slowness);
    // Beyond what the buckets tell apart: nothing is ever proven in this case.
    const open = { lnAgainst, allowed: rule.direction === "worse" ? 1 : 0, tally: bounds.length };
    cases.push(limit === null ? open : { lnAgainst, allowed, tally: limit });
  }
  return cases;
}

/** Were the quantile in it, more than `allowed` would be above its lower end, and no more than that above its upper one. */
function lnAgainstBucket(
  past: { readonly recent: Histogram; readonly older: Histogram },
  bucket: number,
  allowed: number,
): number {
  const lower = { recent: above(past.recent, bucket - 1), older: above(past.older, bucket - 1) };
  const upper = { recent: above(past.recent, bucket), older: above(past.older, bucket) };
  const lnLower = lnMixture(lower) - lnMost(lower.recent, allowed, 1);
  const lnUpper = lnMixture(upper) - lnMost(upper.recent, 0, allowed);
  return lnSum([lnLower, lnUpper]) - Math.log(2);
}
