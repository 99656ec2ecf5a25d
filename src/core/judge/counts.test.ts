import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { add, type Counts, errorRatio, noCounts, recent, since } from "./counts.ts";

/** Counts as an edge gives them: every error is also a request. */
const counts = fc
  .record({ good: fc.nat({ max: 100_000 }), errors: fc.nat({ max: 100_000 }) })
  .map(({ good, errors }): Counts => ({ requests: good + errors, errors }));

describe("counts", () => {
  it("since a mark are what came after it", () => {
    fc.assert(
      fc.property(counts, counts, (mark, later) => {
        expect(since(add(mark, later), mark)).toEqual(later);
      }),
    );
  });

  it("since a mark are all there is, when the counting began anew in between", () => {
    const mark = { requests: 900, errors: 20 };
    expect(since({ requests: 40, errors: 30 }, mark)).toEqual({ requests: 40, errors: 30 });
    expect(since({ requests: 950, errors: 10 }, mark)).toEqual({ requests: 950, errors: 10 });
  });

  it("never say that more requests failed than were seen, whatever mark they are compared with", () => {
    fc.assert(
      fc.property(counts, counts, (now, mark) => {
        const seen = since(now, mark);
        expect(seen.requests).toBeGreaterThanOrEqual(seen.errors);
        expect(seen.errors).toBeGreaterThanOrEqual(0);
        expect(errorRatio(seen)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it("of late are all there is, when there were too few of late to judge by", () => {
    const [now, mark] = [
      { requests: 1_030, errors: 9 },
      { requests: 1_000, errors: 9 },
    ];
    expect(recent(now, mark, 30)).toEqual({ requests: 30, errors: 0 });
    expect(recent(now, mark, 31)).toEqual(now);
  });

  it("of nothing have the ratio 0, not NaN", () => {
    expect(errorRatio(noCounts)).toBe(0);
    expect(since(noCounts, noCounts)).toEqual(noCounts);
  });
});
