import type { Course, DeploymentEvent } from "../../core/deploy/deployment.ts";
import type { RevisionStatus } from "../../ports/target.ts";
import type { World } from "../world.ts";
import { shortOfStable } from "./remaining.ts";
import { type Verified, verify } from "./verify.ts";

type Step = { readonly course: Course; readonly stage: number; readonly checked: readonly Verified[] };

/**
 * Waits until a step's candidates are healthy and it is known whether enough of stable is. A wait for stable is time in which a candidate that
 * was healthy may have ended, so then it is looked at again. `seen` is told all that runs at each of these moments.
 */
export async function untilAble(
  world: World,
  { course, stage, checked }: Step,
  signal: AbortSignal,
  seen: (running: readonly RevisionStatus[]) => void,
): Promise<DeploymentEvent> {
  for (let patient = true; ; patient = false) {
    const failure = await verify(world, checked, signal, seen);
    if (failure !== null) return { is: "failed", failure };
    const { short, waited } = await shortOfStable(world, course, stage, { candidates: checked, patient, signal, seen });
    if (!waited) return short.length === 0 ? { is: "healthy" } : { is: "healthy", short };
  }
}
