import { expect, test } from "vitest";
import { nearest, noSuch } from "./guess.ts";

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

test("what there is not is told with the nearest, or with what there is", () => {
  expect(noSuch("service", "wbe", ["web", "api"])).toBe('there is no service "wbe"; did you mean "web"?');
  expect(noSuch("service", "mailer", ["web", "api"])).toBe('there is no service "mailer"; the services are web, api');
  expect(noSuch("flag", "checkout", ["search"])).toBe('there is no flag "checkout"; the only flag is search');
  expect(noSuch("notifier", "team", [])).toBe('there is no notifier "team", nor any other');
  const many = Array.from({ length: 14 }, (_, index) => `unit-${index}`);
  expect(noSuch("service", "x", many)).toMatch(/unit-11 and 2 more$/);
});
