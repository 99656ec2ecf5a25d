import type { RunId } from "../../core/ids.ts";
import type { StepJob } from "../../ports/executor.ts";
import type { World } from "../world.ts";

/** Runs of which it was said. In memory: after a new start it may be said of a run again. */
const said = new Set<RunId>();
const mostRuns = 100;

/** That a process could read the state directory, and why: once a run, where the first of its steps that is one has passed. */
export async function saidOfFence(
  { executor }: Pick<World, "executor">,
  run: RunId,
  { container, away }: StepJob,
): Promise<readonly string[]> {
  if (container !== null || away !== null || said.has(run)) return [];
  const why = await executor.unfenced();
  if (why === null || said.has(run)) return [];
  said.add(run);
  for (const old of [...said].slice(0, -mostRuns)) said.delete(old);
  return [`it could read the state directory: ${why}`];
}
