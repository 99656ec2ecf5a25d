import type { ExpressionBuilder } from "kysely";
import type { Trx } from "../../ports/store.ts";
import type { Database, WorkflowRow } from "../../ports/tables.ts";
import { admit } from "./journal.ts";

export type NewWorkflow = {
  readonly kind: string;
  readonly id: string;
  readonly input: string;
  readonly lockKey: string | null;
};

/** Writes a workflow once; null when its id is known already. It is let in at once when `open` and nobody has its lock. */
export async function enqueue(
  trx: Trx,
  { kind, id, input, lockKey }: NewWorkflow,
  { open, now }: { readonly open: boolean; readonly now: number },
): Promise<WorkflowRow | null> {
  // One question for both: it stands between a request and the first program that starts.
  const before = await trx
    .selectFrom("workflow")
    .select(({ fn }) => fn.max("number").as("number"))
    .select((eb) => eb.exists(holders(eb, lockKey)).as("held"))
    .executeTakeFirst();
  const runs = open && (lockKey === null || !before?.held);
  const row: WorkflowRow = {
    id,
    number: (before?.number ?? 0) + 1,
    kind,
    status: runs ? "running" : "queued",
    lock_key: lockKey,
    input,
    output: null,
    error: null,
    cancel_reason: null,
    created_at: now,
    started_at: runs ? now : null,
    ended_at: null,
  };
  const { numInsertedOrUpdatedRows } = await trx
    .insertInto("workflow")
    .values(row)
    .onConflict((same) => same.column("id").doNothing())
    .executeTakeFirstOrThrow();
  return numInsertedOrUpdatedRows === 1n ? row : null;
}

/** Who has the lock, or waits for it. */
function holders(eb: ExpressionBuilder<Database, "workflow">, lockKey: string | null) {
  return eb
    .selectFrom("workflow as holder")
    .select("holder.id")
    .where("holder.lock_key", "=", lockKey)
    .where("holder.status", "in", ["queued", "running"]);
}

/** Lets in everything whose turn it is, and returns all that runs now, in the order of starting: work to be resumed. */
export async function admitAll(trx: Trx, now: number): Promise<readonly WorkflowRow[]> {
  const unfinished = await trx
    .selectFrom("workflow")
    .selectAll()
    .where("status", "in", ["queued", "running"])
    .orderBy("number")
    .execute();
  const held = new Set(unfinished.filter(({ status }) => status === "running").map((row) => row.lock_key));
  const running: WorkflowRow[] = [];
  for (const row of unfinished) {
    if (row.status === "running") running.push(row);
    else if (row.lock_key === null || !held.has(row.lock_key)) {
      held.add(row.lock_key);
      running.push(await admit(trx, row.id, now));
    }
  }
  return running;
}
