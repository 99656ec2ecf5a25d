import type { EpochMs } from "../ids.ts";
import type { Metric } from "./catalogue.ts";
import { GaugeSeries, type Stretch } from "./gauge-series.ts";
import { type Labels, labelsKey, matches, type Selector } from "./labels.ts";
import { isCounted, measureCounters, measureNumbers, type Query } from "./measure.ts";
import { type Measured, type Take, unknown, type Window } from "./measured.ts";
import { isSound, type Sample } from "./sample.ts";
import { TallySeries } from "./tally-series.ts";

export type { Query } from "./measure.ts";

type Series = GaugeSeries | TallySeries;
type Entry = { readonly labels: Labels; readonly series: Series };

/**
 * Every series at full rate, for as long as a series remembers (two hours at most), in bounded memory: one series more than
 * `maxSeries` takes the place of the one that has been silent for longest. Pure: times are the caller's.
 */
export class MetricMemory {
  readonly #maxSeries: number;
  readonly #metrics = new Map<string, Map<string, Entry>>();
  #size = 0;

  constructor({ maxSeries = 20_000 }: { readonly maxSeries?: number } = {}) {
    this.#maxSeries = maxSeries;
  }

  get size(): number {
    return this.#size;
  }

  /** Keeps a sample. False when it was refused: no number, not newer than the last, or of another shape than its series. */
  record({ metric, labels, at, value, holdMs }: Sample): boolean {
    if (!isSound(value)) return false;
    const series = this.#seriesOf(metric, labels, () =>
      typeof value === "number" ? new GaugeSeries(holdMs) : new TallySeries(value.length, holdMs),
    );
    if (series instanceof GaugeSeries) return typeof value === "number" && series.add(at, value);
    return typeof value !== "number" && series.add(at, value);
  }

  /** What a window that ends now says. */
  measure(query: Query, now: EpochMs): Measured {
    const window = { from: now - query.windowMs, to: now };
    const entries = this.#matching(query.metric.series, query.labels);
    if (entries.length === 0) return unknown(`${query.metric.name} has never been measured here`);
    const series = entries.map((entry) => entry.series);
    if (isCounted(query.metric)) {
      const found = series.map((each) => (each instanceof TallySeries ? each.increase(window) : null));
      return measureCounters(
        query,
        found.filter((increase) => increase !== null),
        window,
      );
    }
    const take = query.take ?? query.metric.take;
    const found = series.map((each) => (each instanceof GaugeSeries ? stretchOf(each, take, window) : null));
    return measureNumbers(
      query,
      found.filter((stretch) => stretch !== null),
      window,
    );
  }

  /** The same, step by step over the window, oldest first; null where nothing is known. At most 1,000 steps. For plots. */
  points(query: Query, stepMs: number, now: EpochMs): readonly (number | null)[] {
    const steps = Math.min(1_000, Math.max(1, Math.ceil(query.windowMs / stepMs)));
    return Array.from({ length: steps }, (_, index) => {
      const to = now - (steps - 1 - index) * stepMs;
      const measured = this.measure({ ...query, windowMs: stepMs }, to);
      return measured.is === "known" ? measured.value : null;
    });
  }

  /** What has been measured under these labels. */
  labels(metric: Pick<Metric, "series">, selector: Selector): readonly Labels[] {
    return this.#matching(metric.series, selector).map(({ labels }) => labels);
  }

  /** Lets go of series that have been silent since before. */
  forgetSilentSince(before: EpochMs): void {
    for (const [metric, series] of this.#metrics) {
      for (const [key, entry] of series) {
        if ((entry.series.newestAt ?? 0) >= before) continue;
        series.delete(key);
        this.#size -= 1;
      }
      if (series.size === 0) this.#metrics.delete(metric);
    }
  }

  /** Every series of those, for whoever keeps their past. */
  *each(): Iterable<{ readonly metric: string; readonly labels: Labels; readonly series: GaugeSeries | TallySeries }> {
    for (const [metric, all] of this.#metrics) for (const entry of all.values()) yield { metric, ...entry };
  }

  /** The series themselves that are under these labels. */
  find(metric: Pick<Metric, "series">, selector: Selector): readonly Entry[] {
    return this.#matching(metric.series, selector);
  }

  #matching(name: string, selector: Selector): readonly Entry[] {
    return [...(this.#metrics.get(name)?.values() ?? [])].filter(({ labels }) => matches(labels, selector));
  }

  #seriesOf(metric: string, labels: Labels, make: () => Series): Series {
    const key = labelsKey(labels);
    const known = this.#metrics.get(metric)?.get(key);
    if (known !== undefined) return known.series;
    if (this.#size >= this.#maxSeries) this.#forgetMostSilent();
    const series = make();
    const all = this.#metrics.get(metric) ?? new Map<string, Entry>();
    this.#metrics.set(metric, all.set(key, { labels, series }));
    this.#size += 1;
    return series;
  }

  /** A tenth of all at once, so that a flood of new series does not look through all of them for each. */
  #forgetMostSilent(): void {
    const ages = [...this.#metrics.values()].flatMap((all) =>
      [...all.values()].map(({ series }) => series.newestAt ?? 0),
    );
    ages.sort((a, b) => a - b);
    this.forgetSilentSince((ages[Math.floor(ages.length / 10)] ?? 0) + 1);
  }
}

/** What is newest may be older than the window, as long as it still holds. */
function stretchOf(series: GaugeSeries, take: Take, window: Window): Stretch | null {
  if (take !== "last") return series.over(window);
  const last = series.last(window.to);
  if (last === null) return null;
  const { at, value } = last;
  const integral = value * (window.to - window.from);
  const coveredMs = window.to - window.from;
  return { from: at, to: at, count: 1, sum: value, min: value, max: value, last: value, coveredMs, integral };
}
