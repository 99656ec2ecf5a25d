import type { Json } from "../../core/ids.ts";
import type { Step, StepOptions } from "../../ports/engine.ts";
import type { WorkflowStepRow } from "../../ports/tables.ts";
import { asFailure } from "../payload.ts";
import { attempt } from "./attempt.ts";
import { recordStep } from "./journal.ts";
import { persist, until } from "./services.ts";
import { boundary, encoded, logFailure, type Outcome, rowOf, settled, type Verb } from "./verb.ts";

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

/** Only what says that it may succeed later is tried again, and what ran out of time. */
function judge(tried: Awaited<ReturnType<typeof attempt<Json>>>, name: string): { outcome: Outcome; retry: boolean } {
  if ("value" in tried) return { outcome: encoded(tried.value, name), retry: false };
  const failure = asFailure(tried.error);
  return { outcome: { failure }, retry: failure.retryable || tried.timedOut };
}
