import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { reasonOf } from "../../core/errors/error.ts";
import { runId } from "../../core/ids.ts";
import { workspaceOf } from "../release/build-log.ts";
import type { World } from "../world.ts";

/** Logs of this many runs are kept. */
const keptRuns = 100;

/** Ends what runs for a step that is not under way any more: of a run that ended while nobody looked. */
export async function sweepSteps(world: Pick<World, "store" | "executor" | "log">): Promise<void> {
  try {
    for (const labels of await world.executor.running()) {
      const { run, step = "" } = labels;
      // It is of no run: whoever has begun it looks after it.
      if (run === undefined) continue;
      const row = await world.store.db
        .selectFrom("run_step")
        .select("phase")
        .where("run_id", "=", runId(run))
        .where("number", "=", Number(step))
        .executeTakeFirst();
      if (row?.phase === "running") continue;
      await world.executor.stop(labels);
      world.log.warn("step.swept", { run, step });
    }
  } catch (error) {
    world.log.warn("step.not-swept", { reason: reasonOf(error) });
  }
}

/** What a run needs no more when it has ended: its checkout. Its logs stay, as long as it is among the newest, or its release is kept. */
export async function tidyRun(world: Pick<World, "store" | "runsDirectory">, run: string): Promise<null> {
  const { source, home, temporary } = workspaceOf(world, run);
  for (const directory of [source, home, temporary]) await rm(directory, { recursive: true, force: true });
  const { db } = world.store;
  // Before it is asked what is needed: a run that begins meanwhile is not among them.
  const there = (await readdir(world.runsDirectory)).filter((name) => name.startsWith("run_"));
  const newest = await db.selectFrom("run").select("id").orderBy("created_at", "desc").limit(keptRuns).execute();
  const needed = await db
    .selectFrom("run")
    .leftJoin("release", "release.id", "run.release_id")
    .select("run.id")
    .where(({ eb, or, and }) =>
      or([
        eb("run.ended_at", "is", null),
        and([eb("release.id", "is not", null), eb("release.pruned_at", "is", null)]),
      ]),
    )
    .execute();
  const kept = new Set<string>([...newest, ...needed].map(({ id }) => id));
  for (const name of there.filter((each) => !kept.has(each)))
    await rm(join(world.runsDirectory, name), { recursive: true, force: true });
  return null;
}
