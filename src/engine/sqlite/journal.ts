import type { OnConflictBuilder } from "kysely";
import type { Db, Trx } from "../../ports/store.ts";
import type { Database, WorkflowRow, WorkflowStepRow } from "../../ports/tables.ts";

export type Journal = ReadonlyMap<number, WorkflowStepRow>;

/** Everything that was recorded of one workflow, by sequence number. */
export async function readJournal(db: Db, id: string): Promise<Journal> {
  const rows = await db.selectFrom("workflow_step").selectAll().where("workflow_id", "=", id).execute();
  return new Map(rows.map((row) => [row.seq, row]));
}

/** One verb's row; replaces what was pending of it. */
export async function recordStep(db: Db | Trx, row: WorkflowStepRow): Promise<void> {
  await db.insertInto("workflow_step").values(row).onConflict(settle).execute();
}

/** Outside of the call, so that a store may keep the query. */
const settle = (same: OnConflictBuilder<Database, "workflow_step">) =>
  same.columns(["workflow_id", "seq"]).doUpdateSet(({ ref }) => ({
    status: ref("excluded.status"),
    attempts: ref("excluded.attempts"),
    output: ref("excluded.output"),
    error: ref("excluded.error"),
    due_at: ref("excluded.due_at"),
    ended_at: ref("excluded.ended_at"),
  }));

/** Takes the oldest unused signal of a topic for the wait `seq`; its payload, or null when there is none. */
export async function takeSignal(trx: Trx, id: string, topic: string, seq: number): Promise<string | null> {
  const signal = await trx
    .selectFrom("workflow_signal")
    .select(["id", "payload"])
    .where("workflow_id", "=", id)
    .where("topic", "=", topic)
    .where("consumed_seq", "is", null)
    .orderBy("id")
    .limit(1)
    .executeTakeFirst();
  if (signal === undefined) return null;
  await trx.updateTable("workflow_signal").set({ consumed_seq: seq }).where("id", "=", signal.id).execute();
  return signal.payload;
}

export type End = {
  readonly status: "succeeded" | "failed" | "cancelled";
  readonly output: string | null;
  readonly error: string | null;
};

/** How it has ended, and whom that has let in. */
export type Ended = { readonly status: End["status"]; readonly next: WorkflowRow | null };

/**
 * Records how a running workflow ended, and lets in the next one with its lock key; returns that one. A cancel that was
 * accepted before this counts, whatever the code returned.
 */
export async function recordEnd(trx: Trx, id: string, end: End, now: number): Promise<Ended> {
  const row = await trx.selectFrom("workflow").selectAll().where("id", "=", id).executeTakeFirstOrThrow();
  const cancelled = row.cancel_reason !== null;
  const set = cancelled ? { status: "cancelled" as const, output: null, error: null } : end;
  await trx
    .updateTable("workflow")
    .set({ ...set, ended_at: now })
    .where("id", "=", id)
    .execute();
  return { status: set.status, next: row.lock_key === null ? null : await admitNext(trx, row.lock_key, now) };
}

async function admitNext(trx: Trx, lockKey: string, now: number): Promise<WorkflowRow | null> {
  const next = await trx
    .selectFrom("workflow")
    .select("id")
    .where("lock_key", "=", lockKey)
    .where("status", "=", "queued")
    .orderBy("number")
    .limit(1)
    .executeTakeFirst();
  return next === undefined ? null : await admit(trx, next.id, now);
}

export async function admit(trx: Trx, id: string, now: number): Promise<WorkflowRow> {
  return await trx
    .updateTable("workflow")
    .set({ status: "running", started_at: now })
    .where("id", "=", id)
    .returningAll()
    .executeTakeFirstOrThrow();
}
