import type { EpochMs } from "../../core/ids.ts";
import { mergeStretches, type Stretch } from "../../core/metric/gauge-series.ts";
import { isCounted, measureCounters, measureNumbers, type Query } from "../../core/metric/measure.ts";
import { type Measured, unknown, type Window } from "../../core/metric/measured.ts";
import {
  type CountSlot,
  decodeCounts,
  decodeNumbers,
  mergeIncreases,
  type NumberSlot,
} from "../../core/metric/slots.ts";
import type { Increase } from "../../core/metric/tally-series.ts";

export type Slot = NumberSlot | CountSlot;
export type Row = { readonly series_id: number; readonly start_at: EpochMs; readonly slots: string };

/** In place of one in a chunk. */
export const restIndex = -1;

export const extentOf = (slot: Slot): Stretch | Increase => ("stretch" in slot ? slot.stretch : slot.increase);

export function slotsOfRow({ slots, start_at }: Row, slotMs: number, columns: number): readonly Slot[] {
  const start = Number(start_at);
  return columns === 0 ? decodeNumbers(slots, start, slotMs) : decodeCounts(slots, start, slotMs, columns);
}

/** What these slots say about the window, by series. */
export function measuredOf(query: Query, slots: ReadonlyMap<string, readonly Slot[]>, window: Window): Measured {
  const missing = unknown(`${query.metric.name} was not measured in that time`);
  const series = [...slots.values()];
  if (!isCounted(query.metric)) {
    const stretches = series
      .map((one) => one.flatMap((slot) => ("stretch" in slot ? [slot.stretch] : [])))
      .flatMap((own) => (own.length === 0 ? [] : [own.reduce(mergeStretches)]))
      .filter(({ to }) => query.take !== "last" || to >= window.to - 2 * 60_000);
    return stretches.length === 0 ? missing : measureNumbers(query, stretches, window);
  }
  const increases = series
    .map((one) => one.flatMap((slot) => ("increase" in slot ? [slot.increase] : [])))
    .flatMap((own) => (own.length === 0 ? [] : [own.reduce(mergeIncreases)]));
  if (increases.length === 0) return missing;
  const measured = measureCounters(query, increases, window);
  if (measured.is === "unknown") return measured;
  // Each release is counted in a part of the window: somebody looked when one of them was.
  const coveredMs = new Map<number, number>();
  for (const slot of series.flat()) {
    const at = slot.index === restIndex ? restIndex : extentOf(slot).from;
    coveredMs.set(at, Math.max(coveredMs.get(at) ?? 0, extentOf(slot).coveredMs));
  }
  const sum = [...coveredMs.values()].reduce((all, ms) => all + ms, 0);
  return { ...measured, covered: Math.min(1, sum / Math.max(1, window.to - window.from)) };
}
