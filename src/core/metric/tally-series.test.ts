import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TallySeries } from "./tally-series.ts";

const counted = (series: TallySeries, from: number, to: number): number[] | null => {
  const increase = series.increase({ from, to });
  return increase === null ? null : [...increase.by];
};

describe("counters over time", () => {
  it("give what was counted between two reads, whatever began anew in between", () => {
    const steps = fc.array(fc.record({ good: fc.nat(50), bad: fc.nat(50), anew: fc.boolean() }), {
      minLength: 2,
      maxLength: 60,
    });
    fc.assert(
      fc.property(steps, fc.nat(59), fc.nat(59), (all, a, b) => {
        const series = new TallySeries(2, 1_000);
        const [first, last] = [a % all.length, b % all.length].sort((x, y) => x - y) as [number, number];
        const expected = [0, 0];
        let read = [1_000, 1_000];
        for (const [index, { good, bad, anew }] of all.entries()) {
          const before = read;
          read = anew ? [good, bad] : [(before[0] ?? 0) + good, (before[1] ?? 0) + bad];
          expect(series.add(index * 100, read)).toBe(true);
          if (index <= first || index > last) continue;
          const lower = read.some((count, column) => count < (before[column] ?? 0));
          for (const column of [0, 1]) expected[column]! += (read[column] ?? 0) - (lower ? 0 : (before[column] ?? 0));
        }
        if (first < last) expect(counted(series, first * 100, last * 100)).toEqual(expected);
      }),
    );
  });

  it("of many columns, of which few count, and some for the first time late, are told in their places", () => {
    const steps = fc.array(fc.record({ column: fc.nat(19), by: fc.nat(3) }), { minLength: 2, maxLength: 900 });
    fc.assert(
      fc.property(steps, fc.nat(899), fc.nat(899), (all, a, b) => {
        const series = new TallySeries(20, 1_000);
        const [first, last] = [a % all.length, b % all.length].sort((x, y) => x - y) as [number, number];
        const read = new Array<number>(20).fill(7);
        const reads = all.map(({ column, by }, index) => {
          read[column]! += by;
          series.add(index * 250, [...read]);
          return [...read];
        });
        const increase = series.counted({ from: first * 250, to: last * 250 });
        if (increase === null) {
          expect(last).toBe(first);
          return;
        }
        const at = (time: number): readonly number[] => reads[time / 250] ?? [];
        const [from, to] = [at(increase.from), at(increase.to)];
        expect([...increase.by]).toEqual(to.map((count, column) => count - (from[column] ?? 0)));
      }),
      { numRuns: 30 },
    );
  });

  it("that began anew have counted what they show", () => {
    const series = new TallySeries(2, 1_000);
    series.add(100, [50, 5]);
    series.add(200, [60, 5]);
    series.add(300, [7, 0]);
    expect(counted(series, 100, 300)).toEqual([17, 0]);
    // More requests than before, but fewer errors: only a new counting explains that.
    series.add(400, [90, 0]);
    series.add(500, [95, 2]);
    series.add(600, [200, 1]);
    expect(counted(series, 500, 600)).toEqual([200, 1]);
  });

  it("have no increase with one read, and none where nobody looked", () => {
    const series = new TallySeries(1, 1_000);
    expect(counted(series, 0, 1_000)).toBeNull();
    series.add(100, [5]);
    expect(counted(series, 0, 1_000)).toBeNull();
    series.add(200, [9]);
    expect(counted(series, 0, 1_000)).toEqual([4]);
    expect(counted(series, 5_000, 6_000)).toBeNull();
  });

  it("do not say that what happened in a gap happened in the window behind it", () => {
    const series = new TallySeries(1, 1_000);
    series.add(1_000, [10]);
    series.add(600_000, [1_000]);
    series.add(600_500, [1_001]);
    const increase = series.increase({ from: 599_000, to: 601_000 });
    expect(increase).toMatchObject({ coveredMs: 500, from: 600_000, to: 600_500 });
    expect([...(increase?.by ?? [])]).toEqual([1]);
    // Over the gap as a whole it is known what was counted, and that nobody saw when.
    const whole = series.increase({ from: 1_000, to: 601_000 });
    expect([...(whole?.by ?? [])]).toEqual([991]);
    expect(whole?.coveredMs).toBe(500);
  });

  it("refuse what is no counter, what has another shape, and what is not newer", () => {
    const series = new TallySeries(2, 1_000);
    expect(series.add(100, [1, 1])).toBe(true);
    for (const bad of [[Number.NaN, 1], [-1, 1], [1, Number.POSITIVE_INFINITY], [1], [1, 1, 1], []])
      expect(series.add(200, bad)).toBe(false);
    expect(series.add(100, [2, 2])).toBe(false);
    expect(series.add(50, [2, 2])).toBe(false);
    expect(series.add(Number.NaN, [2, 2])).toBe(false);
    expect(series.read).toEqual([1, 1]);
  });

  it("are remembered for two hours in bounded memory, and no count is lost by remembering less closely", () => {
    const series = new TallySeries(1, 1_000);
    const end = 4 * 3_600_000;
    for (let at = 0, count = 0; at <= end; at += 250, count += 1) series.add(at, [count]);
    for (const back of [1_000, 30_000, 300_000, 3_600_000, 6_000_000]) {
      const increase = series.increase({ from: end - back, to: end });
      const seen = increase?.by[0] ?? 0;
      // Ten seconds are the coarsest grain of where a window begins.
      expect(seen).toBeGreaterThanOrEqual(back / 250);
      expect(seen).toBeLessThanOrEqual(back / 250 + 40);
      expect(increase?.coveredMs).toBe(seen * 250);
    }
  });
});
