import { type Evidence, SlipwayError } from "../../core/errors/error.ts";
import type { EpochMs, RunId } from "../../core/ids.ts";
import type { Ctx } from "../../ports/engine.ts";
import type { Trx } from "../../ports/store.ts";
import type { RunStepRow } from "../../ports/tables.ts";
import type { World } from "../world.ts";
import { type Ahead, restoreAhead } from "./cache/ahead.ts";
import type { StepOutcome } from "./outcome.ts";
import type { RunPlan, StepSpec } from "./plan-steps.ts";
import { runTurn, stepWorkflowId, type Turn, takeTurn } from "./turn.ts";

type Passing = {
  readonly run: RunId;
  readonly plan: RunPlan;
  readonly cache: boolean;
  /** Writes what follows when every step has passed, in the transaction that says so. */
  readonly passed: (trx: Trx) => Promise<unknown>;
};

/** Lines of each failed step's log that its error shows. */
const shownLines = 12;
/** Of its failing tests too. */
const shownTests = 10;

/**
 * Takes a run through its pipeline. Each step is a workflow of its own, and what its end frees begins with that (`takeTurn`); here the
 * first begin, those that are called off are stopped, and the end is waited for. `untouched`: the checkout is as it was committed.
 * Errors: PIPELINE_FAILED.
 */
export async function passPipeline(world: World, ctx: Ctx, passing: Passing): Promise<{ readonly untouched: boolean }> {
  const { run, plan, cache } = passing;
  const { diskBytes, parameters, parallel, shared = null } = plan;
  let begun: readonly (() => Promise<void>)[] = [];
  const concluded = async (trx: Trx, turn: Turn): Promise<Turn> => {
    if (turn.end?.passed === true) await passing.passed(trx);
    return turn;
  };
  const first = async (trx: Trx): Promise<Turn> => {
    const { turn, starts } = await takeTurn(world, trx, { run, diskBytes, parameters, cache, shared, parallel });
    begun = starts;
    return concluded(trx, turn);
  };
  await ctx.tx("plan", (trx) => insertSteps(trx, run, plan.steps));
  const isRestored = cache && plan.steps.some(({ step }) => step.inputs !== null);
  const beginning = isRestored
    ? await ctx.act(
        "restore",
        ({ signal }) => restoreAhead(world, passing, signal),
        async (trx, { restored, whole }) => {
          await recordRestored(trx, run, restored, world.clock.now());
          return { turn: await first(trx), whole };
        },
      )
    : { turn: await ctx.tx("begin", first), whole: false };
  // A replay has none: the engine itself goes on with what had begun.
  for (const begin of begun) await begin();
  for (let { turn } = beginning; ; turn = await ctx.receive(runTurn, concluded)) {
    world.changes.announce();
    for (const number of turn.cancelled) await ctx.step(`stop ${number}`, () => stopStep(world, run, number));
    if (turn.end?.passed === true) return { untouched: beginning.whole };
    if (turn.end !== null) throw await failure(world, ctx, run, turn.end.failed);
  }
}

async function insertSteps(trx: Trx, run: RunId, steps: readonly StepSpec[]): Promise<null> {
  for (const [number, spec] of steps.entries()) {
    const row: RunStepRow = {
      run_id: run,
      number,
      name: spec.step.id,
      spec: JSON.stringify(spec),
      phase: spec.skipped === null ? "waiting" : "skipped",
      reason: spec.skipped ?? "",
      attempt: 0,
      outcome: null,
      started_at: null,
      ended_at: null,
    };
    await trx.insertInto("run_step").values(row).execute();
  }
  return null;
}

async function recordRestored(trx: Trx, run: RunId, restored: readonly Ahead[], now: EpochMs): Promise<null> {
  for (const { number, outcome } of restored)
    await trx
      .updateTable("run_step")
      .set({
        phase: outcome.phase,
        reason: outcome.reason,
        attempt: outcome.attempt,
        outcome: JSON.stringify(outcome),
        started_at: now,
        ended_at: now,
      })
      .where("run_id", "=", run)
      .where("number", "=", number)
      .execute();
  return null;
}

/** Ends a step that was called off, with all that it has started. May be repeated. */
export async function stopStep({ engine, executor, live }: World, run: RunId, number: number): Promise<null> {
  await engine.cancel(stepWorkflowId(run, number), "nobody waits for it any more");
  await executor.stop({ run, step: String(number) });
  live.ended(run, number);
  return null;
}

async function failure(world: World, ctx: Ctx, run: RunId, failed: readonly string[]): Promise<SlipwayError> {
  const evidence = await ctx.step("why", async () => {
    const rows = await world.store.db
      .selectFrom("run_step")
      .select(["name", "reason", "outcome"])
      .where("run_id", "=", run)
      .where("name", "in", [...failed])
      .orderBy("number")
      .execute();
    return rows.flatMap(({ name, reason, outcome }): Evidence[] => {
      const ended = outcome === null ? null : (JSON.parse(outcome) as StepOutcome);
      const tests = ended?.reports?.tests?.failing.slice(0, shownTests) ?? [];
      const lines = ended?.lines.slice(-shownLines) ?? [];
      const failing = tests.map(
        (test): Evidence => ["failed", [test.suite, test.name].filter((part) => part !== "").join(" › ")],
      );
      return [[name, reason], ...failing, ...lines.map((line): Evidence => ["", line])];
    });
  });
  const what = failed.length === 1 ? `the step ${failed[0]} has` : `${failed.length} steps have`;
  return new SlipwayError("PIPELINE_FAILED", {
    message: `${what} failed`,
    evidence,
    hint: `see all of its log: slipway logs --run ${run} --step ${failed[0]}`,
  });
}
