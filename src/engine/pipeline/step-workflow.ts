import { type Json, runId } from "../../core/ids.ts";
import type { Workflow } from "../../ports/engine.ts";
import type { Trx } from "../../ports/store.ts";
import type { World } from "../world.ts";
import { recordLoad } from "./load.ts";
import type { StepOutcome } from "./outcome.ts";
import { failedBy, performStep, type StepInput } from "./perform-step.ts";

export const stepKind = "step.v2";

/** Topic of the run's workflow: one of its steps has ended. */
export const stepEnded = "step";

export const stepWorkflowId = (run: string, number: number): string => `${run}/${number}`;

/** One step of a run: it runs; that it has ended is recorded, and its run told, with one commit. */
export function stepWorkflow(world: World): Workflow<StepInput, Json> {
  return async (ctx, input) => {
    // A replay has none: the engine itself tells of what is recorded.
    let tell = (): void => undefined;
    await ctx.act(
      "perform",
      ({ signal }) =>
        performStep(world, input, signal).catch((error: unknown) => {
          signal.throwIfAborted();
          return failedBy(world, input, error);
        }),
      async (trx, outcome) => {
        await recordEnd(world, trx, input, outcome);
        tell = await world.engine.signalWithin(trx, input.run, stepEnded, input.number, `step-${input.number}`);
        return null;
      },
    );
    tell();
    world.changes.announce();
    return null;
  };
}

async function recordEnd(world: World, trx: Trx, { run, number }: StepInput, outcome: StepOutcome): Promise<void> {
  const { phase, reason, attempt } = outcome;
  const ended = await trx
    .updateTable("run_step")
    .set({ phase, reason, attempt, outcome: JSON.stringify(outcome), ended_at: world.clock.now() })
    .where("run_id", "=", runId(run))
    .where("number", "=", number)
    // One that was called off meanwhile stays so.
    .where("phase", "=", "running")
    .executeTakeFirst();
  if (outcome.load !== undefined && ended.numUpdatedRows > 0n) {
    const { product, name } = await trx
      .selectFrom("run_step")
      .innerJoin("run", "run.id", "run_step.run_id")
      .select(["run.product", "run_step.name"])
      .where("run_id", "=", runId(run))
      .where("number", "=", number)
      .executeTakeFirstOrThrow();
    await recordLoad(world, trx, { product, run, step: name, outcome: outcome.load });
  }
}
