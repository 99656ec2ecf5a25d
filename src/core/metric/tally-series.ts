import type { EpochMs } from "../ids.ts";
import type { Window } from "./measured.ts";
import { Ring } from "./ring.ts";
import { isSound, type Tally } from "./sample.ts";

/** What was counted in a window. */
export type Increase = {
  readonly by: Float64Array;
  /** Ms of it in which somebody looked. */
  readonly coveredMs: number;
  /** Between which two reads it was counted. */
  readonly from: EpochMs;
  readonly to: EpochMs;
  readonly samples: number;
};

/**
 * How closely the past is remembered: at full rate first, then a read a second, then one in ten. Counters lose nothing by that
 * but the choice of where a window begins. At four reads a second: one minute, ten minutes, two hours.
 */
const levels: readonly { readonly everyMs: number; readonly keep: number }[] = [
  { everyMs: 0, keep: 240 },
  { everyMs: 1_000, keep: 540 },
  { everyMs: 10_000, keep: 660 },
];

const columnsBefore = 3;

/**
 * Counters over time, in bounded memory. A read that is lower than the one before in any column says that the counting began
 * anew: what it shows came since then. What is asked are differences, so where counting began does not matter.
 */
export class TallySeries {
  readonly holdMs: number;
  readonly columns: number;
  /**
   * Rows: time, covered ms so far, reads so far, then what was counted so far in each column that ever counted: most buckets of a
   * histogram never do, and a service that nobody asks has none. Newest level first.
   */
  readonly #levels: readonly Ring[];
  /** Columns that ever counted, in the order of their places in a row. */
  readonly #counted: number[] = [];
  #read: Tally | null = null;

  constructor(columns: number, holdMs: number) {
    this.columns = columns;
    this.holdMs = holdMs;
    this.#levels = levels.map(({ keep }) => new Ring(columnsBefore, keep));
  }

  get newestAt(): EpochMs | null {
    return this.#newest()?.[0] ?? null;
  }

  /** The counters as they were last read. */
  get read(): Tally | null {
    return this.#read;
  }

  /** Takes a read. Refuses (false) what is no counter, has another shape, or is not newer than the last: that is a gap. */
  add(at: EpochMs, tally: Tally): boolean {
    if (!isSound(tally) || tally.length !== this.columns || !Number.isFinite(at)) return false;
    const newest = this.#newest();
    if (newest !== null && at <= (newest[0] ?? 0)) return false;
    const more = newest === null ? [] : this.#since(tally);
    this.#makeRoomFor(more);
    const row = new Float64Array(this.#counted.length + columnsBefore);
    row[0] = at;
    const before = this.#newest();
    if (before !== null) {
      const sinceMs = at - (before[0] ?? 0);
      row[1] = (before[1] ?? 0) + (sinceMs <= this.holdMs ? sinceMs : 0);
      row[2] = (before[2] ?? 0) + 1;
      for (const [place, column] of this.#counted.entries())
        row[place + columnsBefore] = (before[place + columnsBefore] ?? 0) + (more[column] ?? 0);
    }
    this.#read = tally;
    this.#push(row);
    return true;
  }

  /** What was counted since the last read, by column. */
  #since(tally: Tally): readonly number[] {
    const before = this.#read ?? [];
    const beganAnew = tally.some((count, column) => count < (before[column] ?? 0));
    return tally.map((count, column) => (beganAnew ? count : count - (before[column] ?? 0)));
  }

  #makeRoomFor(more: readonly number[]): void {
    const first = more.flatMap((count, column) => (count > 0 && !this.#counted.includes(column) ? [column] : []));
    if (first.length === 0) return;
    this.#counted.push(...first);
    for (const ring of this.#levels) ring.widen(this.#counted.length + columnsBefore);
  }

  /**
   * What was counted between the reads nearest to the window's ends: the newest one before its beginning, unless nobody looked
   * between that and the next. Null when there are no two reads to compare.
   */
  increase({ from, to }: Window): Increase | null {
    const end = this.#newestUpTo(to);
    if (end === null) return null;
    const begin = this.#beginning(from, end);
    if (begin === null) return null;
    return this.#difference(begin, end);
  }

  /**
   * The same, so that windows that follow each other count everything once: what came in a gap is counted where it was first seen.
   */
  counted({ from, to }: Window): Increase | null {
    const end = this.#newestUpTo(to);
    const begin = this.#newestUpTo(from) ?? this.#oldestAfter(from);
    if (end === null || begin === null || (begin[0] ?? 0) >= (end[0] ?? 0)) return null;
    return this.#difference(begin, end);
  }

  #beginning(from: EpochMs, end: Float64Array): Float64Array | null {
    const before = this.#newestUpTo(from);
    const after = this.#oldestAfter(from);
    if (before !== null && before[0] !== end[0]) {
      if (before[0] === from || after === null) return before;
      const seenMs = (after[1] ?? 0) - (before[1] ?? 0);
      if (seenMs > 0) return before;
    }
    // Two different reads, or there is nothing to compare.
    return after === null || (after[0] ?? 0) >= (end[0] ?? 0) ? null : after;
  }

  #newest(): Float64Array | null {
    const [full] = this.#levels;
    return full === undefined || full.length === 0 ? null : full.row(full.length - 1);
  }

  #newestUpTo(limit: EpochMs): Float64Array | null {
    for (const ring of this.#levels) {
      const index = ring.newestUpTo(limit);
      if (index >= 0) return ring.row(index);
    }
    return null;
  }

  #oldestAfter(limit: EpochMs): Float64Array | null {
    for (const ring of [...this.#levels].reverse()) {
      const index = ring.newestUpTo(limit) + 1;
      if (index < ring.length) return ring.row(index);
    }
    return null;
  }

  /** What a level has no room for goes to the next one, when that has nothing as close to it. */
  #push(row: Float64Array): void {
    let moved: Float64Array | null = row;
    for (const [index, ring] of this.#levels.entries()) {
      if (moved === null) return;
      const isCloser: boolean =
        ring.length > 0 && (moved[0] ?? 0) - ring.at(ring.length - 1, 0) < (levels[index]?.everyMs ?? 0);
      if (isCloser) return;
      const pushed: Float64Array | null = ring.isFull ? ring.row(0).slice() : null;
      ring.push(moved);
      moved = pushed;
    }
  }

  #difference(begin: Float64Array, end: Float64Array): Increase {
    const by = new Float64Array(this.columns);
    for (const [place, column] of this.#counted.entries())
      by[column] = (end[place + columnsBefore] ?? 0) - (begin[place + columnsBefore] ?? 0);
    return {
      by,
      coveredMs: (end[1] ?? 0) - (begin[1] ?? 0),
      from: begin[0] ?? 0,
      to: end[0] ?? 0,
      samples: (end[2] ?? 0) - (begin[2] ?? 0),
    };
  }
}
