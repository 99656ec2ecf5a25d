import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GaugeSeries, mergeStretches, type Stretch } from "./gauge-series.ts";
import {
  coarserCounts,
  coarserNumbers,
  decodeCounts,
  decodeNumbers,
  encodeCounts,
  encodeNumbers,
  finestFor,
  levels,
} from "./slots.ts";
import { TallySeries } from "./tally-series.ts";

const samples = fc.array(
  fc.record({ after: fc.integer({ min: 100, max: 4_000 }), value: fc.integer({ min: 0, max: 9 }) }),
  {
    minLength: 1,
    maxLength: 60,
  },
);

describe("what is kept of a number", () => {
  it("says the same of an hour, whether it is read at once or was kept by the second and made coarser and coarser", () => {
    fc.assert(
      fc.property(samples, (steps) => {
        const series = new GaugeSeries(2_500);
        let at = 0;
        for (const { after, value } of steps) {
          at += after;
          series.add(at, value);
        }
        const whole = series.over({ from: 0, to: 240_000 }) as Stretch;
        const seconds = Array.from({ length: 240 }, (_, index) => {
          const from = index * 1_000;
          const stretch = series.over({ from, to: from + 1_000 });
          return stretch === null ? [] : [{ index, stretch: { ...stretch, from } }];
        }).flat();
        const read = decodeNumbers(encodeNumbers(seconds), 0, 1_000);
        const coarse = coarserNumbers(coarserNumbers(read, 0, 10_000), 0, 60_000);
        const merged = coarse.map(({ stretch }) => stretch).reduce(mergeStretches);
        for (const key of ["coveredMs", "integral", "min", "max"] as const)
          expect(merged[key], key).toBeCloseTo(whole[key], 3);
      }),
    );
  });

  it("takes little room while it stays the same", () => {
    const stretch = {
      from: 0,
      to: 60_000,
      count: 60,
      sum: 60,
      min: 1,
      max: 1,
      last: 1,
      coveredMs: 60_000,
      integral: 60_000,
    };
    const text = encodeNumbers(Array.from({ length: 10 }, (_, index) => ({ index, stretch })));
    expect(text.length).toBeLessThan(200);
    expect(decodeNumbers(text, 0, 60_000)[9]?.stretch).toEqual({ ...stretch, from: 540_000, to: 600_000 });
  });
});

describe("what is kept of counters", () => {
  it("loses no count by being made coarser", () => {
    fc.assert(
      fc.property(samples, (steps) => {
        const series = new TallySeries(3, 5_000);
        let at = 0;
        const read = [0, 0, 0];
        for (const { after, value } of steps) {
          read[value % 3]! += value;
          at += after;
          series.add(at, [...read]);
        }
        const whole = series.increase({ from: 0, to: 240_000 });
        const seconds = Array.from({ length: 240 }, (_, index) => {
          const from = index * 1_000;
          const increase = series.counted({ from, to: from + 1_000 });
          return increase === null ? [] : [{ index, increase: { ...increase, from } }];
        }).flat();
        const kept = decodeCounts(encodeCounts(seconds), 0, 1_000, 3);
        const sums = [0, 0, 0];
        for (const { increase } of coarserCounts(coarserCounts(kept, 0, 10_000), 0, 60_000))
          for (const [column, count] of increase.by.entries()) sums[column]! += count;
        expect(sums).toEqual(whole === null ? [0, 0, 0] : [...whole.by]);
      }),
    );
  });
});

it("a series is kept no finer than it is measured, and every chunk holds whole slots of the level below", () => {
  expect([1_000, 2_500, 12_500, 75_000, 9_000_000].map(finestFor)).toEqual([0, 0, 1, 2, 2]);
  for (const [index, { slotMs, chunkMs }] of levels.entries()) {
    expect(chunkMs % slotMs).toBe(0);
    const below = levels[index - 1];
    if (below === undefined) continue;
    expect(slotMs % below.slotMs).toBe(0);
    expect(below.keepMs).toBeGreaterThan(2 * chunkMs);
  }
});
