import { type Direction, directions, guessCount, guessed, least } from "./guesses.ts";
import { nothingSeen, plus, type Tally } from "./tally.ts";
import { bet, openPurse, type Purse, worth } from "./wealth.ts";

/**
 * Is the candidate's share of bad answers above stable's by more than the margin, both taking traffic at the same time? Each
 * block of answers is a test of its own, and their results are multiplied: so shares may change from block to block, together,
 * as much as they like. A database that fails for both sides, a daily peak, another split of the traffic raise no alarm.
 *
 * A block is closed as soon as both sides have answered something in it. For a block with n and m answers of shares p and q,
 * the bet pays per answer 1 + a·(x − p₀) at the candidate and 1 − a·(n/m)·(x − q₀) at stable, x being 1 for a bad one, with
 * p₀ = q₀ + margin. Its mean is at most exp(n·a·((p − q) − margin)), which is at most 1 while p is not above q + margin; so for
 * every q₀ the bet is fair, and q₀ is chosen to win most. After R. Turner, A. Ly, P. Grünwald, "Generic E-variables for exact
 * sequential k-sample tests", arXiv:2106.02693; with shares that vary in time as in M. Lindon, C. Sanden, V. Shirikian,
 * arXiv:2205.14762, whose test of counts knows no margin.
 */
export type Beside = {
  readonly margin: number;
  readonly purses: Readonly<Record<Direction, Purse>>;
  /** Stable of late, for guesses only: what it is like now is measured in each block. */
  readonly stable: Tally;
  /** Seen since the last block was closed. */
  readonly open: { readonly candidate: Tally; readonly stable: Tally };
};

/** As much of stable's past as a guess is made of, in answers. */
const rememberedAnswers = 1_000;

const nothingOpen = { candidate: nothingSeen, stable: nothingSeen };

/** `stable` is what is known of it before; it may be nothing. */
export function openBeside(margin: number, stable: Tally): Beside {
  const purses = { worse: openPurse(guessCount("worse")), notWorse: openPurse(guessCount("notWorse")) };
  return { margin, purses, stable: remembered(stable), open: nothingOpen };
}

/** What both sides answered since the last look. */
export function seeBeside(test: Beside, candidate: Tally, stable: Tally): Beside {
  const open = { candidate: plus(test.open.candidate, candidate), stable: plus(test.open.stable, stable) };
  if (open.candidate.seen === 0 || open.stable.seen === 0) return { ...test, open };
  const known = (test.stable.bad + 0.05) / (test.stable.seen + 1);
  const q = Math.min(1 - least, Math.max(least, known));
  const lnGains = (direction: Direction) => (guess: number) =>
    lnBlock(open, { q, p: guessed(direction, guess, Math.min(q + test.margin, 1)), margin: test.margin });
  const [worse, notWorse] = directions.map((direction) => bet(test.purses[direction], lnGains(direction))) as [
    Purse,
    Purse,
  ];
  return {
    ...test,
    purses: { worse, notWorse },
    stable: remembered(plus(test.stable, open.stable)),
    open: nothingOpen,
  };
}

export function worthBeside({ purses }: Beside, direction: Direction): number {
  return worth(purses[direction]);
}

type Guess = { readonly q: number; readonly p: number; readonly margin: number };

/** The logarithm of what the block makes of a bet on these shares. */
export function lnBlock({ candidate, stable }: Beside["open"], { q, p, margin }: Guess): number {
  const q0 = fairest({ q, p, margin }, candidate.seen, stable.seen);
  const p0 = q0 + margin;
  if (!(p0 > 0 && p0 < 1)) return 0;
  const a = (p - p0) / (p0 * (1 - p0));
  const b = (-a * candidate.seen) / stable.seen;
  return lnPaid(candidate, a, p0) + lnPaid(stable, b, q0);
}

function lnPaid({ seen, bad }: Tally, stake: number, fair: number): number {
  const good = seen - bad;
  return (bad === 0 ? 0 : bad * Math.log1p(stake * (1 - fair))) + (good === 0 ? 0 : good * Math.log1p(-stake * fair));
}

const halvings = 12;

/**
 * Where the line "q + margin" is nearest to the guessed shares, so that the bet on them wins most. Halving in logarithms; the
 * end that is returned is the one at which no answer costs more than was bet.
 */
function fairest({ q, p, margin }: Guess, n: number, m: number): number {
  const up = p - margin > q;
  let low = up ? q : Math.max(least * least, p - margin);
  let high = up ? p - margin : q;
  if (!(low < high)) return q;
  for (let step = 0; step < halvings; step += 1) {
    const at = Math.sqrt(low * high);
    const pull = (n * (p - at - margin)) / ((at + margin) * (1 - at - margin)) - (m * (at - q)) / (at * (1 - at));
    if (pull > 0) low = at;
    else high = at;
  }
  return up ? high : low;
}

function remembered(tally: Tally): Tally {
  if (tally.seen <= rememberedAnswers) return tally;
  const part = rememberedAnswers / tally.seen;
  return { seen: rememberedAnswers, bad: tally.bad * part };
}
