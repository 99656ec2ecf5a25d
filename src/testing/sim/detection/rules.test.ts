import { describe, expect, it } from "vitest";
import { fiveFailedMinutes, type Second, tenPercentForFiveMinutes } from "./rules.ts";

const minutes = (count: number, failed: number, requests = 10): Second[] =>
  Array.from({ length: count * 60 }, () => ({ requests, failed }));

describe("the rules that are compared with", () => {
  it("10 % for 5 min: fires after five minutes above, not at the limit, and begins anew after a minute below", () => {
    expect(tenPercentForFiveMinutes(minutes(10, 2))).toBe(315);
    expect(tenPercentForFiveMinutes(minutes(10, 1))).toBeNull();
    expect(tenPercentForFiveMinutes([...minutes(4, 2), ...minutes(2, 0), ...minutes(6, 2)])).toBeGreaterThan(600);
    expect(tenPercentForFiveMinutes(minutes(10, 0, 0))).toBeNull();
  });

  it("five failed minutes: need not be in a row, and a minute without a request is none of them", () => {
    expect(fiveFailedMinutes(minutes(10, 1))).toBe(300);
    expect(fiveFailedMinutes([...minutes(4, 1), ...minutes(3, 0), ...minutes(3, 1)])).toBe(480);
    expect(fiveFailedMinutes([...minutes(4, 1), ...minutes(6, 0, 0)])).toBeNull();
    expect(fiveFailedMinutes(minutes(10, 0))).toBeNull();
  });
});
