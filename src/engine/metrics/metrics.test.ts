import { describe, expect, it } from "vitest";
import { environmentName, releaseId, revisionId, serviceName } from "../../core/ids.ts";
import { type Metric, metricOf } from "../../core/metric/catalogue.ts";
import { latencyBoundsMs } from "../../core/metric/latency.ts";
import type { EdgeSample } from "../../ports/edge.ts";
import { ManualClock } from "../../testing/engine/manual-clock.ts";
import { EdgeSource } from "./edge-source.ts";
import { Metrics } from "./metrics.ts";
import type { RevisionLabels } from "./revisions.ts";

const labels: RevisionLabels = {
  environment: environmentName("production"),
  service: serviceName("web"),
  revision: revisionId("rev_1"),
  release: releaseId("rel_1"),
};
const other: RevisionLabels = { ...labels, revision: revisionId("rev_2"), release: releaseId("rel_2") };
const cpu = metricOf("cpu") as Metric;
const errorRatio = metricOf("error ratio") as Metric;
const requests = metricOf("requests") as Metric;
const never = new AbortController().signal;

const sample = (at: number, counts: Readonly<Record<string, readonly [good: number, bad: number]>>): EdgeSample => ({
  at,
  generation: 1,
  unrouted: 0,
  revisions: Object.fromEntries(
    Object.entries(counts).map(([revision, [good, bad]]) => [
      revision,
      {
        requests: good + bad,
        byClass: [0, good, 0, 0, bad],
        connectErrors: 0,
        upstreamErrors: 0,
        clientAborts: 0,
        inflight: 1,
        webSockets: 0,
        latency: latencyBoundsMs.map(() => 0).concat(good + bad),
      },
    ]),
  ),
});

describe("what is measured", () => {
  it("is neither stretched nor lost when somebody sets the clock", () => {
    const clock = new ManualClock(1_000_000_000);
    const metrics = new Metrics({ clock });
    for (const [second, jumpMs] of [0, 0, -3_600_000, 0, 86_400_000, 0].entries()) {
      clock.advance(1_000);
      clock.jump(jumpMs);
      metrics.record([{ metric: "cpu", labels, value: second, holdMs: 2_500 }]);
    }
    expect(metrics.measure({ metric: cpu, labels, windowMs: 5_000 })).toMatchObject({ value: 2, covered: 1 });
    expect(metrics.time.wall(metrics.time.now())).toBe(clock.now());
  });

  it("wakes those who wait for it, and only them", async () => {
    const clock = new ManualClock(0);
    const metrics = new Metrics({ clock });
    const woken: string[] = [];
    const web = metrics.news({ service: serviceName("web") }, 60_000, never).then(() => woken.push("web"));
    const api = metrics.news({ service: serviceName("api") }, 60_000, never).then(() => woken.push("api"));
    metrics.record([{ metric: "cpu", labels, value: Number.NaN, holdMs: 1_000 }]);
    metrics.record([{ metric: "cpu", labels, value: 1, holdMs: 1_000 }]);
    await web;
    expect(woken).toEqual(["web"]);
    clock.advance(60_000);
    await api;
    const gone = new AbortController();
    const waiting = metrics.news({}, 60_000, gone.signal);
    gone.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
  });
});

describe("what an edge counts", () => {
  const known = new Map([[labels.revision, labels]]);
  const revisions = { known: (id: typeof labels.revision) => known.get(id) ?? null, find: async () => find };
  let find: RevisionLabels | null = null;

  it("is kept with the release and the service that it is about, from a revision's first request on", async () => {
    const clock = new ManualClock(50_000);
    const metrics = new Metrics({ clock });
    const source = new EdgeSource({ metrics, revisions });
    source.take("embedded", sample(1, { rev_1: [1_000, 3] }));
    clock.advance(250);
    // Its clock is its own: what counts is when its samples come.
    source.take("embedded", sample(900, { rev_1: [1_010, 3] }));
    clock.advance(250);
    find = other;
    source.take("embedded", sample(800, { rev_1: [1_020, 3], rev_2: [3, 1] }));
    await Promise.resolve();
    await Promise.resolve();
    known.set(other.revision, other);
    clock.advance(250);
    source.take("embedded", sample(700, { rev_1: [1_030, 3], rev_2: [9, 1] }));
    expect(metrics.measure({ metric: errorRatio, labels: { release: other.release }, windowMs: 10_000 })).toMatchObject(
      {
        value: 0.1,
        count: 10,
      },
    );
    expect(metrics.measure({ metric: requests, labels: { release: labels.release }, windowMs: 10_000 })).toMatchObject({
      value: 40,
      count: 30,
    });
  });

  it("is unknown when the edge says the same over and over, or nothing any more", () => {
    const clock = new ManualClock(50_000);
    const metrics = new Metrics({ clock });
    const source = new EdgeSource({ metrics, revisions });
    source.take("embedded", sample(1, { rev_1: [0, 0] }));
    for (let look = 0; look < 40; look += 1) {
      clock.advance(250);
      source.take("embedded", sample(2, { rev_1: [10, 10] }));
    }
    expect(metrics.measure({ metric: errorRatio, labels, windowMs: 10_000 })).toMatchObject({ covered: 0.025 });
    expect(metrics.measure({ metric: errorRatio, labels, windowMs: 5_000 }).is).toBe("unknown");
  });
});
