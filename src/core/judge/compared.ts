import type { Evidence } from "../errors/error.ts";
import { type Comparison, errorTally, isProvenNoWorse, type QuantileTest } from "./comparison.ts";
import { quantileInterval, shareInterval } from "./confidence.ts";
import { errorRatio, noCounts, since } from "./counts.ts";
import { isProven, pValue, type ShareTest } from "./share.ts";
import { above, bucketOf, type Histogram, limitAbove, type Slowness, total } from "./slow.ts";
import type { Tally } from "./tally.ts";
import type { Verdict } from "./verdict.ts";
import { msText, percent } from "./words.ts";

/** What a comparison says at this moment, of each thing that it compares: the worst is first. */
export function verdictsOf(comparison: Comparison): readonly Verdict[] {
  const verdicts = [errorsOf(comparison), latencyOf(comparison)].filter((verdict) => verdict !== null);
  return verdicts.toSorted((a, b) => order.indexOf(a.is) - order.indexOf(b.is));
}

const order: readonly Verdict["is"][] = ["fail", "inconclusive", "pass"];

/** All of them as one: what is bad, else what is open, else that nothing speaks against it. */
export function verdictOf(comparison: Comparison): Verdict | null {
  const verdicts = verdictsOf(comparison);
  const worst = verdicts[0];
  if (worst === undefined) return null;
  if (worst.is !== "pass") return worst;
  const why = verdicts.map((verdict) => verdict.why).join(", ");
  return isProvenNoWorse(comparison) ? { is: "pass", why, clear: true } : { is: "pass", why };
}

function errorsOf({ errors: settled, cold, rules, seen, past }: Comparison): Verdict | null {
  if (settled === null || rules.errorRatio === null) return null;
  const { minimum } = rules.errorRatio;
  const all = seen.candidate.counts;
  if (all.requests < minimum)
    return { is: "inconclusive", why: `${all.requests} of at least ${minimum} requests were seen` };
  const isColdBad = cold !== null && isProven(cold.test, "worse");
  const errors = isColdBad ? cold.test : settled;
  const margin = isColdBad ? (rules.errorRatio.coldMargin ?? 0) : rules.errorRatio.margin;
  // Each is said with what it is about.
  const counts = isColdBad ? cold.counts : since(all, cold?.counts ?? noCounts);
  const why = `${counts.errors} of ${counts.requests} requests failed (${percent(errorRatio(counts))})`;
  if (!isProven(errors, "worse"))
    return {
      is: "pass",
      why: isProven(errors, "notWorse") ? `${why}, proven no worse than stable's and ${percent(margin)}` : why,
    };
  const stable = (errors.alone === null ? seen.beside.counts : past?.recent.counts) ?? noCounts;
  return {
    is: "fail",
    code: "ERROR_RATIO",
    why: past === null ? why : `${why}; stable has ${percent(errorRatio(stable))}`,
    evidence: [
      ...(past === null ? [] : [sideText("stable", errorTally(stable), errors)]),
      sideText("candidate", errorTally(counts), errors),
      [
        "rule",
        `error ratio above stable's by more than ${percent(margin)}${isColdBad ? " while it becomes warm" : ""}, at least ${minimum} requests`,
      ],
      chanceText(errors),
    ],
  };
}

/** `5 of 5000 (0.1 %), surely from 0.0 % to 0.4 %`. */
function sideText(side: string, tally: Tally, { alpha }: ShareTest): Evidence {
  const { low, high } = shareInterval(tally, alpha);
  const share = tally.seen === 0 ? "" : ` (${percent(tally.bad / tally.seen)})`;
  return [side, `${tally.bad} of ${tally.seen}${share}, surely from ${percent(low)} to ${percent(high)}`];
}

function chanceText(test: ShareTest): Evidence {
  const odds = 1 / pValue(test, "worse");
  return ["chance", `a candidate that is no worse looks like this at most once in ${Math.floor(odds)} deployments`];
}

function latencyOf({ latency, rules, seen, past, bounds }: Comparison): Verdict | null {
  const rule = rules.latency;
  if (rule === null || past === null) return null;
  const answers = total(seen.candidate.latency);
  const slow = (latency ?? []).filter(({ test }) => isProven(test, "worse"));
  const guilty = slow.at(-1);
  if (guilty === undefined || answers < rule.minimum)
    return {
      is: "pass",
      why: latency === null || answers < rule.minimum ? "latency not compared yet" : fastText(latency),
    };
  // What stable's past is held against is what came after it: good answers of earlier steps would hide what is bad now.
  const isBeside = guilty.test.alone === null;
  const sides = isBeside
    ? { candidate: seen.candidate.latency, stable: seen.beside.latency, limit: guilty.limit }
    : {
        candidate: seen.alone.latency,
        stable: past.recent.latency,
        limit: limitOf(past.recent.latency, guilty, bounds, rule),
      };
  return {
    is: "fail",
    code: "LATENCY",
    why: slowText(sides, bounds),
    evidence: [
      ...latencyText("stable", sides.stable, bounds, guilty),
      ...latencyText("candidate", sides.candidate, bounds, guilty),
      [
        "rule",
        `${quantileText(guilty.quantile)} more than ${rule.factor} times stable's and by ${msText(rule.floorMs)} at least, at least ${rule.minimum} answers`,
      ],
      chanceText(guilty.test),
    ],
  };
}

function fastText(tests: readonly QuantileTest[]): string {
  return tests.length > 0 && tests.every(({ test }) => isProven(test, "notWorse"))
    ? "latency proven no worse"
    : "latency alike";
}

type Sides = { readonly candidate: Histogram; readonly stable: Histogram; readonly limit: number };

/** Too slow by what stable was until it lost its traffic, which is later than when the test began. */
function limitOf(
  stable: Histogram,
  { quantile, limit }: QuantileTest,
  bounds: readonly number[],
  rule: Slowness,
): number {
  return limitAbove(bounds, bucketOf(stable, quantile), rule) ?? limit;
}

/** `25 of 180 answers (13.9 %) took longer than 251 ms; of stable's 0.2 % did`. */
function slowText({ candidate, stable, limit }: Sides, bounds: readonly number[]): string {
  const [slow, usual] = [above(candidate, limit), above(stable, limit)];
  const share = ({ seen, bad }: Tally): string => percent(seen === 0 ? 0 : bad / seen);
  const part = `${slow.bad} of ${slow.seen} answers (${share(slow)}) took longer than ${msText(bounds[limit] ?? 0)}`;
  return `${part}; of stable's ${share(usual)} did`;
}

/** `p95 surely from 200 ms to 398 ms`, where that much is known. */
function latencyText(
  side: string,
  histogram: Histogram,
  bounds: readonly number[],
  { quantile, test }: QuantileTest,
): Evidence[] {
  const { lowMs, highMs } = quantileInterval(histogram, bounds, { quantile, alpha: test.alpha });
  const upTo = highMs === null ? "upwards" : `to ${msText(highMs)}`;
  return [[side, `${quantileText(quantile)} surely from ${msText(lowMs)} ${upTo}, of ${total(histogram)} answers`]];
}

export function quantileText(quantile: number): string {
  return `p${Number((quantile * 100).toFixed(3))}`;
}
