import { type Alone, openAlone, type StableCase, seeAlone, worthAlone } from "./alone.ts";
import { type Beside, openBeside, seeBeside, worthBeside } from "./beside.ts";
import { type Direction, directions } from "./guesses.ts";
import { pastOdds } from "./past.ts";
import type { Tally } from "./tally.ts";

/**
 * One comparison of a share of bad answers, candidate against stable, over a whole deployment: beside each other while stable
 * has traffic, then against its past. It may be looked at after every answer; the chance that it ever finds a candidate `worse`
 * that is not, is at most `alpha`; and the same for `notWorse`.
 */
export type ShareTest = {
  readonly alpha: number;
  /** How much of the bet is on the time when stable has no traffic: 1 where it never has any. */
  readonly onAlone: number;
  readonly beside: Beside;
  /** Null before stable has lost its traffic. */
  readonly alone: Readonly<Record<Direction, Alone>> | null;
  /** The most that each direction was ever worth: what was proven once stays proven. */
  readonly best: Readonly<Record<Direction, number>>;
};

type OpenShare = Pick<ShareTest, "alpha" | "onAlone"> & {
  /** How far the candidate's share may be above stable's, 0 to 1. */
  readonly margin: number;
  /** Stable of late, as a first guess of what it is like beside the candidate. */
  readonly stable: Tally;
};

export function openShare({ alpha, onAlone, margin, stable }: OpenShare): ShareTest {
  return { alpha, onAlone, beside: openBeside(margin, stable), alone: null, best: { worse: 1, notWorse: 1 } };
}

/** What both answered since the last look, while both have traffic. */
export function seeBoth(test: ShareTest, candidate: Tally, stable: Tally): ShareTest {
  return remember({ ...test, beside: seeBeside(test.beside, candidate, stable) });
}

/** From here on stable has no traffic, and its past says what it may have been. Once. */
export function leaveAlone(test: ShareTest, cases: Readonly<Record<Direction, readonly StableCase[]>>): ShareTest {
  const alone = { worse: openAlone(cases.worse, "worse"), notWorse: openAlone(cases.notWorse, "notWorse") };
  return { ...test, alone };
}

/** What the candidate alone answered since the last look; `tallies` by the number that a case names. */
export function seeCandidate(test: ShareTest, tallies: (index: number) => Tally): ShareTest {
  if (test.alone === null) throw new Error("stable's past is not known yet");
  const { worse, notWorse } = test.alone;
  return remember({ ...test, alone: { worse: seeAlone(worse, tallies), notWorse: seeAlone(notWorse, tallies) } });
}

function remember(test: ShareTest): ShareTest {
  const [worse, notWorse] = directions.map((direction) => Math.max(test.best[direction], worthNow(test, direction)));
  return { ...test, best: { worse: worse as number, notWorse: notWorse as number } };
}

function worthNow({ beside, alone, onAlone }: ShareTest, direction: Direction): number {
  const past = alone === null ? 1 : worthAlone(alone[direction]);
  return (1 - onAlone) * worthBeside(beside, direction) + onAlone * past;
}

/** Is it proven, at the chosen rate? */
export function isProven(test: ShareTest, direction: Direction): boolean {
  return pValue(test, direction) <= test.alpha;
}

/**
 * An always-valid p-value: the smallest rate at which the verdict would be given. With what the cases cost that stable's past
 * rules out, which are left out at `alpha / pastOdds`.
 */
export function pValue({ best, alpha }: ShareTest, direction: Direction): number {
  return Math.min(1, 1 / best[direction] + alpha / pastOdds);
}
