import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { latencyBoundsMs, quantile } from "./latency.ts";

const bucketOf = (ms: number): number => {
  const index = latencyBoundsMs.findIndex((bound) => ms <= bound);
  return index === -1 ? latencyBoundsMs.length : index;
};

describe("a quantile of a histogram", () => {
  it("is never further from the true one than the bucket it lies in", () => {
    const latencies = fc.array(fc.double({ min: 0.01, max: 29_000, noNaN: true }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(latencies, fc.double({ min: 0.01, max: 1, noNaN: true }), (values, q) => {
        const buckets = new Array<number>(latencyBoundsMs.length + 1).fill(0);
        for (const value of values) buckets[bucketOf(value)]! += 1;
        const sorted = [...values].sort((a, b) => a - b);
        const truth = sorted[Math.max(0, Math.ceil(q * values.length) - 1)] ?? 0;
        const bucket = bucketOf(truth);
        const said = quantile(buckets, q) ?? Number.NaN;
        expect(said).toBeGreaterThanOrEqual(latencyBoundsMs[bucket - 1] ?? 0);
        expect(said).toBeLessThanOrEqual(latencyBoundsMs[bucket] ?? 0);
      }),
    );
  });

  it("is nothing when nothing was counted, and at the last bound for what lies above it", () => {
    const buckets = new Array<number>(latencyBoundsMs.length + 1).fill(0);
    expect(quantile(buckets, 0.5)).toBeNull();
    buckets[latencyBoundsMs.length] = 3;
    expect(quantile(buckets, 0.5)).toBe(30_000);
  });
});
