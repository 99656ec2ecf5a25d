import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { environmentName, releaseId } from "../ids.ts";
import { type Clocks, dated, redated } from "./clocks.ts";
import { begin } from "./decide.ts";
import type { Deployment, Phase } from "./deployment.ts";

const clocks: Clocks = { wallMs: 1_700_000_000_000, steadyMs: 5_000, boot: "one" };

function in_(phase: Phase): Deployment {
  const course = {
    id: "dep_1" as Deployment["course"]["id"],
    environment: environmentName("production"),
    release: releaseId("rel_1"),
    stable: null,
    rollouts: [],
    waves: [],
    stages: [],
    drainMs: 0,
    bakeMs: 10_000,
    proven: false,
  };
  return { ...begin(course), phase };
}

const later = (passedMs: number, setByMs: number, boot = "one"): Clocks => ({
  wallMs: clocks.wallMs + passedMs + setByMs,
  steadyMs: clocks.steadyMs + passedMs,
  boot,
});

const untilOf = ({ phase }: Deployment): number => ("until" in phase ? phase.until : Number.NaN);

describe("the end of a watch", () => {
  it("is as far away as the time that has passed says, wherever the wall clock was set and however often", () => {
    const steps = fc.array(fc.tuple(fc.nat(4_000), fc.integer({ min: -7_200_000, max: 7_200_000 })), { maxLength: 5 });
    const phase = fc.constantFrom<Phase>(
      { is: "baking", until: clocks.wallMs + 10_000 },
      { is: "watching", stage: 0, until: clocks.wallMs + 10_000 },
    );
    fc.assert(
      fc.property(phase, steps, (given, changes) => {
        let deployment = dated(in_(given), clocks);
        let [passedMs, setByMs] = [0, 0];
        for (const [passes, sets] of changes) {
          passedMs += passes;
          setByMs += sets;
          deployment = redated(deployment, later(passedMs, setByMs));
        }
        const now = clocks.wallMs + passedMs + setByMs;
        // Each time a clock is set may leave two milliseconds.
        expect(Math.abs(untilOf(deployment) - now - (10_000 - passedMs))).toBeLessThanOrEqual(2 * changes.length);
      }),
    );
  });

  it("stays where it was recorded when the machine has been started again, or nothing is known of its clocks", () => {
    const baking = in_({ is: "baking", until: clocks.wallMs + 10_000 });
    const other = later(1_000, 60_000, "two");
    expect(untilOf(redated(dated(baking, clocks), other))).toBe(clocks.wallMs + 10_000);
    expect(redated(baking, later(1_000, 60_000))).toBe(baking);
  });

  it("is noted of those phases only that have one", () => {
    const baking = dated(in_({ is: "baking", until: clocks.wallMs + 10_000 }), clocks);
    expect(baking.datedAt).toEqual(clocks);
    expect(dated({ ...baking, phase: { is: "retiring" } }, clocks)).not.toHaveProperty("datedAt");
  });
});
