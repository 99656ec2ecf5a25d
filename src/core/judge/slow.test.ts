import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { above, bucketCases, bucketOf, type Histogram, limitAbove } from "./slow.ts";

const bounds = [10, 20, 40, 80];
const slowness = { factor: 2, floorMs: 5 };

/** Every histogram of so many answers in three buckets, with its chance. */
function histograms(answers: number, shares: readonly [number, number, number]) {
  const all: { readonly histogram: Histogram; readonly chance: number }[] = [];
  const factorial = (n: number): number => (n < 2 ? 1 : n * factorial(n - 1));
  for (let first = 0; first <= answers; first += 1)
    for (let second = 0; first + second <= answers; second += 1) {
      const third = answers - first - second;
      const ways = factorial(answers) / factorial(first) / factorial(second) / factorial(third);
      const chance = ways * shares[0] ** first * shares[1] ** second * shares[2] ** third;
      all.push({ histogram: [first, second, third, 0, 0], chance });
    }
  return all;
}

describe("the buckets that stable's quantile may be in", () => {
  it("lose the true one no more often than a fair bet allows: every past", () => {
    const shares = fc
      .tuple(
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        fc.constant(0.2),
      )
      .map(([a, b, c]): [number, number, number] => [a / (a + b + c), b / (a + b + c), c / (a + b + c)]);
    fc.assert(
      fc.property(shares, fc.constantFrom(0.5, 0.8, 0.95), (parts, quantile) => {
        const truth = bucketOf(
          parts.map((part) => part * 1e9),
          quantile,
        );
        let mean = 0;
        for (const { histogram, chance } of histograms(9, parts)) {
          const past = { recent: histogram, older: [] };
          // So rare an alarm that no case is left out.
          const cases = bucketCases(past, bounds, { quantile, slowness, alpha: 1e-200, direction: "worse" });
          mean += chance * Math.exp(cases[truth]!.lnAgainst);
        }
        expect(mean).toBeLessThanOrEqual(1 + 1e-9);
      }),
      { numRuns: 200 },
    );
  });

  it("are few when the past is long, and all of them when there is none", () => {
    const rule = { quantile: 0.95, slowness, alpha: 0.01, direction: "worse" } as const;
    const long = bucketCases({ recent: [9_000, 900, 90, 9, 1], older: [] }, bounds, rule);
    expect(long.map(({ tally }) => bounds[tally])).toEqual([40]);
    expect(bucketCases({ recent: [], older: [] }, bounds, rule)).toHaveLength(5);
  });
});

it("what is slow is a bound, beyond the factor and the floor", () => {
  expect([-1, 0, 1, 2, 3, 4].map((index) => limitAbove(bounds, index, slowness))).toEqual([0, 1, 2, 3, null, null]);
  expect(limitAbove(bounds, 0, { factor: 1.1, floorMs: 25 })).toBe(2);
});

it("answers above a bound are all that are in later buckets", () => {
  expect(above([5, 4, 3, 2, 1], 1)).toEqual({ seen: 15, bad: 6 });
  expect(above([5, 4, 3, 2, 1], -1)).toEqual({ seen: 15, bad: 15 });
  expect(above([], 2)).toEqual({ seen: 0, bad: 0 });
  expect(bucketOf([90, 9, 1], 0.9)).toBe(0);
  expect(bucketOf([90, 9, 1], 0.91)).toBe(1);
});
