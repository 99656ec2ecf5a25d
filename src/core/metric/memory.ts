import type { EpochMs } from "../ids.ts";
import { formatDuration } from "../product/units.ts";
import type { Metric } from "./catalogue.ts";
import { GaugeSeries, type Stretch } from "./gauge-series.ts";
import { type Labels, labelsKey, matches, type Selector } from "./labels.ts";
import { quantile } from "./latency.ts";
import { type Measured, type Take, unknown, type Window } from "./measured.ts";
import { isSound, type Sample } from "./sample.ts";
import { type Increase, TallySeries } from "./tally-series.ts";
import { bucketsOf } from "./traffic.ts";

export type Query = {
  readonly metric: Metric;
  /** All series that match are seen as one: counters are added up, numbers go together by `across`. */
  readonly labels: Selector;
  /** How far back from now. */
  readonly windowMs: number;
  readonly take?: Take;
  readonly across?: Metric["across"];
};

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
    return query.metric.column === undefined && query.metric.q === undefined
      ? measureNumbers(query, entries, window)
      : measureCounters(query, entries, window);
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

function measureNumbers({ metric, ...query }: Query, entries: readonly Entry[], window: Window): Measured {
  const take = query.take ?? metric.take;
  const found = entries
    .map(({ series }) => (series instanceof GaugeSeries ? stretchOf(series, take, window) : null))
    .filter((stretch) => stretch !== null);
  if (found.length === 0) return unknown(`${metric.name} was not measured in the last ${ago(window)}`);
  const values = found.map((stretch) => valueOfStretch(stretch, take)).filter((value) => value !== null);
  if (values.length === 0) return unknown(`${metric.name} is no counter, so it has no ${take}`);
  const spanMs = window.to - window.from;
  const covered = found.map(({ coveredMs }) => (spanMs === 0 ? 1 : Math.min(1, coveredMs / spanMs)));
  return {
    is: "known",
    value: together(values, query.across ?? metric.across),
    count: found.reduce((sum, { count }) => sum + count, 0),
    covered: together(covered, "avg"),
    from: Math.min(...found.map(({ from }) => from)),
    to: Math.max(...found.map(({ to }) => to)),
  };
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

function valueOfStretch(stretch: Stretch, take: Take): number | null {
  switch (take) {
    case "last":
      return stretch.last;
    case "avg":
      return stretch.coveredMs > 0 ? stretch.integral / stretch.coveredMs : stretch.sum / stretch.count;
    case "min":
      return stretch.min;
    case "max":
      return stretch.max;
    case "sum":
      return stretch.sum;
    default:
      return null;
  }
}

function together(values: readonly number[], across: Metric["across"]): number {
  switch (across) {
    case "avg":
      return values.reduce((sum, value) => sum + value, 0) / values.length;
    case "sum":
      return values.reduce((sum, value) => sum + value, 0);
    case "min":
      return Math.min(...values);
    case "max":
      return Math.max(...values);
  }
}

function measureCounters({ metric, ...query }: Query, entries: readonly Entry[], window: Window): Measured {
  const found = entries
    .map(({ series }) => (series instanceof TallySeries ? series.increase(window) : null))
    .filter((increase) => increase !== null);
  const [first] = found;
  if (first === undefined) return unknown(`${metric.name} was not counted in the last ${ago(window)}`);
  const total = (column: number): number => found.reduce((sum, { by }) => sum + (by[column] ?? 0), 0);
  const known = (value: number, count: number): Measured => ({ is: "known", value, count, ...extent(found, window) });
  const take = query.take ?? metric.take;
  if (metric.q !== undefined) {
    const buckets = bucketsOf(first.by).map((_, index) =>
      found.reduce((sum, { by }) => sum + (bucketsOf(by)[index] ?? 0), 0),
    );
    const value = take === "quantile" ? quantile(buckets, metric.q) : null;
    if (take !== "quantile") return unknown(`${metric.name} is a quantile, so it has no ${take}`);
    const count = buckets.reduce((sum, bucket) => sum + bucket, 0);
    return value === null ? unknown(`nothing was answered in the last ${ago(window)}`) : known(value, count);
  }
  const counted = total(metric.column ?? 0);
  switch (take) {
    case "increase":
    case "sum":
      return known(counted, counted);
    case "rate": {
      const perSecond = found.reduce(
        (sum, { by, from, to }) => sum + ((by[metric.column ?? 0] ?? 0) * 1_000) / (to - from),
        0,
      );
      return known(perSecond, counted);
    }
    case "ratio": {
      const of = metric.ofColumn === undefined ? 0 : total(metric.ofColumn);
      return of > 0 ? known(counted / of, of) : unknown(`there was nothing to count in the last ${ago(window)}`);
    }
    default:
      return unknown(`${metric.name} is counted, so it has no ${take}`);
  }
}

function extent(found: readonly Increase[], window: Window): { covered: number; from: EpochMs; to: EpochMs } {
  const spanMs = Math.max(1, window.to - window.from);
  return {
    covered: Math.min(1, Math.max(...found.map(({ coveredMs }) => coveredMs)) / spanMs),
    from: Math.min(...found.map(({ from }) => from)),
    to: Math.max(...found.map(({ to }) => to)),
  };
}

const ago = ({ from, to }: Window): string => formatDuration(Math.max(0, Math.round(to - from)));
