import { setMaxListeners } from "node:events";
import { SlipwayError } from "../../core/errors/error.ts";
import type { Json } from "../../core/ids.ts";
import type { Ctx, Step, StepOptions, Workflow } from "../../ports/engine.ts";
import type { Trx } from "../../ports/store.ts";
import type { WorkflowRow, WorkflowStepRow } from "../../ports/tables.ts";
import { WorkflowCancelled } from "../cancelled.ts";
import { asFailure, decode, decodeError, encode, encodeError } from "../payload.ts";
import { type End, type Ended, type Journal, readJournal, recordEnd } from "./journal.ts";
import { Mailroom } from "./mailroom.ts";
import { persist, type Services, Stopped } from "./services.ts";
import { performAct, performStep } from "./step.ts";
import { performTx } from "./tx.ts";
import type { Outcome, Verb } from "./verb.ts";
import { performReceive, performSleep, performWait } from "./waiting.ts";

type Halt = { readonly is: "closed" | "cancelled" } | { readonly is: "failed"; readonly error: SlipwayError };

/**
 * One workflow under way in this process: read the journal → run the code, answering what is recorded and doing what is
 * not → wait until nothing of it is in flight → record the end. It leaves early when it is halted:
 *
 * - closed: the engine closes, or a boundary hook stopped it. Nothing is recorded; the next `open` goes on from the journal.
 * - cancelled: by a person. Recorded as cancelled.
 * - failed: this is not the code that wrote the journal, or the engine has a bug. Recorded as failed.
 *
 * From then on no verb settles any more: the code stays where it is, and no `catch` or `finally` in it can act.
 */
export class Execution {
  readonly #row: WorkflowRow;
  readonly #workflow: Workflow;
  readonly #services: Services;
  readonly #mail = new Mailroom();
  readonly #stop = new AbortController();
  readonly #inFlight = new Set<Promise<unknown>>();
  #halt: Halt | null = null;
  #journal: Journal = new Map();
  readonly #known: Journal | null;
  #recorded = { seq: -1, finishedSeq: -1 };
  #nextSeq = 0;
  /** What its last act has recorded as its end. */
  #ended: Ended | null = null;

  /** `known`: what is recorded of it, for who knows that; else it is read. */
  constructor(row: WorkflowRow, workflow: Workflow, services: Services, known: Journal | null = null) {
    this.#known = known;
    this.#row = row;
    this.#workflow = workflow;
    this.#services = services;
    // Every verb in flight listens to it.
    setMaxListeners(0, this.#stop.signal);
  }

  /** Resolves when nothing of it runs here any more, with the workflow that its end has let in. Never rejects. */
  async run(): Promise<WorkflowRow | null> {
    try {
      await this.#load();
      const returned = this.#halt === null ? await Promise.race([this.#call(), this.#left()]) : null;
      await this.#settle();
      return await this.#end(returned);
    } catch (error) {
      const { id: workflow, kind } = this.#row;
      const { code, message } = asFailure(error);
      if (!(error instanceof Stopped)) this.#services.log("workflow.unrecorded", { workflow, kind, code, message });
      return null;
    }
  }

  /** Ends it as cancelled: at once when it waits, else when its step has ended. */
  cancel(reason: string): void {
    this.#leave({ is: "cancelled" }, new WorkflowCancelled(this.#row.id, reason));
  }

  /** Stops it without a record. */
  close(): void {
    this.#leave({ is: "closed" }, new Stopped("the engine closes"));
  }

  /** A signal of this topic has been written. */
  deliver(topic: string): void {
    this.#mail.deliver(topic);
  }

  async #load(): Promise<void> {
    const { db } = this.#services;
    const { id } = this.#row;
    this.#journal = this.#known ?? (await readJournal(db, id));
    for (const { seq, status } of this.#journal.values()) {
      const finishedSeq = status === "pending" ? -1 : seq;
      this.#recorded = {
        seq: Math.max(this.#recorded.seq, seq),
        finishedSeq: Math.max(this.#recorded.finishedSeq, finishedSeq),
      };
    }
    // A cancel may have come after the admission, before there was anybody here to tell.
    const { cancel_reason } = await db
      .selectFrom("workflow")
      .select("cancel_reason")
      .where("id", "=", id)
      .executeTakeFirstOrThrow();
    if (cancel_reason !== null) this.cancel(cancel_reason);
  }

  async #call(): Promise<End> {
    try {
      const output = await this.#workflow(this.#context(), decode<Json>(this.#row.input));
      return { status: "succeeded", output: encode(output, `the output of ${this.#row.id}`), error: null };
    } catch (error) {
      return failed(asFailure(error));
    }
  }

  #context(): Ctx {
    const { id } = this.#row;
    const replaying = () => this.#nextSeq <= this.#recorded.finishedSeq;
    const mail = this.#mail;
    return {
      workflowId: id,
      get replaying() {
        return replaying();
      },
      step: (name, perform, options = {}) => this.#verb("step", name, (verb) => performStep(verb, perform, options)),
      act: (name, perform, record, options = {}) =>
        this.#verb("step", name, (verb) => performAct(verb, perform, record, options)),
      finish: (name, perform, record, options = {}) =>
        this.#verb("step", name, (verb) => this.#finish(verb, perform, record, options)),
      tx: (name, write) => this.#verb("tx", name, (verb) => performTx(verb, write)),
      sleep: async (name, ms) => {
        await this.#verb("sleep", name, (verb) => performSleep(verb, ms));
      },
      waitFor: (topic, { timeoutMs } = {}) =>
        this.#verb("wait", topic, (verb) => performWait(verb, timeoutMs, () => mail.next(topic))),
      receive: (topic, write) =>
        this.#verb("wait", topic, (verb) => performReceive(verb, write, () => mail.next(topic))),
    };
  }

  /** Takes the next place in the journal at the moment of the call, so that parallel verbs have the same places on replay. */
  #verb<T extends Json>(
    kind: WorkflowStepRow["kind"],
    name: string,
    perform: (verb: Verb) => Promise<Outcome>,
  ): Promise<T> {
    if (this.#stop.signal.aborted) return never();
    if (this.#ended !== null) {
      const message = `${this.#row.kind} uses ${name} after it has finished`;
      this.#fail(new SlipwayError("INTERNAL", { message }));
      return never();
    }
    const seq = this.#nextSeq++;
    const row = this.#journal.get(seq);
    if (row !== undefined && (row.kind !== kind || row.name !== name)) {
      this.#fail(diverged(this.#row, `${seq} is the ${row.kind} "${row.name}"`, `the ${kind} "${name}"`));
      return never();
    }
    const { id: workflowId } = this.#row;
    const verb: Verb = { workflowId, seq, name, pending: row, stop: this.#stop.signal, services: this.#services };
    const recorded = row !== undefined && row.status !== "pending";
    const answer = this.#answer<T>(recorded ? Promise.resolve(outcomeOf(row)) : perform(verb));
    // A branch that the code has dropped must not end the process; whoever waits for the answer still gets its failure.
    answer.catch(() => {});
    return answer;
  }

  /** The end is recorded with it, unless something else is in flight that has to end first. */
  async #finish<T, Out extends Json>(
    verb: Verb,
    perform: (step: Step) => Promise<T>,
    record: (trx: Trx, result: T) => Promise<Out>,
    options: StepOptions,
  ): Promise<Outcome> {
    const written = async (trx: Trx, outcome: Outcome): Promise<void> => {
      if (this.#inFlight.size > 1 || "failure" in outcome) return;
      const end: End = { status: "succeeded", output: outcome.output, error: null };
      this.#ended = await recordEnd(trx, this.#row.id, end, this.#services.clock.now());
    };
    const outcome = await performAct(verb, perform, record, options, { written });
    if ("failure" in outcome) this.#ended = null;
    return outcome;
  }

  async #answer<T extends Json>(work: Promise<Outcome>): Promise<T> {
    this.#inFlight.add(work);
    const outcome = await work
      .catch((error: unknown) => {
        if (error instanceof Stopped) this.close();
        else this.#fail(asFailure(error));
        return null;
      })
      .finally(() => this.#inFlight.delete(work));
    if (outcome === null || this.#stop.signal.aborted) return await never();
    if ("failure" in outcome) throw outcome.failure;
    return decode<T>(outcome.output);
  }

  #fail(error: SlipwayError): void {
    this.#leave({ is: "failed", error }, error);
  }

  /** The first reason counts. */
  #leave(halt: Halt, why: Error): void {
    if (this.#stop.signal.aborted) return;
    this.#halt = halt;
    this.#stop.abort(why);
  }

  #left(): Promise<null> {
    const { signal } = this.#stop;
    return new Promise((resolve) => {
      if (signal.aborted) resolve(null);
      else signal.addEventListener("abort", () => resolve(null), { once: true });
    });
  }

  /** Branches that the code did not wait for are stopped too: a workflow that has ended does nothing any more. */
  async #settle(): Promise<void> {
    this.#stop.abort(new Stopped("the workflow has ended"));
    while (this.#inFlight.size > 0) await Promise.allSettled(this.#inFlight);
  }

  async #end(returned: End | null): Promise<WorkflowRow | null> {
    const { id, kind } = this.#row;
    const services = this.#services;
    if (this.#halt?.is === "closed") return null;
    const end = this.#halt?.is === "failed" ? failed(this.#halt.error) : this.#whole(returned ?? cancelled);
    const point = { workflowId: id, seq: this.#nextSeq, name: "end" };
    await services.boundary({ ...point, at: "before-perform" });
    const record = () => services.db.transaction().execute((trx) => recordEnd(trx, id, end, services.clock.now()));
    const { status, next } = this.#ended ?? (await persist(services, services.closing, record));
    await services.boundary({ ...point, at: "after-record" });
    services.log("workflow.ended", { workflow: id, kind, status, error: end.error ?? undefined });
    return next;
  }

  /** Code that ends before it has come to all that is recorded is not the code that recorded it. */
  #whole(end: End): End {
    const rest = this.#journal.get(this.#recorded.seq);
    if (end.status === "cancelled" || rest === undefined || this.#recorded.seq < this.#nextSeq) return end;
    return failed(
      diverged(this.#row, `${rest.seq} is the ${rest.kind} "${rest.name}"`, `the end after ${this.#nextSeq}`),
    );
  }
}

const cancelled: End = { status: "cancelled", output: null, error: null };

const failed = (error: SlipwayError): End => ({ status: "failed", output: null, error: encodeError(error) });

const never = (): Promise<never> => new Promise(() => {});

function outcomeOf(row: WorkflowStepRow): Outcome {
  return row.status === "failed" ? { failure: decodeError(row.error ?? "{}") } : { output: row.output ?? "null" };
}

function diverged({ id, kind }: WorkflowRow, recorded: string, code: string): SlipwayError {
  return new SlipwayError("WORKFLOW_DIVERGED", {
    message: `the code of ${kind} does not match what ${id} has done`,
    evidence: [
      ["recorded", recorded],
      ["the code", code],
    ],
  });
}
