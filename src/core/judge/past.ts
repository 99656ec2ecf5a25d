import type { StableCase } from "./alone.ts";
import type { Direction } from "./guesses.ts";
import { lnBeta, lnLikelihood } from "./special.ts";
import type { Tally } from "./tally.ts";

/** What is known of stable before the candidate has all traffic. */
export type Past = {
  /** Its last minutes: the sample that the candidate is compared with. */
  readonly recent: Tally;
  /** All before that. It never counts as a sample; it says which pasts are likely, which makes the test sharper. */
  readonly older: Tally;
};

/**
 * Cases against which the past alone says so much are left out; that one of them is true happens once in this many false alarms
 * of the chosen rate, which `share.ts` takes off the rate.
 */
export const pastOdds = 100;

/** One case reaches this much further than the one before it. Finer steps find no more and cost time. */
const step = 1.1;
/** Where nothing is allowed, steps begin here. */
const firstShare = 1e-4;

/** Everything that stable's share of bad answers may be, in steps. `alpha` is the chosen rate of false alarms. */
export function shareCases(
  past: Past | null,
  { margin, alpha, direction }: { readonly margin: number; readonly alpha: number; readonly direction: Direction },
): readonly StableCase[] {
  // Without a stable side the margin is all that is allowed.
  if (past === null) return [{ lnAgainst: 0, allowed: margin, tally: 0 }];
  const lnMixed = lnMixture(past);
  const cases: StableCase[] = [];
  for (let [low, high] = [0, firstStep(margin)]; low < 1; [low, high] = [high, (high + margin) * step - margin]) {
    const end = Math.min(1, high);
    const lnAgainst = lnMixed - lnMost(past.recent, low, end);
    // The end of the step that makes the bet a poor one for every share in it.
    const share = direction === "worse" ? end : low;
    if (lnAgainst < Math.log(pastOdds / alpha)) cases.push({ lnAgainst, allowed: share + margin, tally: 0 });
  }
  return cases;
}

function firstStep(margin: number): number {
  return margin < firstShare ? firstShare : margin * (step - 1);
}

/** The logarithm of the best explanation of the tally by a share from `low` to `high`. */
export function lnMost(tally: Tally, low: number, high: number): number {
  if (tally.seen === 0) return 0;
  return lnLikelihood(tally, Math.min(high, Math.max(low, tally.bad / tally.seen)));
}

/** The older past is a hint, not an oath: it counts for this many answers at most. */
const olderAnswers = 2_000;

/**
 * The logarithm of the chance of the recent past under a mixture that was fixed before it was seen: a fair bet's payout. A third
 * each for any share at all (Jeffreys), for shares near to nothing, as those of errors are, and for what the older past says.
 */
export function lnMixture({ recent, older }: Past): number {
  const part = older.seen > olderAnswers ? olderAnswers / older.seen : 1;
  const bad = older.bad * part;
  const hint = lnBetaMixture(recent, bad + 0.05, older.seen * part - bad + 1);
  return lnSum([lnBetaMixture(recent, 0.5, 0.5), lnBetaMixture(recent, 0.05, 1), hint]) - Math.log(3);
}

function lnBetaMixture({ seen, bad }: Tally, a: number, b: number): number {
  return lnBeta(a + bad, b + seen - bad) - lnBeta(a, b);
}

export function lnSum(terms: readonly number[]): number {
  const most = Math.max(...terms);
  return most === Number.NEGATIVE_INFINITY
    ? most
    : most + Math.log(terms.reduce((sum, x) => sum + Math.exp(x - most), 0));
}
