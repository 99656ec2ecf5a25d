import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { serviceName } from "../ids.ts";
import type { Verdict } from "../judge/verdict.ts";
import { isClear, judgeStep, type StepLook } from "./step.ts";

const web = serviceName("web");
const good: Verdict = { is: "pass", why: "web: fine" };
const open: Verdict = { is: "inconclusive", why: "web: the edge gives no counts" };
const look = (more: Partial<StepLook> = {}): StepLook => ({
  service: web,
  verdicts: [good],
  healthy: 2,
  instances: 2,
  counts: {
    candidate: { requests: 200, errors: 1 },
    stable: { requests: 19_800, errors: 40 },
    synthetic: { requests: 0, errors: 0 },
  },
  ...more,
});
const rule = { minimum: 20, margin: 0.02 };
const over = { isOver: true, isSpent: false };
const spent = { isOver: true, isSpent: true };
const counts = (requests: number, synthetic = 0): StepLook["counts"] => ({
  candidate: { requests, errors: 0 },
  stable: null,
  synthetic: { requests: synthetic, errors: 0 },
});

describe("a step of a canary in which nothing is bad", () => {
  it("passes when its time is over, and tells both sides with their counts", () => {
    expect(judgeStep([look()], rule, { isOver: false, isSpent: false })).toEqual({ is: "watch" });
    expect(judgeStep([look()], rule, over)).toEqual({
      is: "pass",
      note: "web 1 of 200 failed (0.5 %), stable 40 of 19800 (0.2 %), 2/2 healthy",
    });
  });

  it("goes on for what is missing, and at its limit says all of it at once", () => {
    const looks = [
      look({ counts: counts(3), healthy: 1 }),
      look({ service: serviceName("api"), verdicts: [{ ...open, why: "api: the edge gives no counts" }] }),
    ];
    expect(judgeStep(looks, rule, over)).toEqual({ is: "watch" });
    expect(judgeStep(looks, rule, spent)).toEqual({
      is: "unclear",
      missing:
        "web: 3 of at least 20 requests were seen; web: 1 of 2 instances were seen healthy; api: the edge gives no counts",
    });
  });

  it("does not pass with more errors than the margin allows only because they are not proven yet", () => {
    const erring = (errors: number, requests: number, stable: number) =>
      look({
        counts: {
          candidate: { requests, errors },
          stable: { requests: 1_000, errors: stable },
          synthetic: { requests: 0, errors: 0 },
        },
      });
    expect(judgeStep([erring(3, 30, 0)], rule, over).is).toBe("watch");
    expect(judgeStep([erring(3, 30, 0)], rule, spent)).toEqual({
      is: "unclear",
      missing: "web: 3 of 30 failed (10.0 %), above 2.0 %, and too few were seen to say whether that is so",
    });
    // One may be chance, what stable does too is no news, and who judges no errors judges none.
    expect(judgeStep([erring(1, 30, 0)], rule, over).is).toBe("pass");
    expect(judgeStep([erring(3, 30, 90)], rule, over).is).toBe("pass");
    expect(judgeStep([erring(3, 30, 0)], { ...rule, margin: null }, over).is).toBe("pass");
  });

  it("says once what a verdict waits for as well", () => {
    const verdicts: Verdict[] = [{ is: "inconclusive", why: "web: 3 of at least 5 requests were seen" }];
    expect(judgeStep([look({ verdicts, counts: counts(3) })], rule, spent)).toEqual({
      is: "unclear",
      missing: "web: 3 of at least 20 requests were seen",
    });
  });

  it("counts Slipway's own requests towards the minimum, and what takes no requests needs none", () => {
    expect(judgeStep([look({ counts: counts(3, 17) })], rule, over)).toMatchObject({
      is: "pass",
      note: "web 0 of 3 failed (0.0 %), 0 of 17 synthetic ones, 2/2 healthy",
    });
    expect(judgeStep([look({ counts: null })], rule, over)).toEqual({ is: "pass", note: "web 2/2 healthy" });
  });

  it("never passes by counts that are no numbers", () => {
    for (const requests of [Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(judgeStep([look({ counts: counts(requests) })], rule, spent)).toEqual({
        is: "unclear",
        missing: "web: its counts are no numbers",
      });
    }
  });

  it("passes only when every service has all that is asked for, whatever is seen", () => {
    const looks = fc.array(
      fc
        .record({
          is: fc.constantFrom("pass" as const, "inconclusive" as const),
          requests: fc.oneof(fc.nat({ max: 60 }), fc.constant(Number.NaN)),
          synthetic: fc.nat({ max: 30 }),
          healthy: fc.nat({ max: 2 }),
        })
        .map(({ is, requests, synthetic, healthy }) =>
          look({ verdicts: [{ is, why: "web: so" }], counts: counts(requests, synthetic), healthy }),
        ),
      { minLength: 1, maxLength: 4 },
    );
    fc.assert(
      fc.property(looks, fc.boolean(), fc.boolean(), (seen, isOver, isSpent) => {
        const whole = seen.every(
          ({ verdicts, counts: each, healthy }) =>
            verdicts[0]?.is === "pass" &&
            healthy === 2 &&
            each !== null &&
            each.candidate.requests + each.synthetic.requests >= rule.minimum,
        );
        const expected = !isOver ? "watch" : whole ? "pass" : isSpent ? "unclear" : "watch";
        expect(judgeStep(seen, rule, { isOver, isSpent }).is).toBe(expected);
      }),
    );
  });

  it("is clear when of all that takes requests it is proven that the candidate is no worse", () => {
    const proven = look({ verdicts: [good, { is: "pass", why: "web: proven", clear: true }] });
    expect(isClear([proven, look({ counts: null })])).toBe(true);
    expect(isClear([proven, look()])).toBe(false);
    expect(isClear([look({ counts: null })])).toBe(false);
  });
});
