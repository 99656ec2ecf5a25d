import type { EpochMs } from "../ids.ts";
import {
  allTraffic,
  type CanaryStep,
  type Course,
  type Deployment,
  type Failure,
  type StepEnd,
  type Undone,
  type Wait,
} from "./deployment.ts";

/** How the state machine of a deployment reads and tells the steps of a canary. */

export function limitOf({ canary }: Course): number {
  return canary?.limitMs ?? 0;
}

/** The step of a canary that this stage is; null for its last stage, and for all others. */
export function stepOf({ canary }: Course, stage: number): CanaryStep | null {
  return canary?.steps[stage] ?? null;
}

/** `step 2 of 4`. */
export function stepText({ canary }: Course, stage: number): string {
  return `step ${stage + 1} of ${canary?.steps.length ?? 0}`;
}

/** `2.5 %` of hundredths of a percent. */
export function shareText(weight: number): string {
  return `${weight / (allTraffic / 100)} %`;
}

/** What is known of a step that is ended by a person. */
export function noteOf(wait: Wait): string {
  switch (wait.is) {
    case "pause":
      return "not watched to its end";
    case "promotion":
    case "gates":
      return wait.note;
    case "evidence":
      return wait.missing;
  }
}

/** What a shift does, in a few words. */
export function switchText(course: Course, stage: number): string {
  const count = course.stages.length;
  if (course.canary === undefined)
    return count === 1 ? "switching traffic" : `switching traffic, step ${stage + 1} of ${count}`;
  const step = stepOf(course, stage);
  return step === null
    ? "switching all traffic"
    : `${shareText(step.weight)} of the traffic, ${stepText(course, stage)}`;
}

export type Ending = Pick<StepEnd, "is" | "note"> & { readonly stage: number; readonly now: EpochMs };

export function withStepEnd(deployment: Deployment, { stage, is, note, now }: Ending): Deployment {
  const weight = stepOf(deployment.course, stage)?.weight;
  if (weight === undefined) return deployment;
  const end: StepEnd = { weight, from: deployment.shiftedAt ?? now, to: now, is, note };
  return { ...deployment, steps: [...(deployment.steps ?? []), end] };
}

/** The step of a canary that had the traffic, if it had not ended before. */
export function withLastStep(deployment: Deployment, how: Undone["is"], note: string, now: EpochMs): Deployment {
  const stage = deployment.shifted - 1;
  if (stage !== (deployment.steps?.length ?? 0)) return deployment;
  return withStepEnd(deployment, { stage, is: how === "cancelled" ? "cancelled" : "failed", note, now });
}

/** How many users met it is the first thing that a person asks. */
export function atStep({ course, shifted }: Deployment, failure: Failure): Failure {
  const step = stepOf(course, shifted - 1);
  if (step === null) return failure;
  return {
    ...failure,
    message: `at ${shareText(step.weight)} of the traffic: ${failure.message}`,
    evidence: [["step", stepText(course, shifted - 1).slice("step ".length)], ...failure.evidence],
  };
}
