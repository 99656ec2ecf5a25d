import { type Counts, noCounts, since } from "./counts.ts";
import { type Direction, directions } from "./guesses.ts";
import { shareCases } from "./past.ts";
import { isProven, leaveAlone, openShare, type ShareTest, seeBoth, seeCandidate } from "./share.ts";
import { above, bucketCases, bucketOf, type Histogram, limitAbove, type Slowness, total } from "./slow.ts";
import type { Tally } from "./tally.ts";

/** What a service's candidate is held to. */
export type ComparisonRules = {
  /** How often a candidate that is no worse may be found worse, for this service in this deployment. 0 to 1. */
  readonly alpha: number;
  /**
   * How far its error ratio may be above stable's, and how many requests have to be seen. `coldMargin`: how far while it becomes warm;
   * absent where it has no time for that.
   */
  readonly errorRatio: { readonly margin: number; readonly minimum: number; readonly coldMargin?: number } | null;
  /** How much slower its quantiles may be, and how many answers of each side have to be seen. */
  readonly latency: (Slowness & { readonly quantiles: readonly number[]; readonly minimum: number }) | null;
  /** How much of the bets is on the time when stable has no traffic: 1 for blue-green, which has no other. */
  readonly onAlone: number;
};

/** What a revision was counted for, in all. */
export type Counted = { readonly counts: Counts; readonly latency: Histogram };

export const nothingCounted: Counted = { counts: noCounts, latency: [] };

/** One look at both sides. */
export type Look = {
  readonly candidate: Counted;
  /** Null where nothing was live before. */
  readonly stable: {
    readonly now: Counted;
    /** Where its recent past begins. */
    readonly before: Counted;
    /** Whether it has a share of the traffic now. */
    readonly serves: boolean;
  } | null;
  /** False while a candidate that has just started may be slow: answers are then not judged by how long they took. */
  readonly isWarm: boolean;
  /** False while its errors are held against the margin for what is cold. */
  readonly isSettled: boolean;
};

/** One quantile: answers above `limit` are too slow where stable's are above `own` as seldom as the quantile says. */
export type QuantileTest = {
  readonly quantile: number;
  readonly own: number;
  readonly limit: number;
  readonly test: ShareTest;
};

/** Everything that has been seen and found out of one service's candidate. Plain data: it may be kept and taken up again. */
export type Comparison = {
  readonly rules: ComparisonRules;
  /** Of the histograms' buckets, in ms. */
  readonly bounds: readonly number[];
  readonly last: { readonly candidate: Counted; readonly stable: Counted };
  /** What was judged: the candidate since the mark, the part of it since stable has no traffic, stable beside it. */
  readonly seen: { readonly candidate: Counted; readonly alone: Counted; readonly beside: Counted };
  /** Stable before: what was compared with, for a person. Null without a stable side. */
  readonly past: { readonly recent: Counted; readonly older: Counted } | null;
  readonly errors: ShareTest | null;
  /** What it answered while it became warm, and the comparison of that; null where there is no time for it. */
  readonly cold: { readonly counts: Counts; readonly test: ShareTest } | null;
  /** Null while not enough of stable's answers are known to say what is slow. */
  readonly latency: readonly QuantileTest[] | null;
};

/** `first` is what had been counted before the candidate's first request of this deployment. */
export function openComparison(rules: ComparisonRules, bounds: readonly number[], first: Look): Comparison {
  const stable = first.stable?.now ?? nothingCounted;
  const past = first.stable === null ? null : pastOf(first.stable, rules.errorRatio?.minimum ?? 1);
  const { errorRatio, onAlone } = rules;
  const errorsOf = (margin: number) =>
    openShare({
      alpha: errorAlpha(rules),
      onAlone: past === null ? 1 : onAlone,
      margin,
      stable: errorTally(past?.recent.counts ?? noCounts),
    });
  const coldMargin = errorRatio?.coldMargin;
  return {
    rules,
    bounds,
    last: { candidate: first.candidate, stable },
    seen: { candidate: nothingCounted, alone: nothingCounted, beside: nothingCounted },
    past,
    errors: errorRatio === null ? null : errorsOf(errorRatio.margin),
    cold: coldMargin === undefined ? null : { counts: noCounts, test: errorsOf(coldMargin) },
    latency: null,
  };
}

/** Half of the false alarms is for errors where both are judged, the rest for the quantiles; of that half is for what is cold. */
function errorAlpha({ alpha, latency, errorRatio }: ComparisonRules): number {
  return alpha / (latency === null ? 1 : 2) / (errorRatio?.coldMargin === undefined ? 1 : 2);
}

function quantileAlpha({ alpha, errorRatio, latency }: ComparisonRules): number {
  return alpha / (errorRatio === null ? 1 : 2) / (latency?.quantiles.length ?? 1);
}

/** Stable's last minutes where they are enough to judge by, else all there is of it. */
function pastOf({ now, before }: NonNullable<Look["stable"]>, minimum: number): NonNullable<Comparison["past"]> {
  const recent = sinceCounted(now, before);
  return recent.counts.requests >= minimum ? { recent, older: before } : { recent: now, older: nothingCounted };
}

/** The comparison after one more look; `look` has the counts as they are now. */
export function look(comparison: Comparison, now: Look): Comparison {
  const candidate = sinceCounted(now.candidate, comparison.last.candidate);
  const stableNow = now.stable?.now ?? nothingCounted;
  const stable = now.stable?.serves ? sinceCounted(stableNow, comparison.last.stable) : null;
  const timed = now.isWarm ? candidate : { ...candidate, latency: [] };
  const seen = {
    candidate: addCounted(comparison.seen.candidate, timed),
    alone: stable === null ? addCounted(comparison.seen.alone, timed) : comparison.seen.alone,
    beside: stable === null ? comparison.seen.beside : addCounted(comparison.seen.beside, stable),
  };
  const past = pastNow(comparison, now, stable);
  const moved = { ...comparison, past, seen, last: { candidate: now.candidate, stable: stableNow } };
  const isCold = moved.cold !== null && !now.isSettled;
  const step = { candidate, stable };
  const { margin = 0, coldMargin = 0 } = moved.rules.errorRatio ?? {};
  const errors = moved.errors === null || isCold ? moved.errors : seeErrors(moved, moved.errors, margin, step);
  const cold =
    moved.cold === null || !isCold
      ? moved.cold
      : {
          counts: addCounts(moved.cold.counts, candidate.counts),
          test: seeErrors(moved, moved.cold.test, coldMargin, step),
        };
  const latency = now.isWarm ? seeLatency(moved, { candidate, stable }) : moved.latency;
  return { ...moved, errors, cold, latency };
}

type Step = { readonly candidate: Counted; readonly stable: Counted | null };

/** Taken anew when stable loses its traffic: what it was like beside the candidate is its newest past. */
function pastNow(
  { past, errors, cold, latency, rules }: Comparison,
  now: Look,
  stable: Counted | null,
): Comparison["past"] {
  if (past === null || now.stable === null) return past;
  const isLeft =
    stable === null &&
    [...testsOf({ errors, latency }), ...(cold === null ? [] : [cold.test])].every((test) => test.alone === null);
  return isLeft ? pastOf(now.stable, rules.errorRatio?.minimum ?? 1) : past;
}

function seeErrors(comparison: Comparison, test: ShareTest, margin: number, { candidate, stable }: Step): ShareTest {
  const own = errorTally(candidate.counts);
  if (stable !== null) return seeBoth(test, own, errorTally(stable.counts));
  if (own.seen === 0) return test;
  const left = test.alone === null ? leaveAlone(test, errorCases(comparison, margin, test)) : test;
  return seeCandidate(left, () => own);
}

function errorCases({ past, rules }: Comparison, margin: number, { alpha }: ShareTest) {
  const { minimum } = rules.errorRatio ?? { minimum: 1 };
  // A stable that nobody has used is no measure: what is left is the margin, as in a first deployment.
  const tallies =
    past === null || past.recent.counts.requests < minimum
      ? null
      : { recent: errorTally(past.recent.counts), older: errorTally(past.older.counts) };
  const cases = (direction: Direction) => shareCases(tallies, { margin, alpha, direction });
  return { worse: cases("worse"), notWorse: cases("notWorse") };
}

function seeLatency(comparison: Comparison, { candidate, stable }: Step): Comparison["latency"] {
  const tests = comparison.latency ?? openLatency(comparison);
  if (tests === null) return null;
  return tests.map((each): QuantileTest => {
    const { test, limit, own, quantile } = each;
    if (stable !== null)
      return { ...each, test: seeBoth(test, above(candidate.latency, limit), above(stable.latency, own)) };
    if (total(candidate.latency) === 0) return each;
    const left = test.alone === null ? leaveAlone(test, latencyCases(comparison, quantile)) : test;
    return { ...each, test: seeCandidate(left, (index) => above(candidate.latency, index)) };
  });
}

/** What is slow is said by stable's past, before the candidate is looked at, and stays as it was said. */
function openLatency({ rules, past, seen, bounds }: Comparison): Comparison["latency"] {
  const rule = rules.latency;
  if (rule === null || past === null) return null;
  const known = addHistograms(past.recent.latency, seen.beside.latency);
  if (total(known) < rule.minimum) return null;
  return rule.quantiles.flatMap((quantile): QuantileTest[] => {
    const own = bucketOf(known, quantile);
    const limit = limitAbove(bounds, own, rule);
    if (limit === null) return [];
    const margin = Math.min(mostShare, (1 - quantile) / 2);
    const stable = above(known, own);
    return [
      {
        quantile,
        own,
        limit,
        test: openShare({ alpha: quantileAlpha(rules), onAlone: rules.onAlone, margin, stable }),
      },
    ];
  });
}

/** How much larger the share of slow answers may be beside stable: half of what the quantile leaves, and never more than this. */
const mostShare = 0.05;

function latencyCases({ past, rules, bounds }: Comparison, quantile: number) {
  if (past === null || rules.latency === null) throw new Error("latency is compared with nothing");
  const { latency: slowness } = rules;
  const alpha = quantileAlpha(rules);
  const both = { recent: past.recent.latency, older: past.older.latency };
  const cases = (direction: Direction) => bucketCases(both, bounds, { quantile, slowness, alpha, direction });
  return { worse: cases("worse"), notWorse: cases("notWorse") };
}

/** Everything that is compared, and how it stands. */
export function testsOf({ errors, latency }: Pick<Comparison, "errors" | "latency">): readonly ShareTest[] {
  return [...(errors === null ? [] : [errors]), ...(latency ?? []).map(({ test }) => test)];
}

/** Proven to be no worse in everything that it is held to; never said before the minimum was seen. */
export function isProvenNoWorse(comparison: Comparison): boolean {
  const { rules, seen, latency } = comparison;
  const isEnough = seen.candidate.counts.requests >= (rules.errorRatio?.minimum ?? 0);
  const isWhole = rules.latency === null || comparison.past === null || latency !== null;
  return isEnough && isWhole && testsOf(comparison).every((test) => isProven(test, directions[1]));
}

export function errorTally({ requests, errors }: Counts): Tally {
  return { seen: requests, bad: errors };
}

function sinceCounted(now: Counted, mark: Counted): Counted {
  const latency = now.latency.map((count, bucket) => count - (mark.latency[bucket] ?? 0));
  // A count that went down says that the counting began anew.
  return {
    counts: since(now.counts, mark.counts),
    latency: latency.some((count) => count < 0) ? now.latency : latency,
  };
}

function addCounted(a: Counted, b: Counted): Counted {
  return { counts: addCounts(a.counts, b.counts), latency: addHistograms(a.latency, b.latency) };
}

function addCounts(a: Counts, b: Counts): Counts {
  return { requests: a.requests + b.requests, errors: a.errors + b.errors };
}

function addHistograms(a: Histogram, b: Histogram): Histogram {
  return a.length === 0 ? b : a.map((count, bucket) => count + (b[bucket] ?? 0));
}
