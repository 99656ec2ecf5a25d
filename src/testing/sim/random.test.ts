import { describe, expect, it } from "vitest";
import { Random } from "./random.ts";

const many = 20_000;

/** Mean and variance of what is drawn. */
function moments(draw: (random: Random) => number): { readonly mean: number; readonly variance: number } {
  const random = new Random(7, "moments");
  const drawn = Array.from({ length: many }, () => draw(random));
  const mean = drawn.reduce((sum, each) => sum + each, 0) / many;
  return { mean, variance: drawn.reduce((sum, each) => sum + (each - mean) ** 2, 0) / many };
}

describe("random numbers of a seed", () => {
  it("are the same for the same seed and label, and others for another of either", () => {
    const five = (seed: number, label: string) => {
      const random = new Random(seed, label);
      return Array.from({ length: 5 }, () => random.next());
    };
    expect(five(1, "a")).toEqual(five(1, "a"));
    expect(five(1, "a")).not.toEqual(five(2, "a"));
    expect(five(1, "a")).not.toEqual(five(1, "b"));
    expect(five(2 ** 40 + 1, "a")).not.toEqual(five(1, "a"));
  });

  it("have the mean and the variance of their distribution, where they are exact and where they are approximated", () => {
    const cases = [
      { of: moments((random) => random.next()), mean: 0.5, variance: 1 / 12 },
      { of: moments((random) => random.poisson(0.3)), mean: 0.3, variance: 0.3 },
      { of: moments((random) => random.poisson(12)), mean: 12, variance: 12 },
      { of: moments((random) => random.poisson(300)), mean: 300, variance: 300 },
      { of: moments((random) => random.binomial(40, 0.02)), mean: 0.8, variance: 0.784 },
      { of: moments((random) => random.binomial(12, 0.9)), mean: 10.8, variance: 1.08 },
      { of: moments((random) => random.binomial(1_000, 0.3)), mean: 300, variance: 210 },
      { of: moments((random) => random.exponential(4)), mean: 4, variance: 16 },
    ];
    for (const { of, mean, variance } of cases) {
      expect(Math.abs(of.mean - mean) / mean).toBeLessThan(0.05);
      expect(Math.abs(of.variance - variance) / variance).toBeLessThan(0.08);
    }
  });
});
