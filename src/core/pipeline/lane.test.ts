import { expect, test } from "vitest";
import { checkLanes, laneOf } from "./lane.ts";

const of = (ref: string, more: Partial<Parameters<typeof laneOf>[0]> = {}) =>
  laneOf({ product: "shop", ref, release: false, loadTest: null, ...more });

test("releases go one after the other, whatever their branch; checks in the lane of their branch; load tests in that of their environment", () => {
  expect(of("main", { release: true })).toBe(of("hotfix", { release: true }));
  expect(of("feature/a")).toBe(of("feature/a"));
  const lanes = new Set(Array.from({ length: 100 }, (_, index) => of(`feature/${index}`)));
  expect(lanes.size).toBe(checkLanes);
  expect(lanes.has(of("main", { release: true }))).toBe(false);
  expect(of("a", { loadTest: "staging" })).toBe(of("b", { loadTest: "staging" }));
  expect(of("a", { loadTest: "staging" })).not.toBe(of("a", { loadTest: "production" }));
  expect(of("a", { product: "other" })).not.toBe(of("a"));
});
