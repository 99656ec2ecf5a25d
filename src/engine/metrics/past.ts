import type { OnConflictBuilder } from "kysely";
import type { EpochMs } from "../../core/ids.ts";
import type { GaugeSeries, Stretch } from "../../core/metric/gauge-series.ts";
import { mergeStretches } from "../../core/metric/gauge-series.ts";
import { type Labels, labelNames, labelsKey, matches, type Selector } from "../../core/metric/labels.ts";
import type { Query } from "../../core/metric/measure.ts";
import type { Measured, Window } from "../../core/metric/measured.ts";
import {
  type CountSlot,
  coarserCounts,
  coarserNumbers,
  decodeCounts,
  decodeNumbers,
  encodeCounts,
  encodeNumbers,
  finestFor,
  floorTo,
  type Level,
  levels,
  type NumberSlot,
} from "../../core/metric/slots.ts";
import { type Increase, TallySeries } from "../../core/metric/tally-series.ts";
import type { Log } from "../../ports/log.ts";
import type { Store, Trx } from "../../ports/store.ts";
import type { Database } from "../../ports/tables.ts";
import type { Metrics } from "./metrics.ts";
import { extentOf, measuredOf, type Row, restIndex, type Slot, slotsOfRow } from "./past-slots.ts";

/** How often what was measured is written down: what is lost when power fails. */
export const flushMs = 10_000;
/** So many series have a past; later ones are only known while they are in memory. About 200 kB each when all their time is kept. */
const maxKept = 1_000;
/** So many chunks in one transaction: about two milliseconds. */
const writtenAtOnce = 25;
/** Longer ago, nothing is made up for: the clock was set, or the machine slept. */
const maxBehindMs = 60 * 60_000;
/** A window is made of at least so many slots, so that the one at its beginning matters little. */
const leastSlots = 48;

type Measurable = { readonly metric: string; readonly labels: Labels; readonly columns: number };
type Kept = Measurable & { readonly id: number };
/** What was found of a series, and up to where. */
type Found = { readonly kept: Kept; readonly slots: Slot[]; from: EpochMs };
type Chunk = {
  readonly kept: Kept;
  readonly level: Level;
  readonly start: EpochMs;
  readonly slots: readonly Slot[];
};

/**
 * What was measured, in the store: the finest level of each series is written from memory, every coarser one from the one below, so
 * a restart in between loses nothing but the last seconds. Each level is kept for its time. Written unsynced: no deployment waits.
 */
export class Past {
  readonly #store: Store;
  readonly #metrics: Metrics;
  readonly #log: Log;
  readonly #kept = new Map<string, Kept>();
  /** Of each finest level: up to where it is written. */
  readonly #written = new Map<number, EpochMs>();
  /** Of each coarser level: up to where it is made. */
  readonly #made = new Map<number, EpochMs>();
  #loaded: Promise<void> | null = null;
  #isFull = false;
  #fullAt: EpochMs = 0;

  constructor(deps: { readonly store: Store; readonly metrics: Metrics; readonly log: Log }) {
    this.#store = deps.store;
    this.#metrics = deps.metrics;
    this.#log = deps.log;
  }

  /** Writes down what has come since the last time. Safe to repeat. */
  async flush(): Promise<void> {
    await this.#load();
    const { time } = this.#metrics;
    const now = time.wall(time.now());
    // Said once an hour at most, and room looked for as often.
    if (now - this.#fullAt > 3_600_000) this.#isFull = false;
    for (const index of levels.keys()) {
      await this.#writeFinest(index, now);
      if (index > 0) await this.#makeCoarser(index, now);
    }
  }

  /** What a window that ends now says, of up to 30 days. */
  async measure(query: Query): Promise<Measured> {
    await this.#load();
    const { time } = this.#metrics;
    const now = time.wall(time.now());
    const window = { from: now - query.windowMs, to: now };
    return measuredOf(query, await this.#slots(query, window, levelFor(query.windowMs)), window);
  }

  /** The same over the window, step by step, oldest first; null where nothing is known. At most 1,000 steps. For plots. */
  async points(query: Query, stepMs: number): Promise<readonly (number | null)[]> {
    await this.#load();
    const { time } = this.#metrics;
    const now = time.wall(time.now());
    const count = Math.min(1_000, Math.max(1, Math.ceil(query.windowMs / stepMs)));
    const begin = now - count * stepMs;
    const level = Math.max(
      0,
      levels.findLastIndex(({ slotMs }) => slotMs <= stepMs),
    );
    const steps = Array.from({ length: count }, () => new Map<string, Slot[]>());
    for (const [series, slots] of await this.#slots(query, { from: begin, to: now }, level))
      for (const slot of slots) {
        const step = steps[Math.floor((extentOf(slot).from - begin) / stepMs)];
        step?.set(series, [...(step.get(series) ?? []), slot]);
      }
    return steps.map((slots, index) => {
      const from = begin + index * stepMs;
      const measured = measuredOf(query, slots, { from, to: from + stepMs });
      return measured.is === "known" ? measured.value : null;
    });
  }

  /** The slots of a series of that metric, at the level for such a window, merged to steps. For uptime by the day. */
  async steps(query: Query, stepMs: number, begin: EpochMs): Promise<readonly (Stretch | null)[]> {
    await this.#load();
    const { time } = this.#metrics;
    const now = time.wall(time.now());
    const steps = new Array<Stretch | null>(Math.ceil((now - begin) / stepMs)).fill(null);
    const found = await this.#slots(query, { from: begin, to: now }, levelFor(query.windowMs));
    for (const slot of [...found.values()].flat()) {
      if (!("stretch" in slot)) continue;
      const { stretch } = slot;
      const index = Math.floor((stretch.from - begin) / stepMs);
      const known = steps[index];
      if (known === undefined) continue;
      steps[index] = known === null ? stretch : mergeStretches(known, stretch);
    }
    return steps;
  }

  /** What there is a past of. */
  async labels(metric: string, selector: Selector): Promise<readonly Labels[]> {
    await this.#load();
    return this.#matching(metric, selector).map(({ labels }) => labels);
  }

  #matching(metric: string, selector: Selector): readonly Kept[] {
    return [...this.#kept.values()].filter((one) => one.metric === metric && matches(one.labels, selector));
  }

  async #writeFinest(index: number, now: EpochMs): Promise<void> {
    const level = levels[index] as Level;
    const until = floorTo(now, level.slotMs);
    const last = this.#written.get(index) ?? until - maxBehindMs;
    // A clock that was set back begins again from where it is now; what it says twice is what was said last.
    const from = last > until ? until : Math.max(last, until - maxBehindMs);
    if (from < until) {
      const { time, memory } = this.#metrics;
      const steady = time.now() - time.wall(time.now());
      const chunks: Chunk[] = [];
      for (const { metric, labels, series } of memory.each()) {
        if (finestFor(series.holdMs) !== index || (series.newestAt ?? 0) - steady < from - 2 * series.holdMs) continue;
        const found = chunksOf(series, { from, to: until }, level, steady);
        const kept = found.size === 0 ? null : await this.#keep(metric, labels, series);
        if (kept !== null) for (const [start, slots] of found) chunks.push({ kept, level, start, slots });
      }
      await this.#write(chunks);
    }
    // Only what has been committed is done.
    this.#written.set(index, until);
  }

  /** Chunks of this level that have ended, out of the level below. */
  async #makeCoarser(index: number, now: EpochMs): Promise<void> {
    const level = levels[index] as Level;
    const below = levels[index - 1] as Level;
    const until = floorTo(now, level.chunkMs);
    const last = this.#made.get(index) ?? until;
    if (last < until) {
      for (let start = Math.max(last, until - below.keepMs); start < until; start += level.chunkMs)
        await this.#write(await this.#chunksMadeOf(below, level, start));
      await this.#forget(below, now);
      if (index === levels.length - 1) await this.#forgetGone(level, now);
    }
    this.#made.set(index, until);
  }

  async #chunksMadeOf(below: Level, level: Level, start: EpochMs): Promise<readonly Chunk[]> {
    const rows = await this.#store.db
      .selectFrom("metric_chunk")
      .select(["series_id", "start_at", "slots"])
      .where("slot_ms", "=", below.slotMs)
      .where("start_at", ">=", start)
      .where("start_at", "<", start + level.chunkMs)
      .orderBy("start_at")
      .execute();
    const bySeries = new Map<number, Row[]>();
    for (const row of rows) {
      const known = bySeries.get(Number(row.series_id));
      if (known === undefined) bySeries.set(Number(row.series_id), [row]);
      else known.push(row);
    }
    const chunks: Chunk[] = [];
    for (const kept of this.#kept.values()) {
      const own = bySeries.get(kept.id);
      // Instances come and go with every release: what one of them did is of no interest after two days.
      if (own === undefined || (kept.labels.instance !== undefined && level === levels.at(-1))) continue;
      const { columns } = kept;
      const slots =
        columns === 0
          ? coarserNumbers(
              own.flatMap((row) => decodeNumbers(row.slots, Number(row.start_at), below.slotMs)),
              start,
              level.slotMs,
            )
          : coarserCounts(
              own.flatMap((row) => decodeCounts(row.slots, Number(row.start_at), below.slotMs, columns)),
              start,
              level.slotMs,
            );
      chunks.push({ kept, level, start, slots });
    }
    return chunks;
  }

  /** A few at a time: a deployment that wants the store meanwhile waits for some milliseconds, not for all of them. */
  async #write(chunks: readonly Chunk[]): Promise<void> {
    for (let at = 0; at < chunks.length; at += writtenAtOnce)
      await this.#store.unsynced(async (trx) => {
        for (const chunk of chunks.slice(at, at + writtenAtOnce)) await writeChunk(trx, chunk);
      });
  }

  async #forget({ slotMs, keepMs }: Level, now: EpochMs): Promise<void> {
    await this.#store.unsynced((trx) =>
      trx
        .deleteFrom("metric_chunk")
        .where("slot_ms", "=", slotMs)
        .where("start_at", "<", now - keepMs)
        .execute(),
    );
  }

  /** Series of which nothing is left. */
  async #forgetGone(coarsest: Level, now: EpochMs): Promise<void> {
    await this.#forget(coarsest, now);
    const chunks = this.#store.db.selectFrom("metric_chunk").select("series_id");
    const gone = await this.#store.db.selectFrom("metric_series").select("id").where("id", "not in", chunks).execute();
    await this.#drop(gone.map(({ id }) => Number(id)));
  }

  async #drop(ids: readonly number[]): Promise<void> {
    for (let at = 0; at < ids.length; at += writtenAtOnce) {
      const some = ids.slice(at, at + writtenAtOnce);
      await this.#store.unsynced(async (trx) => {
        await trx.deleteFrom("metric_chunk").where("series_id", "in", some).execute();
        await trx.deleteFrom("metric_series").where("id", "in", some).execute();
      });
    }
    const gone = new Set(ids);
    for (const [key, { id }] of this.#kept) if (gone.has(id)) this.#kept.delete(key);
  }

  async #keep(metric: string, labels: Labels, series: GaugeSeries | TallySeries): Promise<Kept | null> {
    const columns = series instanceof TallySeries ? series.columns : 0;
    const key = keyOf(metric, labelsKey(labels), columns);
    const known = this.#kept.get(key);
    if (known !== undefined) return known;
    if (this.#kept.size >= maxKept && !this.#isFull) await this.#makeRoom();
    if (this.#kept.size >= maxKept) {
      if (!this.#isFull) this.#log.warn("metrics.too-many", { kept: maxKept, metric });
      this.#isFull = true;
      this.#fullAt = this.#metrics.time.wall(this.#metrics.time.now());
      return null;
    }
    const { time } = this.#metrics;
    const row = { metric, labels: labelsKey(labels), columns, created_at: Math.round(time.wall(time.now())) };
    const made = await this.#store.unsynced((trx) =>
      trx
        .insertInto("metric_series")
        .values(row)
        .onConflict((on) => on.columns(["metric", "labels", "columns"]).doUpdateSet({ metric }))
        .returning("id")
        .executeTakeFirstOrThrow(),
    );
    const kept = { id: Number(made.id), metric, labels, columns };
    this.#kept.set(key, kept);
    return kept;
  }

  /** The oldest of those that nobody measures any more go, a tenth of all at once. */
  async #makeRoom(): Promise<void> {
    const alive = new Set<string>();
    for (const { metric, labels, series } of this.#metrics.memory.each())
      alive.add(keyOf(metric, labelsKey(labels), series instanceof TallySeries ? series.columns : 0));
    const silent = [...this.#kept].filter(([key]) => !alive.has(key)).map(([, { id }]) => id);
    await this.#drop(silent.sort((a, b) => a - b).slice(0, maxKept / 10));
  }

  async #load(): Promise<void> {
    this.#loaded ??= this.#read().catch((error: unknown) => {
      this.#loaded = null;
      throw error;
    });
    await this.#loaded;
  }

  async #read(): Promise<void> {
    const { db } = this.#store;
    for (const row of await db.selectFrom("metric_series").selectAll().execute()) {
      const labels = labelsOf(row.labels);
      this.#kept.set(keyOf(row.metric, row.labels, row.columns), {
        id: Number(row.id),
        metric: row.metric,
        labels,
        columns: row.columns,
      });
    }
    const { time } = this.#metrics;
    const now = time.wall(time.now());
    for (const [index, level] of levels.entries()) {
      // Memory begins with this process; what is before that is in the store, or nowhere.
      this.#written.set(index, floorTo(now, level.slotMs));
      // The newest chunk that is there may have been begun only; with none, the level below says where there is something to make.
      const below = levels[index - 1] ?? level;
      const last = (await this.#edge(level, "max")) ?? (await this.#edge(below, "min")) ?? now;
      this.#made.set(index, Math.min(floorTo(last, level.chunkMs), floorTo(now, level.chunkMs)));
    }
  }

  async #edge({ slotMs }: Level, which: "min" | "max"): Promise<EpochMs | null> {
    const found = await this.#store.db
      .selectFrom("metric_chunk")
      .select(({ fn }) => fn[which]("start_at").as("start"))
      .where("slot_ms", "=", slotMs)
      .executeTakeFirst();
    return found?.start == null ? null : Number(found.start);
  }

  /**
   * By series: from the level for the window down to the finest, each from where the one above ends, and the rest from memory, where
   * a series may be that has no past yet. A query of each level for all series together, however many releases there were.
   */
  async #slots({ metric, labels }: Query, window: Window, level: number): Promise<Map<string, Slot[]>> {
    const found = this.#matching(metric.series, labels).map((kept) => ({
      kept,
      from: window.from,
      slots: [] as Slot[],
    }));
    for (let index = level; index >= 0; index -= 1) {
      const above = index === level ? undefined : this.#made.get(index + 1);
      await this.#take(found, index, { from: Math.max(window.from, above ?? window.from), to: window.to });
    }
    // What comes rarely is kept at its own level, and at none that is finer.
    for (let index = level + 1; index < levels.length; index += 1)
      await this.#take(
        found.filter(({ slots }) => slots.length === 0),
        index,
        window,
      );
    const slots = new Map<string, Slot[]>();
    for (const { kept, from, slots: kepts } of found)
      slots.set(nameOf(kept), kepts.concat(this.#rest(kept, { from, to: window.to })));
    for (const { labels: own, series: each } of this.#metrics.memory.find(metric, labels)) {
      const fresh = { metric: metric.series, labels: own, columns: each instanceof TallySeries ? each.columns : 0 };
      if (!slots.has(nameOf(fresh))) slots.set(nameOf(fresh), this.#rest(fresh, window));
    }
    return slots;
  }

  /** The whole slots of a level that begin where each of these ends so far. */
  async #take(series: readonly Found[], index: number, window: Window): Promise<void> {
    const level = levels[index];
    if (series.length === 0 || level === undefined) return;
    const byId = new Map(series.map((one) => [one.kept.id, { one, from: one.from }]));
    const ids = [...byId.keys()];
    for (const row of await this.#rows(ids, level, window.from)) {
      const found = byId.get(Number(row.series_id));
      if (found === undefined) continue;
      const { one, from: begin } = found;
      const whole = slotsOfRow(row, level.slotMs, one.kept.columns).filter((slot) => {
        const { from, to } = extentOf(slot);
        return from >= begin - level.slotMs / 2 && to <= window.to;
      });
      one.slots.push(...whole);
      one.from = Math.max(one.from, ...whole.map((slot) => extentOf(slot).to));
    }
  }

  async #rows(series: readonly number[], { slotMs, chunkMs }: Level, from: EpochMs): Promise<readonly Row[]> {
    return this.#store.db
      .selectFrom("metric_chunk")
      .select(["series_id", "start_at", "slots"])
      .where("series_id", "in", series)
      .where("slot_ms", "=", slotMs)
      .where("start_at", ">", from - chunkMs)
      .orderBy("start_at")
      .execute();
  }

  /** What is not written yet. */
  #rest(series: Measurable, window: Window): Slot[] {
    const rest = this.#inMemory(series, window);
    if (rest === null) return [];
    return ["by" in rest ? { index: restIndex, increase: rest } : { index: restIndex, stretch: rest }];
  }

  #inMemory({ metric, labels, columns }: Measurable, { from, to }: Window): Stretch | Increase | null {
    const { time, memory } = this.#metrics;
    const steady = time.now() - time.wall(time.now());
    const entry = memory.find({ series: metric }, labels).find((one) => labelsKey(one.labels) === labelsKey(labels));
    if (entry === undefined || from >= to) return null;
    const window = { from: from + steady, to: to + steady };
    if (entry.series instanceof TallySeries && columns !== entry.series.columns) return null;
    const seen = entry.series instanceof TallySeries ? entry.series.counted(window) : entry.series.over(window);
    return seen === null ? null : { ...seen, from: seen.from - steady, to: seen.to - steady };
  }
}

/** The coarsest level that still makes enough slots of such a window. */
function levelFor(windowMs: number): number {
  const index = levels.findLastIndex(({ slotMs }) => slotMs * leastSlots <= windowMs);
  return Math.max(0, index);
}

/** The slots of a stretch of wall time out of memory, by the chunk they belong to. */
function chunksOf(
  series: GaugeSeries | TallySeries,
  { from, to }: Window,
  { slotMs, chunkMs }: Level,
  steady: number,
): Map<EpochMs, (NumberSlot | CountSlot)[]> {
  const chunks = new Map<EpochMs, (NumberSlot | CountSlot)[]>();
  for (let at = from; at < to; at += slotMs) {
    const window = { from: at + steady, to: at + slotMs + steady };
    const start = floorTo(at, chunkMs);
    const index = (at - start) / slotMs;
    const slot = slotOf(series, window, index);
    if (slot === null) continue;
    chunks.set(start, [...(chunks.get(start) ?? []), slot]);
  }
  return chunks;
}

function slotOf(series: GaugeSeries | TallySeries, window: Window, index: number): NumberSlot | CountSlot | null {
  if (series instanceof TallySeries) {
    const increase = series.counted(window);
    return increase === null ? null : { index, increase };
  }
  const stretch = series.over(window);
  return stretch === null ? null : { index, stretch };
}

/** Slots that are there already stay, but for those that come again. */
async function writeChunk(trx: Trx, { kept: { id, columns }, level: { slotMs }, start, slots }: Chunk): Promise<void> {
  const known = await trx
    .selectFrom("metric_chunk")
    .select("slots")
    .where("series_id", "=", id)
    .where("slot_ms", "=", slotMs)
    .where("start_at", "=", start)
    .executeTakeFirst();
  const merged = new Map<number, NumberSlot | CountSlot>();
  const text = known?.slots ?? "[]";
  const before = columns === 0 ? decodeNumbers(text, start, slotMs) : decodeCounts(text, start, slotMs, columns);
  for (const slot of [...before, ...slots]) merged.set(slot.index, slot);
  const all = [...merged.values()].sort((a, b) => a.index - b.index);
  const written = columns === 0 ? encodeNumbers(all as NumberSlot[]) : encodeCounts(all as CountSlot[]);
  await trx
    .insertInto("metric_chunk")
    .values({ series_id: id, slot_ms: slotMs, start_at: start, slots: written })
    .onConflict(newSlots)
    .execute();
}

/** Outside of the call, so that a store may keep the query. */
const newSlots = (known: OnConflictBuilder<Database, "metric_chunk">) =>
  known.columns(["series_id", "slot_ms", "start_at"]).doUpdateSet(({ ref }) => ({ slots: ref("excluded.slots") }));

const nameOf = ({ metric, labels, columns }: Measurable): string => keyOf(metric, labelsKey(labels), columns);

const keyOf = (metric: string, labels: string, columns: number): string => `${metric} ${labels} ${columns}`;

function labelsOf(key: string): Labels {
  const values = JSON.parse(key) as (string | null)[];
  return Object.fromEntries(
    labelNames.flatMap((name, index) => (values[index] == null ? [] : [[name, values[index]]])),
  );
}
