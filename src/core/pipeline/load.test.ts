import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readLoadTests } from "../gates/load-test.ts";
import type { LoadReport } from "../report/load.ts";
import { judgeLoad, parseExpectation } from "./load.ts";

const report: LoadReport = {
  tool: "autocannon",
  requests: 1_000,
  succeeded: 999,
  perSecond: 99.5,
  latency: [
    { percent: 90, ms: 300 },
    { percent: 97.5, ms: 700 },
  ],
};
const judge = (text: string, more: Partial<LoadReport> = {}) => {
  const expectation = parseExpectation(text);
  if (expectation === null) throw new Error(`${text} is none`);
  return judgeLoad({ ...report, ...more }, { expect: [expectation], minimum: 100 });
};

describe("a load test", () => {
  it("is held against what it must show, each of it", () => {
    expect(judge("p95 < 800 ms")).toEqual({
      passed: true,
      says: "autocannon, 1000 requests: p97.5, the next that is told, 700ms (p95 < 800 ms)",
    });
    expect(judge("p90<=300ms").passed).toBe(true);
    expect(judge("p90 < 300ms").passed).toBe(false);
    expect(judge("success >= 99.9 %")).toMatchObject({ passed: true });
    expect(judge("success > 99.9%")).toEqual({
      passed: false,
      says: "autocannon, 1000 requests: success 99.90 % (success > 99.9%)",
    });
    expect(judge("rate > 99/s").passed).toBe(true);
    // Never rounded up to what was wanted.
    expect(judge("success > 99.9995%", { requests: 1_000_000, succeeded: 999_991 }).says).toContain("success 99.999 %");
  });

  it("has not passed where too little was asked, or its tool does not tell", () => {
    expect(judge("success > 1%", { requests: 99, succeeded: 99 })).toMatchObject({ passed: false });
    expect(judge("p99 < 1h").says).toBe("autocannon, 1000 requests: p99 < 1h, of which autocannon tells nothing");
    expect(judge("rate > 0/s", { perSecond: null }).passed).toBe(false);
  });

  it("is asked for in words that are all understood, or refused", () => {
    for (const text of [
      "p95",
      "p95 > 800ms",
      "p100 < 1s",
      "p0 < 1s",
      "success < 99%",
      "success > 101%",
      "rate > 10",
      "mean < 1s",
      "",
    ])
      expect(parseExpectation(text)).toBeNull();
  });

  it("passes by a lower quantile whenever it passes by a higher one", () => {
    const quantile = fc.integer({ min: 1, max: 99 });
    fc.assert(
      fc.property(quantile, quantile, fc.integer({ min: 0, max: 900 }), (a, b, most) => {
        const [low, high] = a < b ? [a, b] : [b, a];
        if (judge(`p${high} < ${most}ms`).passed) expect(judge(`p${low} < ${most}ms`).passed).toBe(true);
      }),
    );
  });
});

describe("the gate of load tests", () => {
  const says = "success 100.00 % (success > 99 %)";
  it("opens when all of the environment before have passed with the release, and says what is missing", () => {
    expect(readLoadTests("staging", [{ step: "stress", result: { passed: true, says } }])).toMatchObject({
      open: true,
      says: `stress has passed in staging: ${says}`,
    });
    const both = [
      { step: "stress", result: { passed: false, says } },
      { step: "soak", result: null },
    ];
    expect(readLoadTests("staging", both)).toEqual({
      gate: "load test",
      open: false,
      opensAt: null,
      says: `stress has failed in staging: ${says}; soak has not run in staging with it; run: slipway load-test staging`,
    });
    expect(readLoadTests("staging", []).open).toBe(false);
    expect(readLoadTests(null, []).open).toBe(false);
  });
});
