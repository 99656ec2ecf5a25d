import type { OnConflictBuilder } from "kysely";
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
  const last = await trx.selectFrom("workflow").select("number").orderBy("number", "desc").limit(1).executeTakeFirst();
  const runs = open && (lockKey === null || !(await isHeld(trx, lockKey)));
  const row: WorkflowRow = {
    id,
    number: (last?.number ?? 0) + 1,
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
    .onConflict(once)
    .executeTakeFirstOrThrow();
  return numInsertedOrUpdatedRows === 1n ? row : null;
}

/** Outside of the call, so that a store may keep the query. */
const once = (same: OnConflictBuilder<Database, "workflow">) => same.column("id").doNothing();

/** Whether another has the lock, or waits for it. */
async function isHeld(trx: Trx, lockKey: string): Promise<boolean> {
  const holder = await trx
    .selectFrom("workflow")
    .select("id")
    .where("lock_key", "=", lockKey)
    .where("status", "in", ["queued", "running"])
    .limit(1)
    .executeTakeFirst();
  return holder !== undefined;
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
