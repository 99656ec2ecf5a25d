import { type Json, runId } from "../../core/ids.ts";
import type { Workflow } from "../../ports/engine.ts";
import type { Trx } from "../../ports/store.ts";
import type { World } from "../world.ts";
import { recordLoad } from "./load.ts";
import type { StepOutcome } from "./outcome.ts";
import { failedBy, performStep, type StepInput } from "./perform-step.ts";
import { runTurn, takeTurn } from "./turn.ts";

/**
 * One step of a run: it runs; that it has ended is recorded, what that frees begun, and this workflow ended with one commit. Its run is
 * told where there is something for it to do.
 */
export function stepWorkflow(world: World): Workflow<StepInput, Json> {
  return async (ctx, input) => {
    // A replay has none: the engine itself goes on with what is recorded.
    let after: readonly (() => unknown)[] = [];
    await ctx.finish(
      "perform",
      ({ signal }) =>
        performStep(world, input, signal).catch((error: unknown) => {
          signal.throwIfAborted();
          return failedBy(world, input, error);
        }),
      async (trx, outcome) => {
        const { number, ...run } = input;
        if (!(await recordEnd(world, trx, input, outcome))) return null;
        const { turn, starts } = await takeTurn(world, trx, run);
        const isNews = turn.end !== null || turn.cancelled.length > 0;
        const tell = isNews ? await world.engine.signalWithin(trx, run.run, runTurn, turn, `step-${number}`) : null;
        after = tell === null ? starts : [...starts, tell];
        return null;
      },
    );
    for (const go of after) await go();
    world.changes.announce();
    return null;
  };
}

/** False when it was called off meanwhile: it stays so, and whoever did that has decided what follows. */
async function recordEnd(world: World, trx: Trx, { run, number }: StepInput, outcome: StepOutcome): Promise<boolean> {
  const { phase, reason, attempt } = outcome;
  const ended = await trx
    .updateTable("run_step")
    .set({ phase, reason, attempt, outcome: JSON.stringify(outcome), ended_at: world.clock.now() })
    .where("run_id", "=", runId(run))
    .where("number", "=", number)
    .where("phase", "=", "running")
    .executeTakeFirst();
  if (ended.numUpdatedRows === 0n) return false;
  if (outcome.load !== undefined) {
    const { product, name } = await trx
      .selectFrom("run_step")
      .innerJoin("run", "run.id", "run_step.run_id")
      .select(["run.product", "run_step.name"])
      .where("run_id", "=", runId(run))
      .where("number", "=", number)
      .executeTakeFirstOrThrow();
    await recordLoad(world, trx, { product, run, step: name, outcome: outcome.load });
  }
  return true;
}
