import { verdictOf } from "../../../core/judge/compared.ts";
import {
  type ComparisonRules,
  type Counted,
  look,
  nothingCounted,
  openComparison,
} from "../../../core/judge/comparison.ts";
import type { Counts } from "../../../core/judge/counts.ts";
import { Random } from "../random.ts";
import { clopperPearson } from "./interval.ts";

export type PowerOptions = {
  /** With no difference between the two sides. */
  readonly nulls: number;
  /** Of each effect. */
  readonly experiments: number;
  readonly seed: number;
};

/** Answers of the candidate in an experiment. */
const answersOfOne = 2_000;
/** What stable had answered before, where it answers nothing beside. */
const pastAnswers = 5_000;
/** Share of stable's answers that fail. */
const usual = 0.01;
const alpha = 0.01;

/** Whether stable answers as many beside the candidate, or is known only by what it answered before. */
type Side = "beside stable" | "after stable";
const sides: readonly Side[] = ["beside stable", "after stable"];
/** Of the candidate's answers. */
const effects = [0.015, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1];

/** When the candidate was found worse: after so many answers, of which so many had failed; null: never. */
export type Found = { readonly answers: number; readonly failing: number } | null;

/**
 * The terms of the paper: no margin is allowed, and it is looked after every answer that has failed, on either side; what is good never makes a
 * candidate worse, so whoever looks when he likes finds no more. With no difference the share that is ever found worse must stay at alpha; with one it is the power, and the answers are the time.
 */
export function powerTable({ nulls, experiments, seed }: PowerOptions): string {
  const head = `power: stable fails ${percent(usual)}, alpha ${percent(alpha)}, no margin, ${answersOfOne} answers, a look after each that failed`;
  return [
    head,
    "",
    ...sides.flatMap((side) => [
      `${side}`.padEnd(22) + columns.map((name) => name.padStart(width)).join(""),
      row(`no difference (${nulls})`, runs(side, usual, nulls, seed)),
      ...effects.map((share) => row(`${percent(share)} (${experiments})`, runs(side, share, experiments, seed))),
      "",
    ]),
  ].join("\n");
}

const columns = ["found worse", "95 % interval", "median answers", "median failing"];
const width = 18;

function runs(side: Side, share: number, count: number, seed: number): readonly Found[] {
  return Array.from({ length: count }, (_, index) =>
    experiment(side, share, new Random(seed + index, `${side} ${share}`)),
  );
}

function row(name: string, all: readonly Found[]): string {
  const found = all.filter((each) => each !== null);
  const [low, high] = clopperPearson(found.length, all.length);
  const texts = [
    `${percent(found.length / all.length)}`,
    `${percent(low)} - ${percent(high)}`,
    median(found.map(({ answers }) => answers)),
    median(found.map(({ failing }) => failing)),
  ];
  return `  ${name}`.padEnd(22) + texts.map((text) => text.padStart(width)).join("");
}

/** One candidate that fails in this share of its answers, looked at after each. */
export function experiment(side: Side, share: number, random: Random): Found {
  const isBeside = side === "beside stable";
  const rules: ComparisonRules = {
    alpha,
    errorRatio: { margin: 0, minimum: 1 },
    latency: null,
    onAlone: isBeside ? 0 : 1,
  };
  let stable: Counts = { requests: 0, errors: 0 };
  if (!isBeside) stable = { requests: pastAnswers, errors: random.binomial(pastAnswers, usual) };
  let candidate: Counts = { requests: 0, errors: 0 };
  const seen = () => ({
    candidate: counted(candidate),
    stable: { now: counted(stable), before: nothingCounted, serves: isBeside },
    isWarm: true,
    isSettled: true,
  });
  let comparison = openComparison(rules, [], seen());
  while (candidate.requests < answersOfOne) {
    const isBad = random.chance(share);
    candidate = { requests: candidate.requests + 1, errors: candidate.errors + (isBad ? 1 : 0) };
    const isStableBad = isBeside && random.chance(usual);
    if (isBeside) stable = { requests: stable.requests + 1, errors: stable.errors + (isStableBad ? 1 : 0) };
    if (!isBad && !isStableBad) continue;
    comparison = look(comparison, seen());
    if (isBad && verdictOf(comparison)?.is === "fail")
      return { answers: candidate.requests, failing: candidate.errors };
  }
  return null;
}

const counted = (counts: Counts): Counted => ({ counts, latency: [] });

function median(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted.length === 0 ? "-" : String(sorted[Math.floor(sorted.length / 2)]);
}

const percent = (share: number): string => `${Number((share * 100).toFixed(2))} %`;
