import { mkdir } from "node:fs/promises";
import { isSlipwayError } from "../../../core/errors/error.ts";
import type { RunId } from "../../../core/ids.ts";
import { workspaceOf } from "../../release/build-log.ts";
import { pipelineSecrets } from "../../secrets/pipeline.ts";
import type { World } from "../../world.ts";
import type { StepOutcome } from "../outcome.ts";
import { type Attempting, roomOf } from "../perform-step.ts";
import type { RunPlan, StepSpec } from "../plan-steps.ts";
import { Foreseen } from "./foreseen.ts";
import {
  dependedOn,
  filesIn,
  findKept,
  type Keyed,
  keyOf,
  type Needed,
  putBack,
  putLogBack,
  restoredBy,
  toolNamesOf,
  toolsFor,
} from "./results.ts";
import type { Kept } from "./store.ts";

export type Ahead = { readonly number: number; readonly outcome: StepOutcome };

/** A step whose result is kept. */
type Found = { readonly on: Attempting; readonly keyed: Keyed; readonly kept: Kept };

export type AllAhead = {
  readonly restored: readonly Ahead[];
  /** Every step of the run is restored, and the checkout is as it was committed. */
  readonly whole: boolean;
};

/**
 * Restores, before any step begins, every step whose result is kept and that needs only such steps: an unchanged run is one piece of
 * work and not a workflow for each step. Outputs are unpacked when all is found, and only where a step is left that runs and may read
 * them. May be repeated. What cannot be told here (a secret that is missing, a path behind a link) is left to the step itself.
 */
export async function restoreAhead(
  world: World,
  passing: { readonly run: RunId; readonly plan: RunPlan },
  signal: AbortSignal,
): Promise<AllAhead> {
  const found = await findAhead(world, passing, signal);
  const wanted = passing.plan.steps.filter(({ skipped }) => skipped === null).length;
  const whole = found.length === wanted && (await logsBack(world, found));
  const restored = whole ? found : await outputsBack(world, found, signal);
  return {
    restored: restored.map(({ on, keyed, kept }) => ({ number: on.at.number, outcome: restoredBy(keyed, kept) })),
    whole,
  };
}

async function logsBack(world: World, found: readonly Found[]): Promise<boolean> {
  return (await Promise.all(found.map(({ on, keyed }) => putLogBack(world, on, keyed)))).every((there) => there);
}

/** In their order. What comes after one that cannot be put back may have been found by its outputs. */
async function outputsBack(world: World, found: readonly Found[], signal: AbortSignal): Promise<readonly Found[]> {
  for (const [index, { on, keyed, kept }] of found.entries()) {
    signal.throwIfAborted();
    if (!(await putBack(world, on, keyed, kept))) return found.slice(0, index);
  }
  return found;
}

/** Row by row: no step sees what another of its row has made. */
async function findAhead(
  world: World,
  { run, plan }: { readonly run: RunId; readonly plan: RunPlan },
  signal: AbortSignal,
): Promise<readonly Found[]> {
  const row = await world.store.db.selectFrom("run").selectAll().where("id", "=", run).executeTakeFirstOrThrow();
  const workspace = workspaceOf(world, run);
  // Tools say what they are in there.
  for (const directory of [workspace.home, workspace.temporary])
    await mkdir(directory, { recursive: true, mode: 0o700 });
  const files = await filesIn(workspace);
  const foreseen = new Foreseen(workspace.source, files);
  const tools = toolsOnce();
  const settled = new Map<string, Needed>();
  for (const { step, skipped } of plan.steps)
    if (skipped !== null) settled.set(step.id, { name: step.id, phase: "skipped", key: null });
  const ids = new Set(plan.steps.map(({ step }) => step.id));
  const { diskBytes, parameters, shared = null } = plan;
  const attempting = async (number: number, spec: StepSpec): Promise<Attempting | null> => {
    const secrets = await secretsOf(world, row.product, spec.step.secrets);
    if (secrets === null) return null;
    const input = { diskBytes, parameters, cache: true, shared };
    const room = roomOf(workspace, number);
    return { at: { run, number }, run: row, spec, workspace, secrets, besides: {}, input, room };
  };
  const look = async (number: number, spec: StepSpec): Promise<Found | null> => {
    const on = await attempting(number, spec);
    const inputs = on === null ? null : await foreseen.marksOf(spec.directory, dependedOn(on));
    if (on === null || inputs === null) return null;
    const needed = spec.step.needs.flatMap((need) => settled.get(need) ?? []);
    const keyed = keyOf(world, on, { needed, inputs, tools: await tools(on, toolNamesOf(on, files)) });
    const kept = await findKept(world, on, keyed);
    return kept === null ? null : { on, keyed, kept };
  };
  const done: Found[] = [];
  const open = new Map(plan.steps.entries());
  for (;;) {
    signal.throwIfAborted();
    const ready = [...open].filter(
      ([, { step, skipped }]) =>
        skipped === null && step.inputs !== null && step.needs.every((need) => settled.has(need) || !ids.has(need)),
    );
    if (ready.length === 0) return done;
    for (const [number] of ready) open.delete(number);
    const found = await Promise.all(ready.map(([number, spec]) => look(number, spec)));
    for (const each of found) {
      if (each === null) continue;
      const { on, keyed, kept } = each;
      const outputs = await world.stepCache.outputsOf(keyed.key, kept);
      const { step, directory } = on.spec;
      if (outputs === null || !foreseen.putOver(directory, step.outputs, outputs)) continue;
      settled.set(step.id, { name: step.id, phase: "restored", key: keyed.key });
      done.push(each);
    }
  }
}

/** What tools are is asked once of each directory: nothing runs meanwhile that could change it. */
function toolsOnce(): typeof toolsFor {
  const known = new Map<string, ReturnType<typeof toolsFor>>();
  return (on, names) => {
    const at = [on.spec.directory, ...names].join("\0");
    const tools = known.get(at) ?? toolsFor(on, names);
    known.set(at, tools);
    return tools;
  };
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
