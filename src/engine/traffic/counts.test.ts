import { expect, it } from "vitest";
import { revisionId } from "../../core/ids.ts";
import type { EdgeCounters, EdgeSample } from "../../ports/edge.ts";
import { ManualClock } from "../../testing/engine/manual-clock.ts";
import { EdgeCounts } from "./counts.ts";

const revision = revisionId("rev_1");

/** An edge that gives a sample whenever a test says so. */
class Samples {
  readonly #ready: EdgeSample[] = [];
  #wake: () => void = () => {};

  give(requests: number, at = 0): void {
    const counters: EdgeCounters = {
      requests,
      byClass: [0, requests, 0, 0, 0],
      connectErrors: 0,
      upstreamErrors: 0,
      clientAborts: 0,
      inflight: 0,
      webSockets: 0,
      latency: [],
    };
    this.#ready.push({ at, generation: 1, revisions: { [revision]: counters }, unrouted: 0 });
    this.#wake();
  }

  async *samples(signal: AbortSignal): AsyncGenerator<EdgeSample> {
    signal.addEventListener("abort", () => this.#wake(), { once: true });
    while (!signal.aborted) {
      const sample = this.#ready.shift();
      if (sample !== undefined) yield sample;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }
}

it("knows what a revision had been counted for five minutes ago, and no earlier than it was looked at", async () => {
  const clock = new ManualClock(0);
  const edge = new Samples();
  const silent = { info: () => {}, warn: () => {}, error: () => {} };
  const counts = new EdgeCounts({ edge, clock, log: silent, onReturn: () => {} });
  expect(counts.before(revision)).toEqual({ requests: 0, errors: 0 });
  counts.open();
  for (let second = 0; second <= 900; second += 1) {
    const seen = counts.next(AbortSignal.timeout(10_000));
    edge.give(1_000 + second);
    await seen;
    // Remembered every five seconds, so that much more than five minutes may have passed.
    if (second < 300) expect(counts.before(revision).requests).toBe(1_000);
    else expect(second - (counts.before(revision).requests - 1_000)).toBeLessThan(305);
    clock.advance(1_000);
  }
  expect(counts.of(revision).requests).toBe(1_900);
  await counts.close();
});

it("calls a sample old by the time since it came, whatever the clock of the edge says, and however often it is told", async () => {
  const clock = new ManualClock(0);
  const edge = new Samples();
  const silent = { info: () => {}, warn: () => {}, error: () => {} };
  const counts = new EdgeCounts({ edge, clock, log: silent, onReturn: () => {} });
  const heard = async (at: number): Promise<number | null> => {
    const seen = counts.next(AbortSignal.timeout(10_000));
    edge.give(1, at);
    await seen;
    return counts.ageMs();
  };
  expect(counts.ageMs()).toBeNull();
  counts.open();
  const future = 3_600_000;
  expect(await heard(future)).toBe(0);
  clock.advance(5_000);
  clock.jump(-3_600_000);
  expect(counts.ageMs()).toBe(5_000);
  expect(await heard(future)).toBe(5_000);
  expect(await heard(future + 1)).toBe(0);
  await counts.close();
});
