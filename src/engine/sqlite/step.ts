import type { Json } from "../../core/ids.ts";
import type { ActOptions, Step, StepOptions } from "../../ports/engine.ts";
import type { Trx } from "../../ports/store.ts";
import type { WorkflowStepRow } from "../../ports/tables.ts";
import { asFailure } from "../payload.ts";
import { attempt } from "./attempt.ts";
import { recordStep } from "./journal.ts";
import { persist, until } from "./services.ts";
import { type Around, writeOnce } from "./tx.ts";
import { boundary, encoded, logFailure, type Outcome, rowOf, settled, type Verb } from "./verb.ts";

const defaultBackoffMs = 200;
const maxBackoffMs = 30_000;

/** perform → record. Between two attempts the failure is recorded, so that a crash does not give a step more of them. */
export async function performStep<T extends Json>(
  verb: Verb,
  perform: (step: Step) => Promise<T>,
  options: StepOptions,
): Promise<Outcome> {
  return attempts(verb, perform, options, async (value, row) => {
    const outcome = encoded(value, verb.name);
    await persist(verb.services, verb.stop, () => recordStep(verb.services.db, row(outcome)));
    return outcome;
  });
}

/** perform → write what came of it + record, in one transaction. */
export async function performAct<T, Out extends Json>(
  verb: Verb,
  perform: (step: Step) => Promise<T>,
  record: (trx: Trx, result: T) => Promise<Out>,
  { unsynced, ...options }: ActOptions<T>,
  around: Around = {},
): Promise<Outcome> {
  return attempts(verb, perform, options, (value, row) => {
    const how: Around = { ...around, unsynced: unsynced?.(value) ?? false };
    return persist(verb.services, verb.stop, () => writeOnce(verb, (trx) => record(trx, value), row, how));
  });
}

/** The row that journals an outcome. */
type RowOf = (outcome: Outcome) => WorkflowStepRow;

async function attempts<T>(
  verb: Verb,
  perform: (step: Step) => Promise<T>,
  { attempts: most = 1, backoffMs = defaultBackoffMs, timeoutMs }: StepOptions,
  keep: (value: T, row: RowOf) => Promise<Outcome>,
): Promise<Outcome> {
  const { services, stop, pending } = verb;
  const begun = pending?.started_at ?? services.clock.now();
  if (pending?.due_at != null) await until(pending.due_at, services, stop);
  for (let count = (pending?.attempts ?? 0) + 1; ; count++) {
    await boundary(verb, "before-perform");
    const key = `${verb.workflowId}/${verb.seq}`;
    const tried = await attempt(perform, { key, name: verb.name, stop, timeoutMs, clock: services.clock });
    await boundary(verb, "after-perform");
    const done: RowOf = (outcome) => ({
      ...rowOf(verb, "step", begun),
      attempts: count,
      ...settled(outcome, services.clock.now()),
    });
    if ("value" in tried) {
      const outcome = await keep(tried.value, done);
      await boundary(verb, "after-record");
      if ("failure" in outcome) logFailure(verb, outcome.failure, count, false);
      return outcome;
    }
    // Only what says that it may succeed later is tried again, and what ran out of time.
    const failure = asFailure(tried.error);
    const again = (failure.retryable || tried.timedOut) && count < most;
    const dueAt = services.clock.now() + Math.min(backoffMs * 2 ** (count - 1), maxBackoffMs);
    const row: WorkflowStepRow = again
      ? { ...done({ failure }), status: "pending", ended_at: null, due_at: dueAt }
      : done({ failure });
    await persist(services, stop, () => recordStep(services.db, row));
    await boundary(verb, "after-record");
    logFailure(verb, failure, count, again);
    if (!again) return { failure };
    await until(dueAt, services, stop);
  }
}
