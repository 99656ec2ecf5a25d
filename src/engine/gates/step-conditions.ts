import type { Deployment } from "../../core/deploy/deployment.ts";
import { type ConditionLook, parseGateCondition } from "../../core/gates/condition.ts";
import type { DeploymentId } from "../../core/ids.ts";
import { evaluate, queriesOf, quietRule, type RuleLook, type RuleState } from "../../core/judge/rule/evaluate.ts";
import { lookAtWindows, type SeenWindow } from "../judge/windows.ts";
import { releaseView } from "../release/read.ts";
import type { World } from "../world.ts";

/** How often the conditions of a step are looked at. */
const lookMs = 1_000;

type Standing = {
  readonly stage: number;
  readonly looks: Map<string, RuleLook>;
  readonly windows: Map<string, readonly SeenWindow[]>;
};

/** How the conditions of steps under way stood at the last look. In memory: after a restart a `for` begins anew. */
export class StepConditions {
  readonly #standings = new Map<DeploymentId, Standing>();

  /** As they stood at the last look. Changes nothing. */
  of({ course }: Deployment, stage: number): readonly ConditionLook[] {
    const known = this.#standings.get(course.id);
    const looks = known?.stage === stage ? known.looks : null;
    return textsOf(course, stage).map((text) => ({ text, look: looks?.get(text) ?? null }));
  }

  /** Looks at them until the signal: from the step's beginning, so that what has held all along holds at its end. */
  async keepLooking(
    world: Pick<World, "metrics" | "clock" | "store">,
    { course }: Deployment,
    stage: number,
    signal: AbortSignal,
  ): Promise<void> {
    const texts = textsOf(course, stage);
    if (texts.length === 0) return;
    const { spec } = await releaseView(world.store.db, course.release, course.environment);
    const declared = (spec.metrics ?? []).map(({ name }) => name);
    const place = { environment: course.environment, release: course.release };
    while (!signal.aborted) {
      const known = this.#standings.get(course.id);
      const before = known?.stage === stage ? known : undefined;
      const looks = new Map<string, RuleLook>();
      const windows = new Map<string, readonly SeenWindow[]>();
      for (const text of texts) {
        const parsed = parseGateCondition(text, declared);
        if (parsed.is === "wrong") continue;
        // Each look says by itself whether it holds: one that could not be measured must not stand on those before.
        const last = before?.looks.get(text)?.next;
        const state: RuleState = { ...(last ?? quietRule), firingSince: null };
        const asked = { before: before?.windows.get(text) ?? [], now: now(world) };
        const seen = await lookAtWindows(world.metrics, queriesOf(parsed.rule, place), asked);
        windows.set(text, seen);
        looks.set(
          text,
          evaluate(
            parsed.rule,
            seen.map(({ measured }) => measured),
            state,
            now(world),
          ),
        );
      }
      this.#standings.set(course.id, { stage, looks, windows });
      await world.clock.sleep(lookMs, signal).catch(() => {});
    }
  }

  /** The deployment has left its steps. */
  forget(id: DeploymentId): void {
    this.#standings.delete(id);
  }
}

function now({ metrics }: Pick<World, "metrics">): number {
  return metrics.time.now();
}

function textsOf({ canary }: Deployment["course"], stage: number): readonly string[] {
  return canary?.steps[stage]?.gates?.conditions ?? [];
}
