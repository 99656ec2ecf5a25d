import type { Db } from "../ports/store.ts";

/** What must always be true of the rows and cannot be said as a constraint. One sentence for each that is broken. */
export type Invariants = (db: Db) => Promise<readonly string[]>;

export const storeInvariants: Invariants = async (db) => [
  ...(await endsWithoutTime(db)),
  ...(await sharedLocks(db)),
  ...(await strayConsumptions(db)),
];

async function endsWithoutTime(db: Db): Promise<string[]> {
  const rows = await db
    .selectFrom("workflow")
    .select(["id", "status"])
    .where((is) =>
      is.or([
        is.and([is("status", "in", ["queued", "running"]), is("ended_at", "is not", null)]),
        is.and([is("status", "not in", ["queued", "running"]), is("ended_at", "is", null)]),
      ]),
    )
    .execute();
  return rows.map(({ id, status }) => `workflow ${id} is ${status}, but its end time says otherwise`);
}

async function sharedLocks(db: Db): Promise<string[]> {
  const rows = await db
    .selectFrom("workflow")
    .select(({ fn }) => ["lock_key", fn.countAll<number>().as("count")])
    .where("status", "=", "running")
    .where("lock_key", "is not", null)
    .groupBy("lock_key")
    .having(({ fn }) => fn.countAll(), ">", 1)
    .execute();
  return rows.map(({ lock_key, count }) => `${count} workflows run with the lock key ${lock_key}`);
}

async function strayConsumptions(db: Db): Promise<string[]> {
  const rows = await db
    .selectFrom("workflow_signal as signal")
    .leftJoin("workflow_step as step", (on) =>
      on.onRef("step.workflow_id", "=", "signal.workflow_id").onRef("step.seq", "=", "signal.consumed_seq"),
    )
    .select(["signal.workflow_id", "signal.key"])
    .where("signal.consumed_seq", "is not", null)
    .where((is) =>
      is.or([is("step.kind", "is", null), is("step.kind", "!=", "wait"), is("step.status", "=", "pending")]),
    )
    .execute();
  return rows.map(({ workflow_id, key }) => `signal ${key} of ${workflow_id} was used by no wait`);
}
