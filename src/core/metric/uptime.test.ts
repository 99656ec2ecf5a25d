import { describe, expect, it } from "vitest";
import { upOf, whole } from "./uptime.ts";

const signs = { instances: [1, 1] as const, probes: [], answersAllFail: false };

describe("a service", () => {
  it("is up when one instance is healthy, and down when all are known not to be", () => {
    expect(upOf(signs)).toBe(true);
    expect(upOf({ ...signs, instances: [0, 1] })).toBe(true);
    expect(upOf({ ...signs, instances: [0, 0] })).toBe(false);
  });

  it("is neither when nobody knows", () => {
    expect(upOf({ ...signs, instances: [] })).toBeNull();
    expect(upOf({ ...signs, instances: [0, null] })).toBeNull();
    expect(upOf({ ...signs, probes: [true, null] })).toBeNull();
  });

  it("is down when a probe fails or users get nothing but errors, however healthy it says it is", () => {
    expect(upOf({ ...signs, probes: [null, false] })).toBe(false);
    expect(upOf({ ...signs, answersAllFail: true })).toBe(false);
  });
});

describe("an environment", () => {
  it("is up as a whole or not at all, and unknown where a part is", () => {
    expect(whole([true, true])).toBe(true);
    expect(whole([true, null])).toBeNull();
    expect(whole([null, false])).toBe(false);
    expect(whole([])).toBeNull();
  });
});
