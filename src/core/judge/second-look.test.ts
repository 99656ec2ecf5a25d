import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Counts } from "./counts.ts";
import { stableFailsToo } from "./second-look.ts";

const rule = { margin: 0.02, minimum: 10 };
const counts = (requests: number, errors: number): Counts => ({ requests, errors });
const [mark, back] = [counts(100, 0), counts(1_100, 2)];
const look = (requests: number, errors: number) =>
  stableFailsToo({ mark, back, now: counts(1_100 + requests, 2 + errors) }, rule);

describe("a stable that has the traffic again", () => {
  it("speaks for the release when it surely fails more than before", () => {
    expect(look(40, 12)).toBe(
      "stable fails too since it has the traffic again, 12 of 40 requests (30.0 %) where it was 0.2 %: whether the release is bad cannot be told",
    );
  });

  it("says nothing when it is well, when a failure or two are all there is, and before the minimum", () => {
    expect([look(0, 0), look(500, 1), look(20, 1), look(9, 9), look(60, 2)]).toEqual([null, null, null, null, null]);
  });

  it("says nothing where it failed as much before, where its past is not known, and where the counting began anew", () => {
    const ill = counts(1_100, 302);
    expect(stableFailsToo({ mark, back: ill, now: counts(1_140, 314) }, rule)).toBeNull();
    expect(stableFailsToo({ mark: counts(0, 0), back: counts(5, 0), now: counts(45, 12) }, rule)).toBeNull();
    expect(stableFailsToo({ mark, back, now: counts(30, 30) }, rule)).toBeNull();
  });

  it("is wrong in fewer than one case in a hundred, also when it is asked after every answer", () => {
    // As bad as it may be without being worse: 2.2 %.
    const isWrong = (draws: readonly number[]): boolean => {
      let errors = 0;
      return draws.some((draw, index) => {
        // An answer that is well speaks against it: nothing new is said then.
        if (draw >= 22) return false;
        errors += 1;
        return look(index + 1, errors) !== null;
      });
    };
    const answers = fc.noBias(fc.array(fc.nat({ max: 999 }), { minLength: 200, maxLength: 200 }));
    const runs = fc.sample(answers, { numRuns: 1_000, seed: 20_261_127 });
    expect(runs.flat().filter((draw) => draw < 22).length / 200_000).toBeCloseTo(0.022, 2);
    expect(runs.filter(isWrong).length).toBeLessThan(10);
  });
});
