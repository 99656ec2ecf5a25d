import { describe, expect, it } from "vitest";
import type { Edge, EdgeSample } from "../../ports/edge.ts";
import type { Backend } from "../conformance/edge/backend.ts";
import { countsOf } from "../conformance/edge/samples.ts";
import { configOn, revisionOf, table, target } from "../conformance/edge/tables.ts";
import { type SimGate, simEdge } from "./edge.ts";
import { Gateway, type Loss } from "./gateway.ts";
import { Life } from "./life.ts";
import { Random } from "./random.ts";
import { Timeline } from "./timeline.ts";

/** A place that listens, as far as a simulated edge needs one. */
function backend(label: string, port: number): Backend {
  const nothing = { seen: new Map(), heads: [], waiting: () => 0, open: () => {}, close: async () => {} };
  return { label, address: `10.0.0.1:${port}`, ...nothing };
}

type Bench = {
  readonly edge: Edge;
  readonly gateway: Gateway;
  readonly timeline: Timeline;
  readonly lost: Loss[];
  again(): Edge;
  listen(backend: Backend, isOn?: boolean): void;
  busy(backend: Backend, forMs: number): void;
  /** Who answers so many requests: label → how many. */
  answers(count: number): Record<string, number>;
  sample(): Promise<EdgeSample>;
};

const [a, b, other] = [backend("a", 1), backend("b", 2), backend("a", 3)];

/** Runs a test in a world of its own, whose time passes when it waits. */
async function inWorld(test: (bench: Bench) => Promise<void>): Promise<void> {
  const timeline = new Timeline();
  const listening = new Set([a.address, b.address]);
  const busy = new Map<string, number>();
  const lost: Loss[] = [];
  const well = { errorRatio: 0, latencyFactor: 1, healthy: true, latencyMs: 10 };
  const gateway = new Gateway({
    timeline,
    random: new Random(5, "edge"),
    upstreams: {
      condition: (address) => (listening.has(address) ? well : null),
      busy: () => {},
      busyUntilMs: (address) => busy.get(address) ?? 0,
      given: () => {},
    },
    arrivals: () => 0,
    onLost: (loss) => void lost.push(loss),
  });
  const gate: SimGate = { gateway, timeline, config: null, trouble: null, onTable: () => {} };
  const edge = simEdge(gate, new Life(1));
  const bench: Bench = {
    edge,
    gateway,
    timeline,
    lost,
    again: () => simEdge(gate, new Life(2)),
    listen: ({ address }, isOn = true) => void (isOn ? listening.add(address) : listening.delete(address)),
    busy: ({ address }, forMs) => void busy.set(address, timeline.nowMs + forMs),
    answers: (count) => {
      const found: Record<string, number> = {};
      for (let index = 0; index < count; index += 1) {
        const answer = gateway.request("web");
        const by = answer === null ? "waits" : (answer.by?.replace("rev_", "") ?? String(answer.status));
        found[by] = (found[by] ?? 0) + 1;
      }
      return found;
    },
    sample: async () => {
      for await (const sample of edge.samples(new AbortController().signal)) return sample;
      throw new Error("no sample came");
    },
  };
  let over = false;
  const running = edge
    .start(configOn(80))
    .then(() => test(bench))
    .finally(() => {
      over = true;
    });
  running.catch(() => {});
  expect(await timeline.run(() => over, 600_000)).toBe(true);
  await running;
}

/** The sentences of the edges' suite that say what a table, a hold, a drain and a count mean; the others are about sockets. */
describe("the simulated edge", () => {
  it("routes every later request by an acknowledged table, in shares that follow the weights within half a point", () =>
    inWorld(async ({ edge, answers }) => {
      await edge.apply(table(1, [target(a, 10_000)]));
      expect(answers(50)).toEqual({ a: 50 });
      await edge.apply(table(2, [target(b, 10_000), target(a, 0)]));
      expect(answers(50)).toEqual({ b: 50 });
      await edge.apply(table(3, [target(b, 2_500), target(a, 7_500)]));
      expect(Math.abs((answers(40_000).b ?? 0) / 40_000 - 0.25)).toBeLessThanOrEqual(0.005);
    }));

  it("leaves the table in force where it refuses one, and lets another control plane go on from it", () =>
    inWorld(async ({ edge, again, answers }) => {
      await edge.apply(table(2, [target(a, 10_000)]));
      for (const bad of [table(3, [target(b, 5_000)]), table(2, [target(b, 10_000)]), table(1, [target(b, 10_000)])])
        await expect(edge.apply(bad)).rejects.toMatchObject({ code: "EDGE_REFUSED_TABLE" });
      expect(answers(5)).toEqual({ a: 5 });
      await edge.apply(table(2, [target(a, 10_000)]));
      expect(await again().current()).toEqual(table(2, [target(a, 10_000)]));
      await again().apply(table(3, [target(b, 10_000)]));
      expect(answers(5)).toEqual({ b: 5 });
    }));

  it("has the fallback, another revision or a neighbour answer for what cannot be connected to, and counts whose fault it was", () =>
    inWorld(async ({ edge, answers, listen, sample, lost }) => {
      listen(b, false);
      await edge.apply(table(1, [target(b, 10_000), target(a, 0, { fallback: true })]));
      expect(answers(20)).toEqual({ a: 20 });
      expect(countsOf(await sample(), "b")).toMatchObject({ connectErrors: 20, requests: 0 });
      await edge.apply(table(2, [target(b, 5_000), target(a, 5_000)]));
      expect(answers(20)).toEqual({ a: 20 });
      await edge.apply(table(3, [target([a, other], 10_000)]));
      expect(answers(20)).toEqual({ a: 20 });
      expect(lost).toEqual([]);
      await edge.apply(table(4, [target(b, 10_000)]));
      expect(answers(3)).toEqual({ b: 3 });
      expect(lost.map(({ why }) => why)).toEqual(["unreachable", "unreachable", "unreachable"]);
      expect(countsOf(await sample(), "b").byClass[4]).toBe(3);
    }));

  it("holds requests until they are released or their time is over; more than may wait are refused at once", () =>
    inWorld(async ({ edge, answers, gateway, timeline, lost }) => {
      await edge.apply(table(1, [target(a, 10_000)]));
      await edge.hold("web", { maxMs: 20_000, maxQueued: 5 });
      expect(answers(12)).toEqual({ waits: 5, 503: 7 });
      await edge.apply(table(2, [target(b, 10_000)]));
      await edge.hold("web", null);
      expect(gateway.answeredOf(revisionOf("b")).requests).toBe(5);
      await edge.hold("web", { maxMs: 500, maxQueued: 10 });
      expect(answers(2)).toEqual({ waits: 2 });
      await timeline.wait(501);
      expect(lost.at(-1)).toMatchObject({ count: 2, why: "held" });
      expect(answers(2)).toEqual({ b: 2 });
    }));

  it("drains what gets no new requests, and of a revision that keeps its weight only the instances that were left out", () =>
    inWorld(async ({ edge, busy, timeline }) => {
      const limits = { timeoutMs: 10_000, streamLimitMs: 60_000 };
      await edge.apply(table(1, [target([a, other], 10_000)]));
      busy(a, 90_000);
      busy(other, 3_000);
      await edge.apply(table(2, [target(a, 10_000)]));
      const began = timeline.nowMs;
      expect(await edge.drain(revisionOf("a"), limits)).toEqual({ inflight: 0 });
      expect(timeline.nowMs - began).toBeGreaterThan(2_900);
      expect(timeline.nowMs - began).toBeLessThan(3_100);
      await edge.apply(table(3, [target(b, 10_000)]));
      expect(await edge.drain(revisionOf("a"), limits)).toEqual({ inflight: 1 });
      expect(timeline.nowMs - began).toBeGreaterThan(13_000);
    }));

  it("tells what it has counted at once and then every 250 ms, and begins at zero when it was restarted", () =>
    inWorld(async ({ edge, answers, gateway, timeline }) => {
      await edge.apply(table(1, [target(a, 10_000)]));
      answers(31);
      const stop = new AbortController();
      const times: number[] = [];
      for await (const sample of edge.samples(stop.signal)) {
        times.push(timeline.nowMs);
        const { requests, byClass, latency } = countsOf(sample, "a");
        expect([requests, byClass[1], latency.reduce((sum, count) => sum + count, 0)]).toEqual([31, 31, 31]);
        if (times.length === 4) stop.abort();
      }
      expect(times.map((at) => at - (times[0] ?? 0))).toEqual([0, 250, 500, 750]);
      gateway.restart({ forgetful: false });
      expect(answers(2)).toEqual({ a: 2 });
      expect(gateway.answeredOf(revisionOf("a")).requests).toBe(2);
    }));
});
