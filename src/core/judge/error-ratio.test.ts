import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Counts } from "./counts.ts";
import { noCounts } from "./counts.ts";
import { judgeErrorRatio, wilsonLower } from "./error-ratio.ts";
import { percent } from "./words.ts";

/** One-sided 99.9 %, to the digits of the tables. */
const z = 3.09;

/**
 * The definition of the score interval, slowly: the smallest true ratio whose expected spread still reaches up to what was
 * seen, found by halving. Shares no formula with the fast one.
 */
function slowLower({ requests, errors }: Counts): number {
  if (requests === 0) return 0;
  const seen = errors / requests;
  let [low, high] = [0, seen];
  for (let step = 0; step < 200; step += 1) {
    const middle = (low + high) / 2;
    const spread = z * Math.sqrt((middle * (1 - middle)) / requests);
    if (middle + spread < seen) low = middle;
    else high = middle;
  }
  return high;
}

const counts = fc
  .record({
    requests: fc.oneof(fc.nat({ max: 60 }), fc.nat({ max: 1_000_000 })),
    share: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ requests, share }): Counts => ({ requests, errors: Math.round(requests * share) }));
const rules = fc.record({
  margin: fc.double({ min: 0, max: 0.9, noNaN: true }),
  minimum: fc.nat({ max: 200 }),
});

describe("the lower bound of an error ratio", () => {
  it("is the one of the slow definition", () => {
    fc.assert(
      fc.property(counts, (seen) => {
        expect(wilsonLower(seen)).toBeCloseTo(slowLower(seen), 9);
      }),
      { numRuns: 2_000 },
    );
  });

  it("is between nothing and what was seen", () => {
    fc.assert(
      fc.property(counts, (seen) => {
        const lower = wilsonLower(seen);
        expect(lower).toBeGreaterThanOrEqual(0);
        expect(lower).toBeLessThanOrEqual(seen.requests === 0 ? 0 : seen.errors / seen.requests + 1e-12);
      }),
    );
  });

  it("comes closer to what was seen the more was seen", () => {
    const bounds = [10, 100, 1_000, 10_000].map((requests) => wilsonLower({ requests, errors: requests / 2 }));
    expect(bounds).toEqual([...bounds].sort((a, b) => a - b));
    expect(bounds[0]).toBeLessThan(0.2);
    expect(bounds[3]).toBeGreaterThan(0.48);
  });
});

describe("the error ratio of a candidate", () => {
  it("fails exactly when its lower bound is above stable's ratio and the margin", () => {
    fc.assert(
      fc.property(counts, counts, rules, (candidate, stable, rule) => {
        const verdict = judgeErrorRatio(candidate, stable, rule);
        const limit = (stable.requests === 0 ? 0 : stable.errors / stable.requests) + rule.margin;
        const lower = slowLower(candidate);
        // Within the rounding of the two ways to compute it, either is right.
        if (Math.abs(lower - limit) < 1e-9) return;
        const expected = candidate.requests < rule.minimum ? "inconclusive" : lower > limit ? "fail" : "pass";
        expect(verdict.is).toBe(expected);
      }),
      { numRuns: 2_000 },
    );
  });

  it("never fails when it is no worse than stable's", () => {
    fc.assert(
      fc.property(counts, rules, (seen, rule) => {
        expect(judgeErrorRatio(seen, seen, rule).is).not.toBe("fail");
      }),
    );
  });

  it("does not fail for one unlucky request, and says so early when every request fails", () => {
    const rule = { margin: 0.05, minimum: 1 };
    const stable = { requests: 10_000, errors: 10 };
    expect(judgeErrorRatio({ requests: 20, errors: 1 }, stable, rule).is).toBe("pass");
    expect(judgeErrorRatio({ requests: 1, errors: 1 }, noCounts, rule).is).toBe("fail");
    expect(judgeErrorRatio({ requests: 30, errors: 9 }, stable, rule).is).toBe("fail");
  });

  it("is not judged before the minimum was seen, whatever was seen", () => {
    expect(judgeErrorRatio({ requests: 19, errors: 19 }, noCounts, { margin: 0.05, minimum: 20 })).toEqual({
      is: "inconclusive",
      why: "19 of at least 20 requests were seen",
    });
  });

  it("shows both sides and the rule when it fails", () => {
    const verdict = judgeErrorRatio(
      { requests: 200, errors: 61 },
      { requests: 5_000, errors: 5 },
      { margin: 0.05, minimum: 20 },
    );
    expect(verdict).toEqual({
      is: "fail",
      code: "ERROR_RATIO",
      why: "61 of 200 requests failed (30.5 %); stable has 0.1 %",
      evidence: [
        ["stable", "5 of 5000 (0.1 %)"],
        ["rule", "error ratio above stable's by more than 5.0 %, at least 20 requests"],
      ],
    });
  });

  it("is written with one decimal", () => {
    expect([0, 0.00049, 0.305, 1].map(percent)).toEqual(["0.0 %", "0.0 %", "30.5 %", "100.0 %"]);
  });
});
