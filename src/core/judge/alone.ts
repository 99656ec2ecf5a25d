import { type Direction, guessCount, guessed, least } from "./guesses.ts";
import type { Tally } from "./tally.ts";
import { bet, openPurse, type Purse, worth } from "./wealth.ts";

/**
 * Is the candidate worse than it may be, where stable takes no traffic any more and only its recent past is known? That past is
 * a sample like any other: for everything that stable may have been (a case), there is a purse that bets against the candidate
 * under it, times what the past itself says against the case. The test is worth what the poorest case is worth, for the true one
 * is among them. Rests on stable's past being like the present: what began after the switch, for both, cannot be told apart here.
 */
export type Alone = {
  readonly cases: readonly Case[];
};

/** One thing that stable may have been. */
export type StableCase = {
  /** The logarithm of what stable's past says against it, as a fair bet; 0 says nothing. */
  readonly lnAgainst: number;
  /** The largest share of bad answers that the candidate may have, and which of its tallies is meant. */
  readonly allowed: number;
  readonly tally: number;
};

/** With what a bad and a good answer make of the bet on each guess, as logarithms. */
type Case = StableCase & {
  readonly purse: Purse;
  readonly lnBad: readonly number[];
  readonly lnGood: readonly number[];
};

export function openAlone(cases: readonly StableCase[], direction: Direction): Alone {
  const guesses = Array.from({ length: guessCount(direction) }, (_, guess) => guess);
  return {
    cases: cases.map((each): Case => {
      const fair = Math.min(1 - least, Math.max(least, each.allowed));
      const shares = guesses.map((guess) => guessed(direction, guess, fair));
      return {
        ...each,
        purse: openPurse(guesses.length),
        lnBad: shares.map((share) => Math.log(share / fair)),
        lnGood: shares.map((share) => Math.log((1 - share) / (1 - fair))),
      };
    }),
  };
}

/** What the candidate answered since the last look, by every way in which an answer may be bad. */
export function seeAlone(test: Alone, candidate: (tally: number) => Tally): Alone {
  const cases = test.cases.map((each): Case => {
    const { seen, bad } = candidate(each.tally);
    if (seen === 0) return each;
    const { lnBad, lnGood } = each;
    const lnGain = (guess: number) => bad * (lnBad[guess] as number) + (seen - bad) * (lnGood[guess] as number);
    return { ...each, purse: bet(each.purse, lnGain) };
  });
  return { cases };
}

export function worthAlone({ cases }: Alone): number {
  let poorest = Number.POSITIVE_INFINITY;
  for (const { lnAgainst, purse } of cases) poorest = Math.min(poorest, Math.exp(lnAgainst) * worth(purse));
  return cases.length === 0 ? 1 : poorest;
}
