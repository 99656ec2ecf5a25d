import { expect, test } from "vitest";
import { nearest } from "./guess.ts";

test.each([
  ["regoin", "region"],
  ["helth", "health"],
  ["Interval", "interval"],
  ["enviroments", "environments"],
  ["stopgrace", "stopGrace"],
])("%s finds %s", (seen, meant) => {
  expect(nearest(seen, ["region", "health", "interval", "environments", "stopGrace"])).toBe(meant);
});

test.each(["x", "", "database", "a".repeat(10_000)])("%j finds nothing", (seen) => {
  expect(nearest(seen, ["region", "health", "env"])).toBeNull();
});
