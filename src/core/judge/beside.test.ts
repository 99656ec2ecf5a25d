import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lnBlock, openBeside, seeBeside, worthBeside } from "./beside.ts";
import { drawn, seeded } from "./random.fixture.ts";
import { lnGamma } from "./special.ts";
import { nothingSeen } from "./tally.ts";

/** Every outcome of some draws, with its chance. */
function outcomes(seen: number, share: number) {
  const choose = (bad: number) => Math.exp(lnGamma(seen + 1) - lnGamma(bad + 1) - lnGamma(seen - bad + 1));
  return Array.from({ length: seen + 1 }, (_, bad) => ({
    tally: { seen, bad },
    chance: choose(bad) * share ** bad * (1 - share) ** (seen - bad),
  }));
}

const share = fc.double({ min: 0, max: 1, noNaN: true });
const guess = fc.double({ min: 1e-6, max: 0.999, noNaN: true });

describe("a block of answers of both sides", () => {
  it("is a fair bet for every pair of shares that the margin allows, whatever is guessed, in both directions", () => {
    const blocks = fc.record({
      n: fc.integer({ min: 1, max: 7 }),
      m: fc.integer({ min: 1, max: 7 }),
      margin: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 0.5, noNaN: true })),
      q: guess,
      p: guess,
      stable: share,
      part: share,
    });
    fc.assert(
      fc.property(blocks, ({ n, m, margin, q, p, stable, part }) => {
        // Allowed for a bet on worse: up to stable and the margin. For a bet on better: from there upwards.
        const limit = Math.min(1, stable + margin);
        const candidate = p > q + margin ? limit * part : limit + (1 - limit) * part;
        let mean = 0;
        for (const one of outcomes(n, candidate))
          for (const other of outcomes(m, stable))
            mean +=
              one.chance *
              other.chance *
              Math.exp(lnBlock({ candidate: one.tally, stable: other.tally }, { q, p, margin }));
        if (p <= q + margin && stable + margin > 1) return;
        expect(mean).toBeLessThanOrEqual(1 + 1e-9);
      }),
      { numRuns: 1_500 },
    );
  });

  it("that has answers of one side only waits for the other, and nothing of it is lost", () => {
    const one = { seen: 1, bad: 1 };
    const two = { seen: 1, bad: 0 };
    let split = openBeside(0.02, nothingSeen);
    split = seeBeside(seeBeside(split, one, nothingSeen), nothingSeen, two);
    expect(split).toEqual(seeBeside(openBeside(0.02, nothingSeen), one, two));
  });
});

describe("what degrades on both sides together", () => {
  it("raises no alarm, whatever share of the traffic the candidate has meanwhile", () => {
    const random = seeded(4);
    let alarms = 0;
    for (let run = 0; run < 200; run += 1) {
      let test = openBeside(0, { seen: 1_000, bad: 1 });
      let worst = 1;
      for (let block = 0; block < 120; block += 1) {
        // Well, then a database that fails for everybody, while the canary goes from 1 % to 50 %.
        const bad = block < 40 ? 0.001 : block < 80 ? 0.6 : 0.05;
        const weight = block < 30 ? 1 : block < 60 ? 5 : block < 90 ? 25 : 50;
        test = seeBeside(test, drawn(random, weight, bad), drawn(random, 100 - weight, bad));
        worst = Math.max(worst, worthBeside(test, "worse"));
      }
      if (worst >= 10) alarms += 1;
    }
    // At a rate of 10 %, 20 alarms of 200 are the most that may be expected.
    expect(alarms).toBeLessThanOrEqual(20);
  });

  it("does not hide a candidate that is worse still", () => {
    const random = seeded(5);
    let test = openBeside(0.02, { seen: 1_000, bad: 1 });
    for (let block = 0; block < 60; block += 1)
      test = seeBeside(test, drawn(random, 5, block < 20 ? 0.2 : 0.7), drawn(random, 95, block < 20 ? 0.2 : 0.4));
    expect(worthBeside(test, "worse")).toBeGreaterThan(1_000);
  });
});
