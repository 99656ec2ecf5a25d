import { availableParallelism } from "node:os";
import type { Json, RunId } from "../../core/ids.ts";
import { decideRun, type StepState } from "../../core/pipeline/decide.ts";
import type { Trx } from "../../ports/store.ts";
import type { RunStepRow } from "../../ports/tables.ts";
import type { World } from "../world.ts";
import type { StepInput } from "./perform-step.ts";
import type { StepSpec } from "./plan-steps.ts";

export const stepKind = "step.v4";

/** Topic of the run's workflow: there is something for it to do, as a turn says it. */
export const runTurn = "turn";

export const stepWorkflowId = (run: string, number: number): string => `${run}/${number}`;

export type Turn = {
  /** Steps under way that nobody waits for any more: they are recorded as cancelled, and still to be stopped. */
  readonly cancelled: readonly number[];
  /** Null while something is under way. */
  readonly end: { readonly passed: boolean; readonly failed: readonly string[] } | null;
};

/**
 * Decides what begins next and what is called off, and records that; the steps that begin are under way when `starts` is called, after
 * the commit. Whoever has changed how a step stands does it in that transaction: so the next step waits for no second commit, and
 * for no other workflow.
 */
export async function takeTurn(
  world: Pick<World, "clock" | "engine">,
  trx: Trx,
  input: Omit<StepInput, "number">,
): Promise<{ readonly turn: Turn; readonly starts: readonly (() => Promise<void>)[] }> {
  const run = input.run as RunId;
  const now = world.clock.now();
  const states = await statesOf(trx, run);
  if (states.length === 0) return { turn: { cancelled: [], end: null }, starts: [] };
  const numbers = new Map(states.map(({ id, number }) => [id, number]));
  const decision = decideRun(states, { parallel: input.parallel ?? availableParallelism() });
  const move = (number: number, set: Partial<RunStepRow>) =>
    trx.updateTable("run_step").set(set).where("run_id", "=", run).where("number", "=", number).execute();
  const cancelled: number[] = [];
  for (const { id, why } of decision.cancel) {
    const number = numbers.get(id) ?? -1;
    if (states[number]?.phase === "running") cancelled.push(number);
    await move(number, { phase: "cancelled", reason: why, ended_at: now });
  }
  const starts: (() => Promise<void>)[] = [];
  for (const id of decision.start) {
    const number = numbers.get(id) ?? -1;
    const step: StepInput = { ...input, number };
    await move(number, { phase: "running", started_at: now });
    starts.push(await world.engine.startWithin(trx, stepKind, stepWorkflowId(run, number), step satisfies Json));
  }
  const done = states.filter(({ phase }) => phase !== "waiting" && phase !== "running").length;
  if (decision.end === null)
    await trx
      .updateTable("run")
      .set({ phase: "checking", reason: `${done} of ${states.length} steps` })
      .where("id", "=", run)
      .execute();
  return { turn: { cancelled, end: decision.end }, starts };
}

/** None where the run has ended: nothing begins any more. */
async function statesOf(trx: Trx, run: RunId): Promise<readonly (StepState & { readonly number: number })[]> {
  const rows = await trx
    .selectFrom("run_step")
    .innerJoin("run", "run.id", "run_step.run_id")
    .select(["number", "run_step.phase"])
    .where("run_id", "=", run)
    .where("run.ended_at", "is", null)
    .orderBy("number")
    .execute();
  const graph = await graphOf(trx, run);
  return rows.map(({ number, phase }) => ({ ...(graph[number] as Node), number, phase }));
}

type Node = Pick<StepState, "id" | "needs" | "allowFailure">;

/** What the steps of a run are never changes: it is read once, and not at each end of one. */
const graphs = new Map<string, readonly Node[]>();
const mostGraphs = 16;

async function graphOf(trx: Trx, run: RunId): Promise<readonly Node[]> {
  const known = graphs.get(run);
  if (known !== undefined) return known;
  const rows = await trx.selectFrom("run_step").select("spec").where("run_id", "=", run).orderBy("number").execute();
  const graph = rows.map(({ spec }): Node => {
    const { id, needs, allowFailure } = (JSON.parse(spec) as StepSpec).step;
    return { id, needs, allowFailure };
  });
  graphs.set(run, graph);
  for (const [old] of [...graphs].slice(0, -mostGraphs)) graphs.delete(old);
  return graph;
}
