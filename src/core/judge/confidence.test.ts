import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { quantileInterval, shareInterval } from "./confidence.ts";
import { occurrencesPValue } from "./occurrences.ts";
import { lnBeta, lnGamma } from "./special.ts";

/**
 * The chance that something is ever the case within so many draws, exactly: the chance of every count is carried from draw to
 * draw, and what has once been the case is taken out.
 */
function chanceOfEver(draws: number, share: number, is: (bad: number, seen: number) => boolean): number {
  let chances = [1];
  let ever = 0;
  for (let seen = 1; seen <= draws; seen += 1) {
    const next = new Array<number>(seen + 1).fill(0);
    chances.forEach((chance, bad) => {
      next[bad]! += chance * (1 - share);
      next[bad + 1]! += chance * share;
    });
    chances = next.map((chance, bad) => {
      if (!is(bad, seen)) return chance;
      ever += chance;
      return 0;
    });
  }
  return ever;
}

it("the logarithms of gamma and beta are those of factorials and sums", () => {
  let factorial = 0;
  for (let n = 1; n < 60; n += 1) {
    expect(lnGamma(n)).toBeCloseTo(factorial, 10);
    factorial += Math.log(n);
  }
  expect(Math.exp(lnGamma(0.5))).toBeCloseTo(Math.sqrt(Math.PI), 10);
  let sum = 0;
  for (let step = 0.5; step < 100_000; step += 1) sum += (step / 100_000) ** 2 * (1 - step / 100_000) ** 4.5 * 1e-5;
  expect(Math.exp(lnBeta(3, 5.5))).toBeCloseTo(sum, 8);
});

describe("the interval of a share", () => {
  it("misses the truth no more often than was chosen, looked at after each of 120 answers", () => {
    for (const share of [0.003, 0.05, 0.5, 0.97])
      for (const alpha of [0.05, 0.3]) {
        const missed = chanceOfEver(120, share, (bad, seen) => {
          const { low, high } = shareInterval({ seen, bad }, alpha);
          return share < low || share > high;
        });
        expect(missed).toBeLessThanOrEqual(alpha);
      }
  });

  it("holds what was seen, and becomes narrow", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100_000 }), fc.double({ min: 0, max: 1, noNaN: true }), (seen, part) => {
        const bad = Math.round(seen * part);
        const { low, high } = shareInterval({ seen, bad }, 0.01);
        expect(low).toBeLessThanOrEqual(bad / seen);
        expect(high).toBeGreaterThanOrEqual(bad / seen);
      }),
    );
    const { low, high } = shareInterval({ seen: 100_000, bad: 30_000 }, 0.01);
    expect(high - low).toBeLessThan(0.015);
    expect(shareInterval({ seen: 0, bad: 0 }, 0.01)).toEqual({ low: 0, high: 1 });
  });
});

it("the interval of a quantile is bounds that the histogram has, and open where the last bucket is reached", () => {
  const bounds = [10, 20, 40, 80];
  expect(quantileInterval([900, 90, 6, 4, 0], bounds, { quantile: 0.95, alpha: 0.01 })).toEqual({
    lowMs: 10,
    highMs: 20,
  });
  expect(quantileInterval([0, 0, 0, 0, 50], bounds, { quantile: 0.5, alpha: 0.01 })).toEqual({
    lowMs: 80,
    highMs: null,
  });
  expect(quantileInterval([], bounds, { quantile: 0.5, alpha: 0.01 })).toEqual({ lowMs: 0, highMs: null });
});

describe("things that were counted without knowing out of how many", () => {
  it("are found to be too many no more often than was chosen, looked at after each", () => {
    for (const share of [0.01, 0.1, 0.5])
      for (const alpha of [0.01, 0.2]) {
        const alarms = chanceOfEver(
          400,
          share,
          (candidate, seen) => occurrencesPValue({ candidate, stable: seen - candidate }, share) <= alpha,
        );
        expect(alarms).toBeLessThanOrEqual(alpha);
      }
  });

  it("are found when the candidate with a tenth of the traffic has half of them", () => {
    expect(occurrencesPValue({ candidate: 7, stable: 7 }, 0.1)).toBeLessThan(0.02);
    expect(occurrencesPValue({ candidate: 1, stable: 9 }, 0.1)).toBe(1);
  });
});
