import { describe, expect, it } from "vitest";
import { clopperPearson } from "./interval.ts";

describe("the exact interval of a share", () => {
  it("is the known one", () => {
    // binom.test(3, 100) of R; where nothing, or all, was seen, the bound has a closed form.
    const cases = [
      { interval: clopperPearson(3, 100), low: 0.006229972, high: 0.08517605 },
      { interval: clopperPearson(0, 300), low: 0, high: 1 - 0.025 ** (1 / 300) },
      { interval: clopperPearson(40, 40, 0.99), low: 0.005 ** (1 / 40), high: 1 },
    ];
    for (const { interval, low, high } of cases) {
      expect(interval[0]).toBeCloseTo(low, 4);
      expect(interval[1]).toBeCloseTo(high, 4);
    }
  });

  it("mirrors: what was not seen has the interval that is left", () => {
    const [low, high] = clopperPearson(7, 40);
    const [otherLow, otherHigh] = clopperPearson(33, 40);
    expect(low).toBeCloseTo(1 - otherHigh, 9);
    expect(high).toBeCloseTo(1 - otherLow, 9);
  });
});
