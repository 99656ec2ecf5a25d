import type { Json } from "../core/ids.ts";
import type { Trx } from "./store.ts";

/**
 * The verbs. Workflow code is plain async functions over `Ctx` and never imports an engine; the SQLite engine here and
 * a PostgreSQL one later pass the same contract suite (`src/testing/engine`).
 *
 * What is promised: a finished `step` is never run again; a `tx` happens exactly once; only the one step in flight at a
 * crash is repeated, with the same key. A workflow is resumed by running its function again and answering the finished
 * verbs from the journal, so between verbs it must be deterministic: no clock, no random, no I/O.
 */
export type Workflow<Input extends Json = Json, Output extends Json = Json> = (
  ctx: Ctx,
  input: Input,
) => Promise<Output>;

export type StepOptions = {
  /** Attempts in all, first included. Default 1. Only errors that say `retryable`, and attempts that took too long, are tried again. */
  readonly attempts?: number;
  /** Wait before the second attempt; doubles each time, with a cap of 30 s. Default 200 ms. */
  readonly backoffMs?: number;
  /** The step's signal is aborted and the attempt fails with TIMED_OUT after this, whatever it returns then. Default: none. */
  readonly timeoutMs?: number;
};

/** Of a verb whose record is a transaction of its own. */
export type ActOptions<T> = StepOptions & {
  /**
   * Whether the record of this result may wait for the flush of the next one. It survives a kill as every other; a loss of power may take
   * it, and what was performed after it is then performed again from before. Default: no.
   */
  readonly unsynced?: (result: T) => boolean;
};

export type Step = {
  /** `<workflow id>/<seq>`: the same on every repeat of this step, never used by another. */
  readonly key: string;
  /** Aborted on cancel, on timeout, and when the engine closes. */
  readonly signal: AbortSignal;
};

export interface Ctx {
  readonly workflowId: string;
  /** True while finished verbs are being answered from the journal. For logs only. */
  readonly replaying: boolean;
  /**
   * Acts on the outside world. At least once: `perform` must be idempotent under `key`. Its outcome, also a failure after all
   * attempts, is journalled; what is no `SlipwayError` becomes INTERNAL. Output over 1 MiB: PAYLOAD_TOO_LARGE.
   */
  step<T extends Json>(name: string, perform: (step: Step) => Promise<T>, options?: StepOptions): Promise<T>;
  /**
   * Acts, then writes truth of what came of it: a `step` and its `tx` with one commit between them and the next verb. `perform`
   * at least once under `key`; `record` exactly once, in the transaction that journals its output. A failure of either is
   * journalled like a step's, and then nothing is written.
   */
  act<T, Out extends Json>(
    name: string,
    perform: (step: Step) => Promise<T>,
    record: (trx: Trx, result: T) => Promise<Out>,
    options?: ActOptions<T>,
  ): Promise<Out>;
  /**
   * An `act` with which the workflow ends: what it records and the end are one commit, and what it resolves with is the workflow's output.
   * The code may tell of it then, but no verb may follow. When it fails, or another verb is in flight, it is an `act` as any other.
   */
  finish<T, Out extends Json>(
    name: string,
    perform: (step: Step) => Promise<T>,
    record: (trx: Trx, result: T) => Promise<Out>,
    options?: StepOptions,
  ): Promise<Out>;
  /** Writes truth. Exactly once: the writes and the journal row commit together. Must not do I/O besides `trx`, nor use another verb. */
  tx<T extends Json>(name: string, write: (trx: Trx) => Promise<T>): Promise<T>;
  /** Goes on at a fixed time, also when the process was down at that time. */
  sleep(name: string, ms: number): Promise<void>;
  /** The next unused signal of this topic, oldest first, or null after `timeoutMs`. A signal sent before the wait began counts. */
  waitFor<T extends Json>(topic: string, options?: { readonly timeoutMs?: number }): Promise<T | null>;
  /**
   * The next unused signal of this topic, and the `tx` that follows from it, in one commit. A failure of `write` undoes what it wrote, is
   * journalled, and uses the signal up too.
   */
  receive<T extends Json, Out extends Json>(topic: string, write: (trx: Trx, payload: T) => Promise<Out>): Promise<Out>;
}

export type WorkflowStatus = "queued" | "running" | "succeeded" | "failed" | "cancelled";

export type WorkflowRecord = {
  readonly id: string;
  readonly kind: string;
  readonly status: WorkflowStatus;
  readonly output: Json;
  readonly error: string | null;
};

export interface Engine {
  /** Names the code of a kind (`deploy.v1`). Before `open`. */
  register<Input extends Json, Output extends Json>(kind: string, workflow: Workflow<Input, Output>): void;
  /** Resumes everything unfinished and starts timers. Errors: WORKFLOW_UNKNOWN when unfinished work has a kind that is not registered. */
  open(): Promise<void>;
  /** Starts a workflow once: a second start with the same id changes nothing. With `lockKey` it waits until earlier ones with that key have ended. */
  start(kind: string, id: string, input: Json, options?: { readonly lockKey?: string }): Promise<void>;
  /**
   * The same as a part of the caller's transaction: what is returned is called when that has committed, and lets the workflow
   * run. An engine that does not share the caller's store starts it only then, so whoever uses this looks for lost ones.
   */
  startWithin(
    trx: Trx,
    kind: string,
    id: string,
    input: Json,
    options?: { readonly lockKey?: string },
  ): Promise<() => Promise<void>>;
  /** Delivers once per `key`, also to a workflow that does not wait yet, is queued, or is down. Unknown or ended workflow: false. */
  signal(id: string, topic: string, payload: Json, key: string): Promise<boolean>;
  /** The same as a part of the caller's transaction: what is returned is called when that has committed, and wakes who waits. */
  signalWithin(trx: Trx, id: string, topic: string, payload: Json, key: string): Promise<() => void>;
  /**
   * A queued workflow ends at once; a running one has its step's signal aborted (reason: `WorkflowCancelled`) and ends when that
   * step has ended. Its code does not go on: no `catch` or `finally` of it runs. Ended: false.
   */
  cancel(id: string, reason: string): Promise<boolean>;
  /** Starts a workflow at every time of the cron; one start for all times missed while down. Same name: replaced, keeping what is due when the times are the same. Null cron: removed. Zone: UTC. */
  schedule(name: string, cron: string | null, kind: string, input: Json, timeZone?: string): Promise<void>;
  get(id: string): Promise<WorkflowRecord | null>;
  /** Resolves when the workflow has ended, or rejects with the signal's reason, or with INTERRUPTED when the engine closes first. Errors: NOT_FOUND. */
  ended(id: string, signal?: AbortSignal): Promise<WorkflowRecord>;
  /** Stops taking work, aborts steps in flight (they are repeated at the next `open`), and returns when nothing runs. */
  close(): Promise<void>;
}
