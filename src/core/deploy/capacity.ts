import type { ServiceName } from "../ids.ts";
import type { Course, Rollout, Stage } from "./deployment.ts";

/** A service of which too few would answer if a step stopped what it is to stop: of the stable instances that it leaves, so many are well. */
export type Short = { readonly service: ServiceName; readonly left: number; readonly well: number };

/** How many stable instances a step leaves while it stops others; none where it stops none, or all. */
export function leftOfStable({ stages }: Course, stage: number, { service, stableInstances }: Rollout): number {
  const left = stages[stage]?.[service]?.stable ?? 0;
  return left < stableBefore(stages, stage, service, stableInstances) ? left : 0;
}

/**
 * How many of those have to be well: with the candidates, which are by then, all but a batch of the instances. Whoever is meant to take
 * requests and does not, because its host was lost or it is sick, must not be what is left when those that answer are stopped.
 */
export function neededOfStable(course: Course, stage: number, rollout: Rollout): number {
  const { stages } = course;
  const candidate = stages[stage]?.[rollout.service]?.candidate ?? 0;
  const batch = candidate - (stages[stage - 1]?.[rollout.service]?.candidate ?? 0);
  const promised = Math.min(rollout.candidateInstances, rollout.stableInstances) - batch;
  return Math.max(0, Math.min(promised - candidate, leftOfStable(course, stage, rollout)));
}

/** The course where those services stop none of their stable instances in a step; a later one does, when more candidates answer. */
export function keepingStable(course: Course, stage: number, short: readonly Short[]): Course {
  if (short.length === 0) return course;
  const kept = course.stages.map((shares, index): Stage => {
    if (index !== stage) return shares;
    const whole = course.rollouts
      // What goes all at once, or went before its successor came, is not there to be kept.
      .filter((rollout) => leftOfStable(course, stage, rollout) > 0)
      .filter(({ service }) => short.some((each) => each.service === service))
      .flatMap(({ service, stableInstances }) => {
        const share = shares[service];
        const stable = stableBefore(course.stages, stage, service, stableInstances);
        return share === undefined ? [] : [[service, { ...share, stable }] as const];
      });
    return { ...shares, ...Object.fromEntries(whole) };
  });
  return { ...course, stages: kept };
}

/** `; api stops none of stable's yet: 0 of the 2 that would be left are well`. */
export function shortText(short: readonly Short[]): string {
  return short
    .map(
      ({ service, left, well }) =>
        `; ${service} stops none of stable's instances yet, for ${well} of the ${left} that would be left are healthy`,
    )
    .join("");
}

function stableBefore(stages: readonly Stage[], stage: number, service: ServiceName, whole: number): number {
  return stage === 0 ? whole : (stages[stage - 1]?.[service]?.stable ?? whole);
}
