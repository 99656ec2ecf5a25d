import type { EpochMs } from "../ids.ts";
import { mergeStretches, type Stretch } from "./gauge-series.ts";
import type { Increase } from "./tally-series.ts";

/**
 * How the past is kept in the store: ever coarser, each level for a time, so that the size has an end. A row holds the slots of one
 * chunk of one series. Uptime is asked for over 30 days.
 */
export type Level = { readonly slotMs: number; readonly chunkMs: number; readonly keepMs: number };

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

export const levels: readonly Level[] = [
  { slotMs: 1_000, chunkMs: 10_000, keepMs: 10 * minute },
  { slotMs: 10_000, chunkMs: minute, keepMs: 3 * hour },
  { slotMs: minute, chunkMs: 10 * minute, keepMs: 2 * day },
  { slotMs: hour, chunkMs: hour, keepMs: 32 * day },
];

/** A slot of a number, or of counters; `index` is its place in its chunk. */
export type NumberSlot = { readonly index: number; readonly stretch: Stretch };
export type CountSlot = { readonly index: number; readonly increase: Increase };

/** The finest level at which a series is kept: a slot without a sample of its own would be no finer, only more. */
export function finestFor(holdMs: number): number {
  const intervalMs = holdMs / 2.5;
  const index = levels.findIndex(({ slotMs }) => intervalMs <= slotMs);
  return index === -1 ? levels.length - 1 : Math.min(index, levels.length - 2);
}

export const floorTo = (at: EpochMs, ms: number): EpochMs => Math.floor(at / ms) * ms;

/** Nine digits say more than anybody measures. */
const short = (value: number): number => Number(value.toPrecision(9));

/** `[index, count, covered, value]` where the number stayed the same, which truths mostly do; else all there is of it. */
export function encodeNumbers(slots: readonly NumberSlot[]): string {
  return JSON.stringify(
    slots.map(({ index, stretch: { count, coveredMs, last, min, max, sum, integral } }) =>
      (min === max ? [index, count, coveredMs, last] : [index, count, coveredMs, last, min, max, sum, integral]).map(
        short,
      ),
    ),
  );
}

export function decodeNumbers(text: string, start: EpochMs, slotMs: number): readonly NumberSlot[] {
  return (JSON.parse(text) as number[][]).map((fields) => {
    const [index = 0, count = 0, coveredMs = 0, last = 0] = fields;
    const [min = last, max = last, sum = last * count, integral = last * coveredMs] = fields.slice(4);
    const from = start + index * slotMs;
    return { index, stretch: { from, to: from + slotMs, count, sum, min, max, last, coveredMs, integral } };
  });
}

/** `[index, covered, reads, column, counted, column, counted …]`: most columns of most slots have counted nothing. */
export function encodeCounts(slots: readonly CountSlot[]): string {
  return JSON.stringify(
    slots.map(({ index, increase: { coveredMs, samples, by } }) => {
      const counted = Array.from(by).flatMap((count, column) => (count > 0 ? [column, count] : []));
      return [index, coveredMs, samples, ...counted].map(short);
    }),
  );
}

export function decodeCounts(text: string, start: EpochMs, slotMs: number, columns: number): readonly CountSlot[] {
  return (JSON.parse(text) as number[][]).map(([index = 0, coveredMs = 0, samples = 0, ...counted]) => {
    const by = new Float64Array(columns);
    for (let at = 0; at + 1 < counted.length; at += 2) by[counted[at] ?? 0] = counted[at + 1] ?? 0;
    const from = start + index * slotMs;
    return { index, increase: { by, coveredMs, from, to: from + slotMs, samples } };
  });
}

export function mergeIncreases(a: Increase, b: Increase): Increase {
  return {
    by: a.by.map((count, column) => count + (b.by[column] ?? 0)),
    coveredMs: a.coveredMs + b.coveredMs,
    from: Math.min(a.from, b.from),
    to: Math.max(a.to, b.to),
    samples: a.samples + b.samples,
  };
}

/** Finer slots as those of a coarser chunk. */
export function coarserNumbers(slots: readonly NumberSlot[], start: EpochMs, slotMs: number): readonly NumberSlot[] {
  const merged = new Map<number, Stretch>();
  for (const { stretch } of slots) {
    const index = Math.floor((stretch.from - start) / slotMs);
    const known = merged.get(index);
    merged.set(index, known === undefined ? stretch : mergeStretches(known, stretch));
  }
  return [...merged].map(([index, stretch]) => ({ index, stretch }));
}

export function coarserCounts(slots: readonly CountSlot[], start: EpochMs, slotMs: number): readonly CountSlot[] {
  const merged = new Map<number, Increase>();
  for (const { increase } of slots) {
    const index = Math.floor((increase.from - start) / slotMs);
    const known = merged.get(index);
    merged.set(index, known === undefined ? increase : mergeIncreases(known, increase));
  }
  return [...merged].map(([index, increase]) => ({ index, increase }));
}
