/**
 * The purse of a test that may be looked at at any time. It begins with 1 and bets, block after block, against "the candidate
 * is no worse". Where that is true no way of betting makes money on average, so the chance that the purse ever holds 1/alpha is
 * at most alpha, however often somebody looks (J. Ville, Étude critique de la notion de collectif, 1939; A. Ramdas and others,
 * "Game-theoretic statistics and safe anytime-valid inference", arXiv:2210.01948). It is spread over several guesses of how bad
 * the candidate is, and over when it became so: half is bet from the first block on, the rest bit by bit, so that a release
 * which was good for minutes and then fails is found as soon as one that fails at once, but for a few answers.
 */
export type Purse = {
  /** Blocks so far. */
  readonly blocks: number;
  /** What each guess has made of what was put on it. */
  readonly stakes: readonly number[];
  /** Not put on anything yet. */
  readonly rest: number;
};

/** Never let out of the numbers' range: to burn money is always allowed. */
const most = 1e300;
const mostLn = 690;

export function openPurse(guesses: number): Purse {
  return { blocks: 0, stakes: new Array<number>(guesses).fill(0), rest: 1 };
}

/** The purse after one more block; `lnGain` is what the block made of a bet on the guess, as a logarithm. */
export function bet(purse: Purse, lnGain: (guess: number) => number): Purse {
  const rest = restAfter(purse.blocks + 1);
  const fresh = (purse.rest - rest) / purse.stakes.length;
  const stakes = new Array<number>(purse.stakes.length);
  for (let guess = 0; guess < stakes.length; guess += 1) {
    const stake = (purse.stakes[guess] as number) + fresh;
    stakes[guess] = Math.min(most, stake * Math.exp(Math.min(mostLn, lnGain(guess))));
  }
  return { blocks: purse.blocks + 1, stakes, rest };
}

export function worth({ stakes, rest }: Purse): number {
  let sum = rest;
  for (const stake of stakes) sum += stake;
  return Math.min(most, sum);
}

/**
 * After the first block half is left, after n blocks about 4/√n. For a bad release that starts at block 1,200 (five minutes of
 * samples) this costs ten nats, which are about 30 answers at 30 % errors; an even spread over the bake would cost eight, and
 * would have to know how long the bake is.
 */
function restAfter(blocks: number): number {
  return 0.5 / Math.sqrt(1 + (blocks - 1) / 64);
}
