import { mkdir } from "node:fs/promises";
import { isSlipwayError } from "../../../core/errors/error.ts";
import type { RunId } from "../../../core/ids.ts";
import type { StepPhase } from "../../../core/pipeline/decide.ts";
import { workspaceOf } from "../../release/build-log.ts";
import { pipelineSecrets } from "../../secrets/pipeline.ts";
import type { World } from "../../world.ts";
import type { StepOutcome } from "../outcome.ts";
import { type Attempting, roomOf } from "../perform-step.ts";
import type { RunPlan } from "../plan-steps.ts";
import { keyOf, type Needed, restore } from "./results.ts";

export type Ahead = { readonly number: number; readonly outcome: StepOutcome };

/**
 * Restores, before any step begins, every step whose result is kept and that needs only such steps: an unchanged run is one piece of
 * work and not a workflow for each step. Row by row: no step sees what another of its row has made. May be repeated. What cannot be
 * told here (a secret that is missing) is left to the step itself, which says so.
 */
export async function restoreAhead(
  world: World,
  { run, plan }: { readonly run: RunId; readonly plan: RunPlan },
  signal: AbortSignal,
): Promise<readonly Ahead[]> {
  const row = await world.store.db.selectFrom("run").selectAll().where("id", "=", run).executeTakeFirstOrThrow();
  const workspace = workspaceOf(world, run);
  for (const directory of [workspace.home, workspace.temporary])
    await mkdir(directory, { recursive: true, mode: 0o700 });
  const settled = new Map<string, Needed>();
  for (const { step, skipped } of plan.steps)
    if (skipped !== null) settled.set(step.id, { name: step.id, phase: "skipped", key: null });
  const ids = new Set(plan.steps.map(({ step }) => step.id));
  const done: Ahead[] = [];
  const open = new Set(plan.steps.keys());
  for (;;) {
    signal.throwIfAborted();
    const ready = [...open].filter((number) => {
      const { step, skipped } = plan.steps[number] as RunPlan["steps"][number];
      return (
        skipped === null && step.inputs !== null && step.needs.every((need) => settled.has(need) || !ids.has(need))
      );
    });
    if (ready.length === 0) return done;
    const keyed = await Promise.all(
      ready.map(async (number) => {
        open.delete(number);
        const spec = plan.steps[number] as RunPlan["steps"][number];
        const secrets = await secretsOf(world, row.product, spec.step.secrets);
        if (secrets === null) return null;
        const input = {
          run,
          number,
          diskBytes: plan.diskBytes,
          parameters: plan.parameters,
          cache: true,
        };
        const room = roomOf(workspace, number);
        const on: Attempting = { at: { run, number }, run: row, spec, workspace, secrets, besides: {}, input, room };
        const needed = spec.step.needs.flatMap((need) => settled.get(need) ?? []);
        return { on, keyed: await keyOf(world, on, needed) };
      }),
    );
    const restored = await Promise.all(
      keyed.map(async (each) => {
        const outcome = each === null ? null : await restore(world, each.on, each.keyed);
        return each === null || outcome === null ? [] : [{ on: each.on, outcome }];
      }),
    );
    for (const { on, outcome } of restored.flat()) {
      const { id } = on.spec.step;
      settled.set(id, { name: id, phase: outcome.phase satisfies StepPhase, key: outcome.key });
      done.push({ number: on.at.number, outcome });
    }
  }
}

async function secretsOf(
  world: World,
  product: string,
  names: readonly string[],
): Promise<Readonly<Record<string, string>> | null> {
  try {
    return await pipelineSecrets(world, product, names);
  } catch (error) {
    if (isSlipwayError(error)) return null;
    throw error;
  }
}
