import { expect, test } from "vitest";
import { latencyBoundsMs } from "../../../core/metric/latency.ts";

import { addCounters, Counters, closedCounters, latencyBucket } from "./counters.ts";

test("a time is counted under the first bound it does not exceed", () => {
  expect(latencyBucket(0)).toBe(0);
  expect(latencyBucket(1)).toBe(0);
  expect(latencyBucket(1.01)).toBe(1);
  expect(latencyBucket(30_000)).toBe(latencyBoundsMs.length - 1);
  expect(latencyBucket(30_001)).toBe(latencyBoundsMs.length);
});

test("counts of workers add up, and an ended worker has nothing open", () => {
  const one = new Counters();
  one.answered(200, 3);
  one.answered(503, 40_000);
  one.inflight = 2;
  const both = addCounters(one, closedCounters(one));
  expect(both).toMatchObject({ requests: 4, byClass: [0, 2, 0, 0, 2], inflight: 2, webSockets: 0 });
  expect(both.latency.reduce((sum, count) => sum + count)).toBe(4);
});
