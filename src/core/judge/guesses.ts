/** How bad the candidate may be, as multiples of the odds that it is allowed. A truth between two costs little. */
const worse = [1.5, 3, 6, 12, 25, 50, 200, 1_000, 5_000] as const;
/** The same for a candidate that is better than it needs to be. The last one is nearly "never". */
const better = [0.6, 0.3, 0.1, 0.001] as const;

export const directions = ["worse", "notWorse"] as const;
/** What the purse wins by: `worse` when the candidate is above what is allowed, `notWorse` when it is below. */
export type Direction = (typeof directions)[number];

/** Shares nearer to 0 or 1 than this are taken for it: nothing is told apart there by fewer than a million answers. */
export const least = 1e-6;

const multiples = { worse, notWorse: better };

export function guessCount(direction: Direction): number {
  return multiples[direction].length;
}

/** Share number `guess` on the losing side of what is allowed. */
export function guessed(direction: Direction, guess: number, allowed: number): number {
  const share = Math.min(1 - least, Math.max(least, allowed));
  const odds = (share / (1 - share)) * (multiples[direction][guess] as number);
  return odds / (1 + odds);
}
