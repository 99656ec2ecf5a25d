import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { serviceName } from "../ids.ts";
import { keepingStable, leftOfStable, neededOfStable, type Short } from "./capacity.ts";
import { courseWith, rolloutOf } from "./course.fixture.ts";
import { begin, decide } from "./decide.ts";
import type { Course, Rollout, Stage } from "./deployment.ts";
import { stages } from "./stages.ts";

const web = serviceName("web");

function rollingCourse(counts: { candidate: number; stable: number }, batch: number): Course {
  const rollout = rolloutOf(web, { candidateInstances: counts.candidate, stableInstances: counts.stable });
  return courseWith([rollout], { stages: stages([rollout], { strategy: "rolling", batch: { instances: batch } }) });
}

const only = ({ rollouts }: Course): Rollout => rollouts[0] as Rollout;
const stableIn = (stage: Stage | undefined): number => stage?.[web]?.stable ?? 0;

/** What a step may not stop, where those stable instances are well. */
function shortIn(course: Course, stage: number, well: ReadonlySet<number>): Short[] {
  const left = leftOfStable(course, stage, only(course));
  const count = [...well].filter((index) => index < left).length;
  return count < neededOfStable(course, stage, only(course)) ? [{ service: web, left, well: count }] : [];
}

describe("a rolling step", () => {
  it("needs of the stable instances that it leaves what is missing to all but a batch", () => {
    const needed = (course: Course) => course.stages.map((_, stage) => neededOfStable(course, stage, only(course)));
    expect(needed(rollingCourse({ candidate: 3, stable: 3 }, 1))).toEqual([1, 0, 0]);
    expect(needed(rollingCourse({ candidate: 6, stable: 6 }, 1))).toEqual([4, 3, 2, 1, 0, 0]);
    expect(needed(rollingCourse({ candidate: 6, stable: 6 }, 2))).toEqual([2, 0, 0]);
    expect(needed(rollingCourse({ candidate: 2, stable: 8 }, 1))).toEqual([0, 0]);
  });

  it("asks nothing of stable where it stops none of it, or all at once", () => {
    for (const strategy of ["blue-green", "canary"] as const) {
      const rollout = rolloutOf(web, { candidateInstances: 4, stableInstances: 4 });
      const course = courseWith([rollout], { stages: stages([rollout], { strategy, batch: 0.25 }) });
      expect(course.stages.map((_, stage) => neededOfStable(course, stage, rollout))).toEqual([0]);
    }
  });

  it("leaves as many that answer as it promises, or as there were, whichever of stable's are sick", () => {
    const counts = fc.record({ candidate: fc.integer({ min: 1, max: 8 }), stable: fc.integer({ min: 1, max: 8 }) });
    const sick = fc.array(fc.uniqueArray(fc.nat(7)), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(counts, fc.integer({ min: 1, max: 8 }), sick, (size, batch, down) => {
        let course = rollingCourse(size, batch);
        const promised = Math.min(size.candidate, size.stable) - batch;
        for (let stage = 0; stage < course.stages.length; stage += 1) {
          const before = course.stages[stage - 1];
          const wellThen = new Set(
            Array.from({ length: stage === 0 ? size.stable : stableIn(before) }, (_, index) => index).filter(
              (index) => !down[stage]?.includes(index),
            ),
          );
          course = keepingStable(course, stage, shortIn(course, stage, wellThen));
          const candidate = course.stages[stage]?.[web]?.candidate ?? 0;
          const left = [...wellThen].filter((index) => index < stableIn(course.stages[stage])).length;
          expect(candidate + left).toBeGreaterThanOrEqual(Math.min(promised, candidate + wellThen.size));
        }
        expect(course.stages.at(-1)?.[web]).toMatchObject({ candidate: size.candidate, stable: 0 });
      }),
      { numRuns: 1_000 },
    );
  });

  it("keeps stable whole where too few of it would be left, says so, and stops it with a later step", () => {
    const course = rollingCourse({ candidate: 3, stable: 3 }, 1);
    const verifying = { ...begin(course), phase: { is: "verifying", stage: 0, wave: 0 } as const };
    const { next, reason } = decide(verifying, { is: "healthy", short: [{ service: web, left: 2, well: 0 }] }, 1);
    expect(reason).toBe(
      "every candidate is healthy; web stops none of stable's instances yet, for 0 of the 2 that would be left are healthy; switching traffic, step 1 of 3",
    );
    expect(next.course.stages.map((stage) => stage[web])).toEqual([
      { candidate: 1, stable: 3, weight: 3_333 },
      { candidate: 2, stable: 1, weight: 6_667 },
      { candidate: 3, stable: 0, weight: 10_000 },
    ]);
  });
});
