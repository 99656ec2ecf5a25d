import { isSlipwayError, type SlipwayError } from "../../core/errors/error.ts";
import type { Json } from "../../core/ids.ts";
import type { Trx } from "../../ports/store.ts";
import type { WorkflowStepRow } from "../../ports/tables.ts";
import { asFailure, encode, encodeError } from "../payload.ts";
import type { Step, StepOptions } from "../verbs.ts";
import { attempt } from "./attempt.ts";
import { recordStep, takeSignal } from "./journal.ts";
import { type BoundaryPoint, maxTxMs, persist, type Services, until } from "./services.ts";

/** One verb of one workflow, at its place in the journal. */
export type Verb = {
  readonly workflowId: string;
  readonly seq: number;
  readonly name: string;
  /** What is recorded of it: nothing, or a row that is still pending. */
  readonly pending: WorkflowStepRow | undefined;
  /** Aborted when the workflow is cancelled or the engine closes; then the verb throws `Stopped`. */
  readonly stop: AbortSignal;
  readonly services: Services;
};

/** What a verb came to, as the journal holds it; the workflow is told the same, now and on every replay. */
export type Outcome = { readonly output: string } | { readonly failure: SlipwayError };

const defaultBackoffMs = 200;
const maxBackoffMs = 30_000;

/** perform → record. Between two attempts the failure is recorded, so that a crash does not give a step more of them. */
export async function performStep<T extends Json>(
  verb: Verb,
  perform: (step: Step) => Promise<T>,
  { attempts = 1, backoffMs = defaultBackoffMs, timeoutMs }: StepOptions,
): Promise<Outcome> {
  const { services, stop, pending } = verb;
  const begun = pending?.started_at ?? services.clock.now();
  if (pending?.due_at != null) await until(pending.due_at, services, stop);
  for (let count = (pending?.attempts ?? 0) + 1; ; count++) {
    await boundary(verb, "before-perform");
    const key = `${verb.workflowId}/${verb.seq}`;
    const tried = await attempt(perform, { key, name: verb.name, stop, timeoutMs, clock: services.clock });
    await boundary(verb, "after-perform");
    const { outcome, retry } = judge(tried, verb.name);
    const again = retry && count < attempts;
    const now = services.clock.now();
    const dueAt = now + Math.min(backoffMs * 2 ** (count - 1), maxBackoffMs);
    const row: WorkflowStepRow = again
      ? { ...rowOf(verb, "step", begun), attempts: count, ...settled(outcome, null), status: "pending", due_at: dueAt }
      : { ...rowOf(verb, "step", begun), attempts: count, ...settled(outcome, now) };
    await persist(services, stop, () => recordStep(services.db, row));
    await boundary(verb, "after-record");
    if ("failure" in outcome) logFailure(verb, outcome.failure, count, again);
    if (!again) return outcome;
    await until(dueAt, services, stop);
  }
}

/** write + record, in one transaction. A failure undoes the writes and is recorded by itself. */
export async function performTx<T extends Json>(verb: Verb, write: (trx: Trx) => Promise<T>): Promise<Outcome> {
  const { services, stop } = verb;
  const begun = services.clock.now();
  await boundary(verb, "before-perform");
  const outcome = await persist(services, stop, () => writeOnce(verb, write, begun));
  await boundary(verb, "after-record");
  return outcome;
}

async function writeOnce<T extends Json>(verb: Verb, write: (trx: Trx) => Promise<T>, begun: number): Promise<Outcome> {
  const { services } = verb;
  const journalled = (outcome: Outcome): WorkflowStepRow => ({
    ...rowOf(verb, "tx", begun),
    attempts: 1,
    ...settled(outcome, services.clock.now()),
  });
  const refusal: { by: unknown } = { by: nobody };
  try {
    return await services.db.transaction().execute(async (trx) => {
      const value = await withinTxLimit((async () => write(trx))(), verb.name).catch((error: unknown) => {
        refusal.by = error;
        throw error;
      });
      const outcome = encoded(value, verb.name);
      if ("failure" in outcome) {
        refusal.by = outcome.failure;
        throw outcome.failure;
      }
      await recordStep(trx, journalled(outcome));
      await boundary(verb, "after-perform");
      return outcome;
    });
  } catch (error) {
    // Only what the writing itself threw is an outcome; a failing store or a stop is not.
    if (error !== refusal.by || isStoreFailure(error)) throw error;
    const outcome: Outcome = { failure: asFailure(error) };
    await recordStep(services.db, journalled(outcome));
    logFailure(verb, outcome.failure, 1, false);
    return outcome;
  }
}

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
      if (!known) await recordStep(trx, row);
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

async function boundary({ services, workflowId, seq, name }: Verb, at: BoundaryPoint["at"]): Promise<void> {
  await services.boundary({ workflowId, seq, name, at });
}

function rowOf(verb: Verb, kind: WorkflowStepRow["kind"], begun: number): WorkflowStepRow {
  return {
    workflow_id: verb.workflowId,
    seq: verb.seq,
    name: verb.name,
    kind,
    status: "pending",
    attempts: 0,
    output: null,
    error: null,
    due_at: null,
    started_at: begun,
    ended_at: null,
  };
}

function settled(
  outcome: Outcome,
  endedAt: number | null,
): Pick<WorkflowStepRow, "status" | "output" | "error" | "ended_at"> {
  return "failure" in outcome
    ? { status: "failed", output: null, error: encodeError(outcome.failure), ended_at: endedAt }
    : { status: "done", output: outcome.output, error: null, ended_at: endedAt };
}

/** Only what says that it may succeed later is tried again, and what ran out of time. */
function judge(tried: Awaited<ReturnType<typeof attempt<Json>>>, name: string): { outcome: Outcome; retry: boolean } {
  if ("value" in tried) return { outcome: encoded(tried.value, name), retry: false };
  const failure = asFailure(tried.error);
  return { outcome: { failure }, retry: failure.retryable || tried.timedOut };
}

function encoded(value: Json, name: string): Outcome {
  try {
    return { output: encode(value, `the output of ${name}`) };
  } catch (error) {
    return { failure: asFailure(error) };
  }
}

const nobody = Symbol("nobody");

const storeFailures: ReadonlySet<string> = new Set(["DISK_FULL", "STORE_FAILED", "STORE_CORRUPT"]);

const isStoreFailure = (error: unknown): boolean => isSlipwayError(error) && storeFailures.has(error.code);

/** Real time, whatever the clock: the guard is against a deadlock, such as a verb or `store.db` used inside the writing. */
async function withinTxLimit<T>(writing: Promise<T>, name: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${name} held its transaction for more than ${maxTxMs} ms`)), maxTxMs);
  });
  return await Promise.race([writing, limit]).finally(() => clearTimeout(timer));
}

function logFailure(
  { services, workflowId, seq, name }: Verb,
  failure: SlipwayError,
  count: number,
  again: boolean,
): void {
  const { code, message } = failure;
  services.log("step.failed", { workflow: workflowId, seq, name, attempt: count, again, code, message });
}
