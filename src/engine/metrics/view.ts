import type { EnvironmentName, EpochMs, ServiceName } from "../../core/ids.ts";
import { declaredMetric, type Metric, metricOf } from "../../core/metric/catalogue.ts";
import type { Query } from "../../core/metric/measure.ts";
import type { Measured, Take } from "../../core/metric/measured.ts";
import type { MetricSpec } from "../../core/product/probe-spec.ts";
import type { Metrics } from "./metrics.ts";

/** One metric of one service, or of an environment as a whole, as a person looks at it. */
export type MetricReading = {
  readonly environment: EnvironmentName;
  readonly service: ServiceName | null;
  /** The probe or metric of the config that it comes from; null where it needs none. */
  readonly probe: string | null;
  readonly metric: string;
  readonly unit: Metric["unit"];
  /** Over the last minute, or the newest there is. */
  readonly now: Measured;
  /** Over the window, step by step, oldest first; null where nothing is known. */
  readonly points: readonly (number | null)[];
  readonly stepMs: number;
};

export type ProbeReading = {
  readonly environment: EnvironmentName;
  readonly service: ServiceName | null;
  readonly name: string;
  readonly kind: string;
  /** Null before its first look. */
  readonly last: {
    readonly is: "pass" | "fail" | "unknown";
    readonly saw: string;
    readonly tookMs: number;
    readonly at: EpochMs;
  } | null;
  readonly points: readonly (number | null)[];
  readonly stepMs: number;
};

const shown: readonly { readonly name: string; readonly take?: Take }[] = [
  { name: "requests" },
  { name: "error ratio" },
  { name: "latency p50" },
  { name: "latency p95" },
  { name: "latency p99" },
  { name: "in flight" },
  { name: "cpu" },
  { name: "memory" },
  { name: "memory share" },
  { name: "restarts" },
  { name: "health" },
  { name: "uptime" },
];
const ofProbes = ["queue delay", "queue depth", "queue failed", "certificate days"];

const minute = 60_000;
const steps = 30;

type Where = { readonly environment?: EnvironmentName; readonly service?: ServiceName };

/** Everything that is measured there, with a plot of the window. */
export function metricReadings(metrics: Metrics, where: Where, windowMs: number): readonly MetricReading[] {
  const stepMs = Math.max(1_000, Math.round(windowMs / steps));
  const found: MetricReading[] = [];
  const read = (query: Omit<Query, "windowMs">, at: Pick<MetricReading, "environment" | "service" | "probe">): void => {
    const now = metrics.measure({ ...query, windowMs: minute });
    const points = metrics.points({ ...query, windowMs: stepMs * steps }, stepMs);
    // What is asked for and could not be read is shown, with the reason.
    const isAsked = at.probe === query.metric.name && metrics.unread(query) !== null;
    if (now.is === "unknown" && points.every((point) => point === null) && !isAsked) return;
    found.push({ ...at, metric: query.metric.name, unit: query.metric.unit, now, points, stepMs });
  };
  for (const { environment, service } of placesOf(metrics, where)) {
    for (const { name, take } of shown) {
      const metric = metricOf(name);
      if (metric === null || (service === null && metric.series !== "uptime")) continue;
      const labels = { environment, service };
      read({ metric, labels, ...(take !== undefined && { take }) }, { environment, service, probe: null });
    }
  }
  for (const { environment, kind, spec } of metrics.declared?.all() ?? []) {
    if (!isThere(where, environment, spec.service)) continue;
    const at = { environment, service: spec.service, probe: spec.name };
    const labels = { environment, probe: spec.name };
    const own = kind === "metric" ? [declaredMetric(spec.name, (spec as MetricSpec).unit)] : ofProbes.map(metricOf);
    for (const metric of own) if (metric !== null) read({ metric, labels, take: "last" }, at);
  }
  return found;
}

export function probeReadings(metrics: Metrics, where: Where, windowMs: number): readonly ProbeReading[] {
  const metric = metricOf("probe") as Metric;
  const stepMs = Math.max(1_000, Math.round(windowMs / steps));
  return (metrics.declared?.all() ?? []).flatMap(({ environment, kind, spec, last }) => {
    if (kind !== "probe" || !isThere(where, environment, spec.service)) return [];
    const labels = { environment, probe: spec.name };
    const points = metrics.points({ metric, labels, windowMs: stepMs * steps }, stepMs);
    const seen = last === null ? null : { is: last.is, saw: last.saw, tookMs: last.tookMs, at: last.at };
    return [{ environment, service: spec.service, name: spec.name, kind: spec.check.kind, last: seen, points, stepMs }];
  });
}

export type UptimeReading = {
  readonly environment: EnvironmentName;
  /** Null: the environment as a whole. */
  readonly service: ServiceName | null;
  /** Of the known time; null when nothing is known. */
  readonly up: number | null;
  /** The share of the time that is known: the rest is neither up nor down. */
  readonly known: number;
  /** By the day (UTC), oldest first; the last one is today so far. */
  readonly days: readonly { readonly up: number | null; readonly known: number }[];
};

const dayMs = 24 * 3_600_000;

/** Uptime of so many days, today included, of each service and of each environment as a whole. */
export async function uptimeReadings(metrics: Metrics, where: Where, days: number): Promise<readonly UptimeReading[]> {
  const { past, time } = metrics;
  if (past === null) return [];
  const metric = metricOf("uptime") as Metric;
  const now = time.wall(time.now());
  const begin = Math.floor(now / dayMs) * dayMs - (days - 1) * dayMs;
  const found: UptimeReading[] = [];
  for (const labels of await past.labels("uptime", where)) {
    const { environment, service = null } = labels;
    if (environment === undefined) continue;
    const query = { metric, labels: { environment, service }, windowMs: now - begin };
    const stretches = await past.steps(query, dayMs, begin);
    const read = stretches.map((stretch, index) => {
      const lengthMs = Math.min(dayMs, now - (begin + index * dayMs));
      const coveredMs = Math.min(lengthMs, stretch?.coveredMs ?? 0);
      return { upMs: Math.min(coveredMs, stretch?.integral ?? 0), coveredMs, lengthMs };
    });
    const sum = (key: "upMs" | "coveredMs" | "lengthMs"): number => read.reduce((total, day) => total + day[key], 0);
    found.push({
      environment,
      service,
      up: share(sum("upMs"), sum("coveredMs")),
      known: share(sum("coveredMs"), sum("lengthMs")) ?? 0,
      days: read.map(({ upMs, coveredMs, lengthMs }) => ({
        up: share(upMs, coveredMs),
        known: share(coveredMs, lengthMs) ?? 0,
      })),
    });
  }
  const order = (one: UptimeReading): string => `${one.environment} ${one.service ?? ""}`;
  return found.sort((a, b) => order(a).localeCompare(order(b)));
}

const share = (part: number, whole: number): number | null => (whole > 0 ? part / whole : null);

function placesOf(metrics: Metrics, where: Where): { environment: EnvironmentName; service: ServiceName | null }[] {
  const places = new Map<string, { environment: EnvironmentName; service: ServiceName | null }>();
  for (const series of ["uptime", "health", "traffic", "cpu"])
    for (const { environment, service = null } of metrics.labels(series, where))
      if (environment !== undefined) places.set(`${environment} ${service ?? ""}`, { environment, service });
  return [...places].sort(([a], [b]) => a.localeCompare(b)).map(([, place]) => place);
}

function isThere(where: Where, environment: EnvironmentName, service: ServiceName | null): boolean {
  return (where.environment ?? environment) === environment && (where.service ?? service) === service;
}
