import { SlipwayError } from "../../core/errors/error.ts";
import type { RunId } from "../../core/ids.ts";
import { stopStep } from "../pipeline/pass.ts";
import { tidyRun } from "../pipeline/sweep.ts";
import type { World } from "../world.ts";

/** Ends a run where it is, with all that its steps have started; it makes no release. Ended: false. Errors: UNKNOWN_RUN. */
export async function cancelRun(
  world: World,
  { run, actor, reason }: { readonly run: RunId; readonly actor: string; readonly reason: string },
): Promise<boolean> {
  const { db } = world.store;
  const now = world.clock.now();
  const why = `cancelled by ${actor}${reason === "" ? "" : `: ${reason}`}`;
  const steps = await db.transaction().execute(async (trx) => {
    const row = await trx.selectFrom("run").select("ended_at").where("id", "=", run).executeTakeFirst();
    if (row === undefined) throw new SlipwayError("UNKNOWN_RUN", { message: `there is no run ${run}` });
    if (row.ended_at !== null) return null;
    const error = new SlipwayError("CANCELLED", { message: `${run} was ${why}` }).toJSON();
    await trx
      .updateTable("run")
      .set({ phase: "failed", reason: why, error: JSON.stringify(error), ended_at: now })
      .where("id", "=", run)
      .execute();
    const open = trx.selectFrom("run_step").select("number").where("run_id", "=", run);
    const running = await open.where("phase", "=", "running").execute();
    await trx
      .updateTable("run_step")
      .set({ phase: "cancelled", reason: why, ended_at: now })
      .where("run_id", "=", run)
      .where("phase", "in", ["waiting", "running"])
      .execute();
    return running.map(({ number }) => number);
  });
  if (steps === null) return false;
  await world.engine.cancel(run, why);
  for (const number of steps) await stopStep(world, run, number);
  world.changes.announce();
  await tidyRun(world, run);
  return true;
}
