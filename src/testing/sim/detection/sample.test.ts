import { describe, expect, it } from "vitest";
import { SimDatabase } from "../store.ts";
import { fiveFailedMinutes, type Second } from "./rules.ts";
import { sample } from "./sample.ts";
import { levels, scenarios } from "./scenarios.ts";

const failedIn = (seconds: readonly Second[]): number => seconds.reduce((sum, { failed }) => sum + failed, 0);

describe("a sample of the table of detection", () => {
  it("is one release twice: taken back by the engine, and left alone for as long as the other rules need", {
    timeout: 300_000,
  }, async () => {
    const cell = {
      mode: "at once",
      scenario: scenarios.findIndex(({ name }) => name === "30 % errors"),
      level: levels.findIndex(({ name }) => name === "5/s"),
    } as const;
    const database = await SimDatabase.open();
    const { ours, unwatched } = await sample(cell, 7, database);
    expect([ours.caught, ours.doubted]).toEqual([true, false]);
    expect(unwatched).toHaveLength(600);
    const byMinutes = fiveFailedMinutes(unwatched);
    expect(byMinutes).toBeGreaterThanOrEqual(300);
    // The floor: ten times fewer failing answers. One seed is no proof of it; the table is.
    expect(failedIn(unwatched.slice(0, byMinutes ?? 0))).toBeGreaterThan(10 * ours.failed);
  });

  it("says that nobody can tell when stable, which has the traffic again, fails as well", {
    timeout: 300_000,
  }, async () => {
    const cell = {
      mode: "at once",
      scenario: scenarios.findIndex(({ name }) => name === "outage after"),
      level: levels.findIndex(({ name }) => name === "100/s"),
    } as const;
    const { ours } = await sample(cell, 7, await SimDatabase.open());
    expect([ours.caught, ours.doubted]).toEqual([true, true]);
  });
});
