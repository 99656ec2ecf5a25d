import type { SlipwayError } from "../../core/errors/error.ts";
import type { Json } from "../../core/ids.ts";
import type { WorkflowStepRow } from "../../ports/tables.ts";
import { asFailure, encode, encodeError } from "../payload.ts";
import type { BoundaryPoint, Services } from "./services.ts";

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

export async function boundary({ services, workflowId, seq, name }: Verb, at: BoundaryPoint["at"]): Promise<void> {
  await services.boundary({ workflowId, seq, name, at });
}

export function rowOf(verb: Verb, kind: WorkflowStepRow["kind"], begun: number): WorkflowStepRow {
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

/** The row of what was written once, by its outcome. */
export function onceRow(verb: Verb, kind: WorkflowStepRow["kind"]): (outcome: Outcome) => WorkflowStepRow {
  const { clock } = verb.services;
  const begun = clock.now();
  return (outcome) => ({ ...rowOf(verb, kind, begun), attempts: 1, ...settled(outcome, clock.now()) });
}

export function settled(
  outcome: Outcome,
  endedAt: number | null,
): Pick<WorkflowStepRow, "status" | "output" | "error" | "ended_at"> {
  return "failure" in outcome
    ? { status: "failed", output: null, error: encodeError(outcome.failure), ended_at: endedAt }
    : { status: "done", output: outcome.output, error: null, ended_at: endedAt };
}

export function encoded(value: Json, name: string): Outcome {
  try {
    return { output: encode(value, `the output of ${name}`) };
  } catch (error) {
    return { failure: asFailure(error) };
  }
}

export function logFailure(
  { services, workflowId, seq, name }: Verb,
  failure: SlipwayError,
  count: number,
  again: boolean,
): void {
  const { code, message } = failure;
  services.log("step.failed", { workflow: workflowId, seq, name, attempt: count, again, code, message });
}
