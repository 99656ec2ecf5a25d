import type { Measured } from "../../metric/measured.ts";
import type { Query } from "../../metric/memory.ts";
import { formatDuration } from "../../product/units.ts";
import type { Condition } from "./rule.ts";
import { doubtOf, gapOf, type Place, type Seen, selectorOf } from "./seen.ts";

type Burn = Extract<Condition, { is: "burn" }>;

/** Two windows that must both say so: the long one that enough is gone, the short one that it still goes. */
type Pair = { readonly longMs: number; readonly shortMs: number; readonly rate: number };

const minute = 60_000;
const hour = 60 * minute;

/**
 * Google's SRE workbook, chapter 5, table 5-8 (https://sre.google/workbook/alerting-on-slos): 2 % of a month's budget in an hour, or
 * 5 % in six, are for a page; 10 % in three days are for a ticket. Each must also hold in the last twelfth of it, so that it ends
 * soon after the burning has.
 */
const pairs: Readonly<Record<Burn["pace"], readonly Pair[]>> = {
  fast: [
    { longMs: hour, shortMs: 5 * minute, rate: 14.4 },
    { longMs: 6 * hour, shortMs: 30 * minute, rate: 6 },
  ],
  slow: [{ longMs: 72 * hour, shortMs: 6 * hour, rate: 1 }],
};

/** What a look asks for: of each pair the long window, then the short one. */
export function burnQueries({ metric, service, pace }: Burn, { environment }: Place): readonly Query[] {
  // A budget is the users': they do not ask which release used it up.
  const labels = selectorOf({ metric, service }, { environment, release: null });
  return pairs[pace].flatMap(({ longMs, shortMs }) =>
    [longMs, shortMs].map((windowMs) => ({ metric, labels, windowMs })),
  );
}

export function lookAtBudget(condition: Burn, measured: readonly Measured[], minimum: number): Seen {
  const looked = lookedAt(condition, measured, minimum);
  const burning = looked.find((each) => each.doubt === null && each.isBurning);
  if (burning !== undefined) {
    const { pair, long, short } = burning;
    const rates = `${long.toFixed(1)} times as fast as it lasts over ${formatDuration(pair.longMs)}`;
    const reason = `the error budget burns ${rates}, and ${short.toFixed(1)} times over ${formatDuration(pair.shortMs)} (limit ${pair.rate})`;
    return { is: "broken", reason, measured };
  }
  const sure = looked.find(({ doubt }) => doubt === null);
  if (sure === undefined) return { is: "unknown", reason: looked[0]?.doubt ?? "it was not looked at", measured };
  const over = formatDuration(sure.pair.longMs);
  return {
    is: "ok",
    reason: `the error budget burns ${sure.long.toFixed(1)} times as fast as it lasts over ${over}`,
    measured,
  };
}

/** The window to show, and the error ratio above which it burns: of the pair that burns, else of the one that is nearest to it. */
export function burnShown(
  condition: Burn,
  measured: readonly Measured[],
): { readonly windowMs: number; readonly limit: number } {
  const looked = lookedAt(condition, measured, 1);
  const nearness = ({ long, short, pair }: Looked): number => Math.min(long, short) / pair.rate;
  const { pair } = looked.reduce((nearest, each) => (nearness(each) > nearness(nearest) ? each : nearest));
  return { windowMs: pair.longMs, limit: pair.rate * (1 - condition.objective) };
}

type Looked = {
  readonly pair: Pair;
  /** How many times as fast as it lasts; 0 where that is not known. */
  readonly long: number;
  readonly short: number;
  readonly isBurning: boolean;
  /** Why the pair says nothing; null when it does. */
  readonly doubt: string | null;
};

function lookedAt({ pace, objective }: Burn, measured: readonly Measured[], minimum: number): readonly Looked[] {
  const rateOf = (one: Measured | undefined): number => (one?.is === "known" ? one.value / (1 - objective) : 0);
  return pairs[pace].map((pair, index) => {
    const [inLong, inShort] = measured.slice(index * 2);
    const [long, short] = [rateOf(inLong), rateOf(inShort)];
    return {
      pair,
      long,
      short,
      isBurning: long > pair.rate && short > pair.rate,
      doubt: doubtIn(pair, inLong, inShort, minimum),
    };
  });
}

function doubtIn(
  { longMs, shortMs }: Pair,
  long: Measured | undefined,
  short: Measured | undefined,
  minimum: number,
): string | null {
  if (long === undefined || short === undefined) return "it was not looked at";
  return doubtOf(long, minimum) ?? gapOf(long, longMs) ?? doubtOf(short, 1) ?? gapOf(short, shortMs);
}
