import type { WorkflowStepRow } from "../../ports/tables.ts";
import { recordStep, takeSignal } from "./journal.ts";
import { persist, until } from "./services.ts";
import { boundary, type Outcome, rowOf, settled, type Verb } from "./verb.ts";

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
