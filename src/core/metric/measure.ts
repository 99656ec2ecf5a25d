import type { EpochMs } from "../ids.ts";
import { formatDuration } from "../product/units.ts";
import type { Metric } from "./catalogue.ts";
import type { Stretch } from "./gauge-series.ts";
import type { Selector } from "./labels.ts";
import { quantile } from "./latency.ts";
import { type Measured, type Take, unknown, type Window } from "./measured.ts";
import type { Increase } from "./tally-series.ts";
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

/** Whether a metric is read from counters. */
export const isCounted = (metric: Metric): boolean => metric.column !== undefined || metric.q !== undefined;

/** What the stretches of some series, one each, say about a window. */
export function measureNumbers({ metric, ...query }: Query, found: readonly Stretch[], window: Window): Measured {
  const take = query.take ?? metric.take;
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

/** What the increases of some series, one each, say about a window. */
export function measureCounters({ metric, ...query }: Query, found: readonly Increase[], window: Window): Measured {
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
