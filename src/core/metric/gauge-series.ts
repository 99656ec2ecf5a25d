import type { EpochMs } from "../ids.ts";
import type { Window } from "./measured.ts";
import { Ring } from "./ring.ts";

/** What a stretch of time says about a number. Two that follow each other can be merged to one, in any grouping. */
export type Stretch = {
  readonly from: EpochMs;
  /** When the newest sample was taken. */
  readonly to: EpochMs;
  readonly count: number;
  readonly sum: number;
  readonly min: number;
  readonly max: number;
  readonly last: number;
  /** How long its samples held. */
  readonly coveredMs: number;
  /** Value × ms, over the covered time. */
  readonly integral: number;
};

export function mergeStretches(a: Stretch, b: Stretch): Stretch {
  return {
    from: Math.min(a.from, b.from),
    to: Math.max(a.to, b.to),
    count: a.count + b.count,
    sum: a.sum + b.sum,
    min: Math.min(a.min, b.min),
    max: Math.max(a.max, b.max),
    last: b.to >= a.to ? b.last : a.last,
    coveredMs: a.coveredMs + b.coveredMs,
    integral: a.integral + b.integral,
  };
}

/** The newest 360 as they are, then stretches of ten seconds for two hours. At a sample a second: six minutes at full rate. */
const keptSamples = 360;
const stretchMs = 10_000;
const keptStretches = 720;
const maxAgeMs = 2 * 3_600_000;

/**
 * A number over time, in bounded memory. Each sample holds until the next one, or `holdMs`; after that nothing is known, which is
 * a gap and not a zero. A truth is such a number too, 1 or 0, and its average is the share of time in which it was true.
 */
export class GaugeSeries {
  readonly holdMs: number;
  /** Rows: time, value. */
  readonly #samples = new Ring(2, keptSamples);
  /** Rows: a `Stretch` in the order of its keys. */
  readonly #stretches = new Ring(9, keptStretches);

  constructor(holdMs: number) {
    this.holdMs = holdMs;
  }

  get newestAt(): EpochMs | null {
    return this.#samples.length === 0 ? null : this.#samples.at(this.#samples.length - 1, 0);
  }

  /** Takes a sample. Refuses (false) what is no number, or not newer than the last: that is a gap. */
  add(at: EpochMs, value: number): boolean {
    if (!Number.isFinite(value) || !Number.isFinite(at)) return false;
    const newestAt = this.newestAt;
    if (newestAt !== null && at <= newestAt) return false;
    if (this.#samples.isFull) this.#condense();
    this.#samples.push([at, value]);
    while (this.#stretches.length > 0 && this.#stretches.at(0, 1) < at - maxAgeMs) this.#stretches.shift();
    while (this.#samples.length > 2 && this.#samples.at(1, 0) < at - maxAgeMs) this.#samples.shift();
    return true;
  }

  /** The newest sample that still held at that time; null when none did. */
  last(at: EpochMs): { readonly at: EpochMs; readonly value: number } | null {
    const index = this.#samples.newestUpTo(at);
    if (index < 0) return null;
    const takenAt = this.#samples.at(index, 0);
    return at - takenAt > this.holdMs ? null : { at: takenAt, value: this.#samples.at(index, 1) };
  }

  /** All that held in the window, the sample before its beginning included as far as it held into it. Null: nothing did. */
  over({ from, to }: Window): Stretch | null {
    let merged: Stretch | null = null;
    const take = (stretch: Stretch | null): void => {
      if (stretch !== null) merged = merged === null ? stretch : mergeStretches(merged, stretch);
    };
    for (let index = Math.max(0, this.#stretches.newestUpTo(from)); index < this.#stretches.length; index += 1) {
      const stretch = stretchOf(this.#stretches.row(index));
      if (stretch.from >= to) break;
      // Ten seconds are the grain there: a stretch is in a window when it begins in it.
      if (stretch.from >= from) take(stretch);
    }
    for (let index = Math.max(0, this.#samples.newestUpTo(from)); index < this.#samples.length; index += 1) {
      if (this.#samples.at(index, 0) > to) break;
      take(this.#held(index, { from, to }));
    }
    return merged;
  }

  /** What one sample says about the window: as long as it held there. */
  #held(index: number, window: Window): Stretch | null {
    const at = this.#samples.at(index, 0);
    const value = this.#samples.at(index, 1);
    const next = index + 1 < this.#samples.length ? this.#samples.at(index + 1, 0) : Number.POSITIVE_INFINITY;
    const until = Math.min(next, at + this.holdMs, window.to);
    const begin = Math.max(at, window.from);
    // One that was taken at the window's very end held no time of it, and is in it.
    if (until < begin || (until === begin && at < window.from)) return null;
    const coveredMs = until - begin;
    const integral = value * coveredMs;
    const to = Math.max(at, begin);
    return { from: begin, to, count: 1, sum: value, min: value, max: value, last: value, coveredMs, integral };
  }

  /** The oldest sample becomes a part of a stretch. */
  #condense(): void {
    const at = this.#samples.at(0, 0);
    const held = this.#held(0, { from: at, to: Number.POSITIVE_INFINITY });
    this.#samples.shift();
    if (held === null) return;
    const index = this.#stretches.length - 1;
    const newest = index < 0 ? null : stretchOf(this.#stretches.row(index));
    const same = newest !== null && Math.floor(newest.from / stretchMs) === Math.floor(at / stretchMs);
    if (same) this.#stretches.replaceLast(rowOf(mergeStretches(newest, held)));
    else this.#stretches.push(rowOf(held));
  }
}

const rowOf = ({ from, to, count, sum, min, max, last, coveredMs, integral }: Stretch): number[] => [
  from,
  to,
  count,
  sum,
  min,
  max,
  last,
  coveredMs,
  integral,
];

function stretchOf(row: Float64Array): Stretch {
  const [from = 0, to = 0, count = 0, sum = 0, min = 0, max = 0, last = 0, coveredMs = 0, integral = 0] = row;
  return { from, to, count, sum, min, max, last, coveredMs, integral };
}
