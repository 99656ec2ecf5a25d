import { describe, expect, it } from "vitest";
import { environmentName, type ReleaseId, type RevisionId, releaseId, revisionId, serviceName } from "../ids.ts";
import { declaredMetric, type Metric, metricNames, metricOf } from "./catalogue.ts";
import type { Selector } from "./labels.ts";
import { latencyBoundsMs } from "./latency.ts";
import type { Measured } from "./measured.ts";
import { MetricMemory, type Query } from "./memory.ts";
import { trafficTally } from "./traffic.ts";

const production = environmentName("production");
const api = serviceName("api");
const labelsOf = (
  revision: string,
): { environment: typeof production; service: typeof api; revision: RevisionId; release: ReleaseId } => ({
  environment: production,
  service: api,
  revision: revisionId(revision),
  release: releaseId("rel_1"),
});
const ask = (name: string, labels: Selector, windowMs: number): Query => ({
  metric: metricOf(name) as Metric,
  labels,
  windowMs,
});

const traffic = (good: number, errors: number, slowMs = 10) => {
  const latency = new Array<number>(latencyBoundsMs.length + 1).fill(0);
  latency[latencyBoundsMs.indexOf(slowMs)] = good + errors;
  return trafficTally({
    requests: good + errors,
    byClass: [0, good, 0, 0, errors],
    connectErrors: 0,
    upstreamErrors: 0,
    clientAborts: 0,
    latency,
  });
};
const value = (measured: Measured): number | string => (measured.is === "known" ? measured.value : measured.why);

describe("what is measured", () => {
  it("of traffic is a ratio, a rate and a latency, for one revision and for all of a service", () => {
    const memory = new MetricMemory();
    for (const [revision, bad] of [
      ["rev_1", 0],
      ["rev_2", 1],
    ] as const) {
      for (let step = 0; step <= 10; step += 1) {
        const at = step * 1_000;
        memory.record({
          metric: "traffic",
          labels: labelsOf(revision),
          at,
          value: traffic(step * 9, step * bad, bad === 1 ? 1000 : 10),
          holdMs: 2_500,
        });
      }
    }
    expect(memory.measure(ask("error ratio", labelsOf("rev_2"), 10_000), 10_000)).toEqual({
      is: "known",
      value: 0.1,
      count: 100,
      covered: 1,
      from: 0,
      to: 10_000,
    });
    expect(value(memory.measure(ask("error ratio", { service: api }, 10_000), 10_000))).toBeCloseTo(10 / 190);
    expect(value(memory.measure(ask("requests", { service: api }, 10_000), 10_000))).toBeCloseTo(19);
    expect(value(memory.measure(ask("latency p95", { service: api }, 10_000), 10_000))).toBeGreaterThan(794);
    expect(value(memory.measure(ask("latency p40", { service: api }, 10_000), 10_000))).toBeLessThanOrEqual(10);
    expect(value(memory.measure(ask("error ratio", { environment: environmentName("staging") }, 10_000), 10_000))).toBe(
      "error ratio has never been measured here",
    );
  });

  it("is unknown when nobody asked anything, and when nobody looked", () => {
    const memory = new MetricMemory();
    for (const at of [0, 1_000, 2_000])
      memory.record({ metric: "traffic", labels: labelsOf("rev_1"), at, value: traffic(5, 1), holdMs: 2_500 });
    const query = ask("error ratio", {}, 2_000);
    expect(value(memory.measure(query, 2_000))).toBe("there was nothing to count in the last 2s");
    expect(value(memory.measure(query, 60_000))).toBe("error ratio was not counted in the last 2s");
    expect(value(memory.measure(ask("latency p99", {}, 2_000), 2_000))).toBe("nothing was answered in the last 2s");
    // No requests at all is known to be none.
    expect(value(memory.measure(ask("requests", {}, 2_000), 2_000))).toBe(0);
  });

  it("of a truth is the share of known time in which it was true, and the worst of several", () => {
    const memory = new MetricMemory();
    const health = (revision: string, at: number, up: 0 | 1): boolean =>
      memory.record({ metric: "health", labels: labelsOf(revision), at, value: up, holdMs: 1_000 });
    for (let at = 0; at < 10_000; at += 500) health("rev_1", at, 1);
    for (let at = 0; at < 5_000; at += 500) health("rev_2", at, at < 4_000 ? 1 : 0);
    // It vanished at 5.5 s: what came then is unknown, neither healthy nor not.
    const measured = memory.measure(ask("health", { revision: revisionId("rev_2") }, 10_000), 10_000);
    expect(measured).toMatchObject({ is: "known", covered: 0.55 });
    expect(value(measured)).toBeCloseTo(4_000 / 5_500);
    expect(value(memory.measure(ask("health", {}, 10_000), 10_000))).toBeCloseTo(4_000 / 5_500);
    expect(memory.points(ask("health", { revision: revisionId("rev_2") }, 10_000), 2_000, 10_000)).toEqual([
      1,
      1,
      0,
      null,
      null,
    ]);
  });

  it("of a declared metric is its average by time, its last value, or an extreme", () => {
    const memory = new MetricMemory();
    const metric = declaredMetric("basket size");
    const labels = { environment: production };
    for (const [at, size] of [
      [0, 10],
      [1_000, 20],
      [4_000, 1],
    ] as const)
      memory.record({ metric: metric.name, labels, at, value: size, holdMs: 10_000 });
    const query = { metric, labels, windowMs: 5_000 };
    expect(value(memory.measure(query, 5_000))).toBeCloseTo((10 + 3 * 20 + 1) / 5);
    expect(value(memory.measure({ ...query, take: "last" }, 5_000))).toBe(1);
    expect(value(memory.measure({ ...query, take: "max" }, 5_000))).toBe(20);
    expect(value(memory.measure({ ...query, take: "min" }, 5_000))).toBe(1);
    expect(value(memory.measure({ ...query, take: "ratio" }, 5_000))).toBe(
      "basket size is no counter, so it has no ratio",
    );
  });

  it("is refused when it is no number, and leaves no trace", () => {
    const memory = new MetricMemory();
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, [], [1, Number.NaN]])
      expect(memory.record({ metric: "cpu", labels: {}, at: 1, value: bad, holdMs: 1_000 })).toBe(false);
    expect(memory.size).toBe(0);
    memory.record({ metric: "cpu", labels: {}, at: 1, value: 0.5, holdMs: 1_000 });
    expect(memory.record({ metric: "cpu", labels: {}, at: 2, value: [1, 2], holdMs: 1_000 })).toBe(false);
  });

  it("is bounded: what has been silent for longest makes room", () => {
    const memory = new MetricMemory({ maxSeries: 100 });
    for (let index = 0; index < 1_000; index += 1)
      memory.record({ metric: "cpu", labels: { host: `h${index}` }, at: index, value: 1, holdMs: 1_000 });
    expect(memory.size).toBeLessThanOrEqual(100);
    expect(memory.labels(metricOf("cpu") as Metric, { host: "h999" })).toHaveLength(1);
    memory.forgetSilentSince(999);
    expect(memory.size).toBe(1);
  });
});

describe("the catalogue", () => {
  it("knows every name it offers, and any percentile of latency", () => {
    for (const name of metricNames) expect(metricOf(name)?.name).toBe(name);
    expect(metricOf("latency p99.9")).toMatchObject({ q: 0.999, unit: "ms" });
    for (const none of ["latency p0", "latency p100", "latency", "latency p-1", "cpus", ""])
      expect(metricOf(none)).toBeNull();
  });
});
