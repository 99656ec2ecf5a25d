import type { Json } from "../../core/ids.ts";
import type { Trx } from "../../ports/store.ts";
import type { WorkflowStepRow } from "../../ports/tables.ts";
import { decode } from "../payload.ts";
import { recordStep, takeSignal } from "./journal.ts";
import { persist, until } from "./services.ts";
import { writeOnce } from "./tx.ts";
import { boundary, logFailure, type Outcome, onceRow, rowOf, settled, type Verb } from "./verb.ts";

/** The due time is recorded first; nothing moves it afterwards. */
export async function performSleep(verb: Verb, ms: number): Promise<Outcome> {
  const { services, stop, pending } = verb;
  await boundary(verb, "before-perform");
  const begun = pending?.started_at ?? services.clock.now();
  const dueAt = pending?.due_at ?? begun + ms;
  const row = { ...rowOf(verb, "sleep", begun), due_at: dueAt };
  if (pending === undefined) await persist(services, stop, () => recordStep(services.db, row));
  await until(dueAt, services, stop);
  await boundary(verb, "after-perform");
  const now = services.clock.now();
  await persist(services, stop, () => recordStep(services.db, { ...row, ...settled({ output: "null" }, now) }));
  await boundary(verb, "after-record");
  return { output: "null" };
}

/**
 * Takes the oldest unused signal and records it, in one transaction, or waits for one. `arrival` is asked before the look,
 * so that no signal falls between looking and waiting. One that is there wins over a time limit that is over.
 */
export async function performWait(
  verb: Verb,
  timeoutMs: number | undefined,
  arrival: () => Promise<void>,
): Promise<Outcome> {
  const { services, stop, pending } = verb;
  await boundary(verb, "before-perform");
  const begun = pending?.started_at ?? services.clock.now();
  const limit = timeoutMs === undefined ? null : begun + timeoutMs;
  const row: WorkflowStepRow = {
    ...rowOf(verb, "wait", begun),
    due_at: pending === undefined ? limit : pending.due_at,
  };
  for (let known = pending !== undefined; ; known = true) {
    const arrived = arrival();
    const outcome = await persist(services, stop, () => look(verb, row, known));
    if (outcome !== null) {
      await boundary(verb, "after-record");
      return outcome;
    }
    await arrivalOrDue(arrived, row.due_at ?? Number.POSITIVE_INFINITY, verb);
  }
}

/** The same, with the writing that follows from the signal in the transaction that takes it. */
export async function performReceive<T extends Json, Out extends Json>(
  verb: Verb,
  write: (trx: Trx, payload: T) => Promise<Out>,
  arrival: () => Promise<void>,
): Promise<Outcome> {
  await boundary(verb, "before-perform");
  const row = onceRow(verb, "wait");
  for (;;) {
    const arrived = arrival();
    const outcome = await received(verb, write, row);
    if (outcome !== null) {
      await boundary(verb, "after-record");
      if ("failure" in outcome) logFailure(verb, outcome.failure, 1, false);
      return outcome;
    }
    await arrivalOrDue(arrived, Number.POSITIVE_INFINITY, verb);
  }
}

/** Null when there is none. */
async function received<T extends Json, Out extends Json>(
  verb: Verb,
  write: (trx: Trx, payload: T) => Promise<Out>,
  row: (outcome: Outcome) => WorkflowStepRow,
): Promise<Outcome | null> {
  const { services, stop, workflowId, seq, name: topic } = verb;
  const taken: { payload: string | null } = { payload: null };
  const before = async (trx: Trx): Promise<void> => {
    taken.payload = await takeSignal(trx, workflowId, topic, seq);
    if (taken.payload === null) throw none;
  };
  const written = () => boundary(verb, "after-perform");
  const writing = (trx: Trx) => write(trx, decode<T>(taken.payload ?? "null"));
  try {
    return await persist(services, stop, () => writeOnce(verb, writing, row, { before, written }));
  } catch (error) {
    if (error === none) return null;
    throw error;
  }
}

/** Made once: a reason that is made costs a stack each time. */
const none = new Error("no signal is there");

async function look(verb: Verb, row: WorkflowStepRow, known: boolean): Promise<Outcome | null> {
  const { services, workflowId, seq, name: topic } = verb;
  return await services.db.transaction().execute(async (trx) => {
    const payload = await takeSignal(trx, workflowId, topic, seq);
    const now = services.clock.now();
    const timedOut = row.due_at !== null && row.due_at <= now;
    if (payload === null && !timedOut) {
      // Its time is what must be known after a crash; without a limit it begins again, and costs nothing now.
      if (!known && row.due_at !== null) await recordStep(trx, row);
      return null;
    }
    const outcome: Outcome = { output: payload ?? "null" };
    await recordStep(trx, { ...row, ...settled(outcome, now) });
    await boundary(verb, "after-perform");
    return outcome;
  });
}

async function arrivalOrDue(arrived: Promise<void>, dueAt: number, { services, stop }: Verb): Promise<void> {
  const over = new AbortController();
  stop.addEventListener("abort", () => over.abort(), { once: true, signal: over.signal });
  if (stop.aborted) over.abort();
  const due = until(dueAt, services, over.signal);
  due.catch(() => {});
  await Promise.race([arrived, due]).finally(() => over.abort());
}
