import type { Take } from "./measured.ts";
import { type TrafficColumn, trafficColumns } from "./traffic.ts";

export type Unit = "ratio" | "ms" | "bytes" | "per second" | "count" | "days" | "share of time" | "cores" | "none";

/** What is known of a metric: enough to measure it, to print it, and to read a threshold for it. */
export type Metric = {
  readonly name: string;
  readonly unit: Unit;
  readonly meaning: string;
  /** In which direction it gets worse; null where that depends. */
  readonly worse: "higher" | "lower" | null;
  /** The series that it is read from; more than one metric may come of one. */
  readonly series: string;
  /** How a window of it becomes a number, when nobody says otherwise. */
  readonly take: Take;
  /** How several series, such as those of all instances, become one number. Counters are always added up. */
  readonly across: "avg" | "min" | "max" | "sum";
  /** For counters: which column, and of which. */
  readonly column?: number;
  readonly ofColumn?: number;
  /** For a quantile: which, 0 to 1. */
  readonly q?: number;
};

const rateOf = (name: string, column: TrafficColumn, meaning: string, worse: Metric["worse"]): Metric => ({
  name,
  meaning,
  worse,
  unit: "per second",
  series: "traffic",
  take: "rate",
  across: "sum",
  column: trafficColumns[column],
});

/** Every metric there is without being declared, except for `latency p<percent>`. */
export const catalogue: readonly Metric[] = [
  rateOf("requests", "requests", "Requests that came in, and attempts that failed.", null),
  rateOf("errors", "errors", "5xx answers and failed attempts.", "higher"),
  rateOf("client errors", "class4xx", "4xx answers.", null),
  rateOf("client aborts", "clientAborts", "Requests whose client went away before it had an answer.", "higher"),
  {
    name: "error ratio",
    unit: "ratio",
    meaning: "The share of requests that ended with a 5xx answer or a failed attempt.",
    worse: "higher",
    series: "traffic",
    take: "ratio",
    across: "sum",
    column: trafficColumns.errors,
    ofColumn: trafficColumns.requests,
  },
  {
    name: "in flight",
    unit: "count",
    meaning: "Requests that have no whole answer yet.",
    worse: "higher",
    series: "in flight",
    take: "avg",
    across: "sum",
  },
  {
    name: "cpu",
    unit: "ratio",
    meaning: "Processor time used, as a share of what an instance may use: its limit, or one core where it has none.",
    worse: "higher",
    series: "cpu",
    take: "avg",
    across: "avg",
  },
  {
    name: "memory",
    unit: "bytes",
    meaning: "Memory in use.",
    worse: "higher",
    series: "memory",
    take: "max",
    across: "max",
  },
  {
    name: "memory share",
    unit: "ratio",
    meaning: "Memory in use, as a share of the instance's limit. Unknown where there is no limit.",
    worse: "higher",
    series: "memory share",
    take: "max",
    across: "max",
  },
  {
    name: "restarts",
    unit: "count",
    meaning: "How often instances exited and were started again.",
    worse: "higher",
    series: "restarts",
    take: "increase",
    across: "sum",
    column: 0,
  },
  {
    name: "health",
    unit: "share of time",
    meaning: "The share of time in which instances were healthy; of several, the worst.",
    worse: "lower",
    series: "health",
    take: "avg",
    across: "min",
  },
  {
    name: "uptime",
    unit: "share of time",
    meaning: "The share of the known time in which a service answered. What is unknown is neither up nor down.",
    worse: "lower",
    series: "uptime",
    take: "avg",
    across: "min",
  },
  {
    name: "probe",
    unit: "share of time",
    meaning: "The share of time in which a declared probe passed.",
    worse: "lower",
    series: "probe",
    take: "avg",
    across: "min",
  },
  {
    name: "response time",
    unit: "ms",
    meaning: "How long a declared probe took.",
    worse: "higher",
    series: "response time",
    take: "avg",
    across: "max",
  },
  {
    name: "certificate days",
    unit: "days",
    meaning: "Days until the certificate that a TLS probe was shown ends.",
    worse: "lower",
    series: "certificate days",
    take: "last",
    across: "min",
  },
  {
    name: "queue delay",
    unit: "ms",
    meaning: "The age of the oldest job that waits to be worked on.",
    worse: "higher",
    series: "queue delay",
    take: "last",
    across: "max",
  },
  {
    name: "queue depth",
    unit: "count",
    meaning: "Jobs that wait to be worked on.",
    worse: "higher",
    series: "queue depth",
    take: "last",
    across: "sum",
  },
  {
    name: "queue failed",
    unit: "count",
    meaning: "Jobs that failed for good and are kept.",
    worse: "higher",
    series: "queue failed",
    take: "last",
    across: "sum",
  },
];

const latencyPattern = /^latency p(\d{1,2}(?:\.\d{1,3})?)$/;

/** A metric of the catalogue; null when there is none of that name. `latency p99.9` is the time that 99.9 % of the answers began in. */
export function metricOf(name: string): Metric | null {
  const known = catalogue.find((metric) => metric.name === name);
  if (known !== undefined) return known;
  const percent = latencyPattern.exec(name)?.[1];
  return percent === undefined || Number(percent) === 0 ? null : latencyMetric(name, Number(`${percent}e-2`));
}

/** A metric that a product declares under a name of its own: one number at a time. */
export function declaredMetric(name: string, unit: Unit = "none"): Metric {
  const meaning = "Declared by the product.";
  return { name, unit, meaning, worse: null, series: name, take: "avg", across: "avg" };
}

/** Names to choose from, for completion and for guesses. */
export const metricNames: readonly string[] = [
  ...catalogue.map(({ name }) => name),
  ...[50, 90, 95, 99].map((percent) => `latency p${percent}`),
];

function latencyMetric(name: string, q: number): Metric {
  return {
    name,
    unit: "ms",
    meaning: `Time to the first byte of the answer that ${Number((q * 100).toFixed(3))} % of the requests stayed within.`,
    worse: "higher",
    series: "traffic",
    take: "quantile",
    across: "sum",
    q,
  };
}
