import { availableParallelism } from "node:os";
import { type Evidence, SlipwayError } from "../../core/errors/error.ts";
import type { EpochMs, Json, RunId } from "../../core/ids.ts";
import { decideRun } from "../../core/pipeline/decide.ts";
import type { Ctx } from "../../ports/engine.ts";
import type { Trx } from "../../ports/store.ts";
import type { RunStepRow } from "../../ports/tables.ts";
import type { World } from "../world.ts";
import { type Ahead, restoreAhead } from "./cache/ahead.ts";
import type { StepOutcome } from "./outcome.ts";
import type { StepInput } from "./perform-step.ts";
import type { RunPlan, StepSpec } from "./plan-steps.ts";
import { stepEnded, stepKind, stepWorkflowId } from "./step-workflow.ts";

type Passing = {
  readonly run: RunId;
  readonly plan: RunPlan;
  readonly cache: boolean;
};

/** Lines of each failed step's log that its error shows. */
const shownLines = 12;
/** Of its failing tests too. */
const shownTests = 10;

type Turn = {
  readonly cancelled: readonly number[];
  readonly end: { readonly passed: boolean; readonly failed: readonly string[] } | null;
};

/**
 * Takes a run through its pipeline. Each step is a workflow of its own; here it is decided which begin and which are called off,
 * after each end of one. Errors: PIPELINE_FAILED.
 */
export async function passPipeline(world: World, ctx: Ctx, passing: Passing): Promise<void> {
  const { run, plan } = passing;
  await ctx.tx("plan", (trx) => insertSteps(trx, run, plan.steps));
  if (passing.cache && plan.steps.some(({ step }) => step.inputs !== null))
    await ctx.act(
      "restore",
      ({ signal }) => restoreAhead(world, passing, signal),
      (trx, restored) => recordRestored(trx, run, restored, world.clock.now()),
    );
  for (let turn = 0; ; turn++) {
    const begun: (() => Promise<void>)[] = [];
    const { cancelled, end } = await ctx.tx(`turn ${turn}`, (trx) => takeTurn(world, trx, passing, begun));
    // A replay has none: the engine itself goes on with what had begun.
    for (const begin of begun) await begin();
    world.changes.announce();
    for (const number of cancelled) await ctx.step(`stop ${number}`, () => stopStep(world, run, number));
    if (end?.passed === true) return;
    if (end !== null) throw await failure(world, ctx, run, end.failed);
    await ctx.waitFor(stepEnded);
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

async function takeTurn(
  world: World,
  trx: Trx,
  { run, plan, cache }: Passing,
  begun: (() => Promise<void>)[],
): Promise<Turn> {
  const now = world.clock.now();
  const rows = await trx
    .selectFrom("run_step")
    .select(["number", "name", "phase"])
    .where("run_id", "=", run)
    .orderBy("number")
    .execute();
  const states = rows.map(({ number, phase }) => {
    const { id, needs, allowFailure } = (plan.steps[number] as StepSpec).step;
    return { id, needs, allowFailure, phase };
  });
  const numbers = new Map(rows.map(({ name, number }) => [name, number]));
  const decision = decideRun(states, { parallel: plan.parallel ?? availableParallelism() });
  const move = (id: string, set: Partial<RunStepRow>) =>
    trx
      .updateTable("run_step")
      .set(set)
      .where("run_id", "=", run)
      .where("number", "=", numbers.get(id) ?? -1)
      .execute();
  const cancelled: number[] = [];
  for (const { id, why } of decision.cancel) {
    const number = numbers.get(id) ?? -1;
    if (rows[number]?.phase === "running") cancelled.push(number);
    await move(id, { phase: "cancelled", reason: why, ended_at: now });
  }
  for (const id of decision.start) {
    const number = numbers.get(id) ?? -1;
    const input: StepInput = { run, number, diskBytes: plan.diskBytes, parameters: plan.parameters, cache };
    await move(id, { phase: "running", started_at: now });
    begun.push(await world.engine.startWithin(trx, stepKind, stepWorkflowId(run, number), input satisfies Json));
  }
  const done = states.filter(({ phase }) => phase !== "waiting" && phase !== "running").length;
  if (decision.end === null)
    await trx
      .updateTable("run")
      .set({ phase: "checking", reason: `${done} of ${states.length} steps` })
      .where("id", "=", run)
      .execute();
  return { cancelled, end: decision.end };
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
