import { expressionBuilder } from "kysely";
import type { EpochMs } from "../../core/ids.ts";
import type { Db } from "../../ports/store.ts";
import type { Database } from "../../ports/tables.ts";

/** In one transaction, so that a large clean-up does not hold up work under way. */
const batchSize = 200;

/**
 * Deletes the journal and the signals of workflows that ended before this time; returns of how many. The workflows
 * themselves stay, with their outcome: an id that was used never starts again. May be repeated.
 */
export async function forgetEnded(db: Db, before: EpochMs): Promise<number> {
  for (let forgotten = 0; ; ) {
    const ended = await db
      .selectFrom("workflow")
      .select("id")
      .where("ended_at", "<", before)
      .where(isKept)
      .limit(batchSize)
      .execute();
    if (ended.length === 0) return forgotten;
    const ids = ended.map(({ id }) => id);
    await db.transaction().execute(async (trx) => {
      await trx.deleteFrom("workflow_signal").where("workflow_id", "in", ids).execute();
      await trx.deleteFrom("workflow_step").where("workflow_id", "in", ids).execute();
    });
    forgotten += ids.length;
  }
}

const { or, exists, selectFrom } = expressionBuilder<Database, "workflow">();

/** Outside of the call, so that a store may keep the query. */
const isKept = () =>
  or([
    exists(selectFrom("workflow_step as step").select("seq").whereRef("step.workflow_id", "=", "workflow.id")),
    exists(selectFrom("workflow_signal as sent").select("key").whereRef("sent.workflow_id", "=", "workflow.id")),
  ]);
