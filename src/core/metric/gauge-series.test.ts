import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GaugeSeries } from "./gauge-series.ts";

type Taken = { readonly at: number; readonly value: number };

/** Slow and obvious: looks at every millisecond. */
function slowly(samples: readonly Taken[], holdMs: number, from: number, to: number) {
  let coveredMs = 0;
  let integral = 0;
  for (let at = from; at < to; at += 1) {
    const newest = samples.findLast((sample) => sample.at <= at);
    if (newest === undefined || at - newest.at >= holdMs) continue;
    coveredMs += 1;
    integral += newest.value;
  }
  return { coveredMs, integral };
}

describe("a number over time", () => {
  it("counts each sample as long as it held, the one from before the window included", () => {
    const samples = fc.array(
      fc.record({ after: fc.integer({ min: 1, max: 40 }), value: fc.integer({ min: -5, max: 5 }) }),
      {
        minLength: 1,
        maxLength: 30,
      },
    );
    fc.assert(
      fc.property(samples, fc.integer({ min: 1, max: 30 }), fc.nat(400), fc.nat(400), (steps, holdMs, a, b) => {
        const series = new GaugeSeries(holdMs);
        const taken: Taken[] = [];
        let at = 0;
        for (const { after, value } of steps) {
          at += after;
          taken.push({ at, value });
          expect(series.add(at, value)).toBe(true);
        }
        const [from, to] = [Math.min(a, b), Math.max(a, b)];
        const { coveredMs = 0, integral = 0 } = series.over({ from, to }) ?? {};
        expect({ coveredMs, integral: integral + 0 }).toEqual(slowly(taken, holdMs, from, to));
      }),
      { numRuns: 300 },
    );
  });

  it("knows nothing after its last sample has held, and says nothing instead of zero", () => {
    const series = new GaugeSeries(250);
    expect(series.last(0)).toBeNull();
    series.add(1_000, 7);
    expect(series.last(1_250)).toEqual({ at: 1_000, value: 7 });
    expect(series.last(1_251)).toBeNull();
    expect(series.over({ from: 2_000, to: 3_000 })).toBeNull();
  });

  it("refuses NaN, infinities, and what is not newer", () => {
    const series = new GaugeSeries(1_000);
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
      expect(series.add(1, bad)).toBe(false);
    expect(series.add(100, 1)).toBe(true);
    expect(series.add(100, 2)).toBe(false);
    expect(series.add(99, 2)).toBe(false);
    expect(series.last(100)?.value).toBe(1);
  });

  it("is remembered for two hours in bounded memory, with the same averages and extremes", () => {
    const series = new GaugeSeries(2_500);
    const end = 3 * 3_600_000;
    for (let at = 0; at <= end; at += 1_000) series.add(at, at / 1_000);
    for (const back of [60_000, 600_000, 3_600_000, 7_100_000]) {
      const stretch = series.over({ from: end - back, to: end });
      expect(stretch?.max).toBe(end / 1_000);
      expect(Math.abs((stretch?.min ?? 0) - (end - back) / 1_000)).toBeLessThanOrEqual(10);
      const average = (stretch?.integral ?? 0) / (stretch?.coveredMs ?? 1);
      expect(Math.abs(average - (end - back / 2) / 1_000)).toBeLessThanOrEqual(6);
    }
    expect(series.over({ from: 0, to: 1_000_000 })).toBeNull();
  });
});
