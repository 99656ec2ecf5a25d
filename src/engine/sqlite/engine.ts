import { setMaxListeners } from "node:events";
import type { OnConflictBuilder } from "kysely";
import { type Evidence, reasonOf, SlipwayError } from "../../core/errors/error.ts";
import type { Json } from "../../core/ids.ts";
import type { Engine, Workflow, WorkflowRecord } from "../../ports/engine.ts";
import type { Database, WorkflowRow } from "../../ports/tables.ts";
import { decode, decodeError, encode } from "../payload.ts";
import { Execution } from "./execution.ts";
import type { Journal } from "./journal.ts";
import { admitAll, enqueue } from "./queue.ts";
import { forgetEnded } from "./retention.ts";
import { Scheduler, saveSchedule } from "./schedules.ts";
import { type Services, type SqliteEngineOptions, servicesOf } from "./services.ts";

/**
 * The verbs over the journal tables of one open store. One process, one writer: what is read inside a transaction cannot be
 * changed by anybody else before it commits, and whoever must be told of it is in this process. Does not close the store.
 */
export function sqliteEngine(options: SqliteEngineOptions): Engine {
  return new SqliteEngine(options);
}

/** Errors name at most so many workflows. */
const maxNamed = 10;

/** How long the journal of a workflow that has ended is kept, for those who look into what went wrong. */
const journalKeptMs = 7 * 24 * 3_600_000;
/** What has grown old is looked for at most this often. */
const forgetEveryMs = 3_600_000;

class SqliteEngine implements Engine {
  readonly #workflows = new Map<string, Workflow>();
  readonly #executions = new Map<string, Execution>();
  readonly #running = new Set<Promise<void>>();
  readonly #waitingForEnds = new Map<string, Set<() => void>>();
  readonly #closing = new AbortController();
  readonly #services: Services;
  readonly #scheduler: Scheduler;
  #open = false;
  #forgotAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: SqliteEngineOptions) {
    // Everybody who waits for anything listens to it.
    setMaxListeners(0, this.#closing.signal);
    this.#services = servicesOf(options, this.#closing.signal);
    this.#scheduler = new Scheduler(this.#services, (row) => this.#launch(row));
  }

  register<Input extends Json, Output extends Json>(kind: string, workflow: Workflow<Input, Output>): void {
    if (this.#open) throw new Error(`${kind} must be registered before open`);
    // What is passed to it is what was passed to `start` of the same kind.
    this.#workflows.set(kind, workflow as unknown as Workflow);
  }

  async open(): Promise<void> {
    this.#mustNotBeClosed();
    if (this.#open) throw new Error("the engine is open already");
    await this.#mustKnowAllKinds();
    const { db, clock, log } = this.#services;
    // From here on `start` lets its workflow in by itself; one that both have let in is launched once.
    this.#open = true;
    const admitted = db.transaction().execute((trx) => admitAll(trx, clock.now()));
    const rows = await admitted.catch((error: unknown) => {
      this.#open = false;
      throw error;
    });
    if (rows.length > 0) log("engine.resumed", { workflows: rows.length });
    for (const row of rows) this.#launch(row);
    this.#keep(this.#scheduler.run());
    this.#forgetOld();
  }

  async start(...[kind, id, input, options]: Parameters<Engine["start"]>): Promise<void> {
    this.#mustNotBeClosed();
    this.#mustKnow(kind);
    const { db } = this.#services;
    const go = await db.transaction().execute((trx) => this.startWithin(trx, kind, id, input, options));
    await go();
  }

  async startWithin(
    ...[trx, kind, id, input, options]: Parameters<Engine["startWithin"]>
  ): Promise<() => Promise<void>> {
    this.#mustNotBeClosed();
    this.#mustKnow(kind);
    const text = encode(input, `the input of ${id}`);
    const lockKey = options?.lockKey ?? null;
    const { clock, log } = this.#services;
    const row = await enqueue(trx, { kind, id, input: text, lockKey }, { open: this.#open, now: clock.now() });
    return async () => {
      if (row === null) return;
      log("workflow.started", { workflow: id, kind, status: row.status, lockKey });
      // Its row is as new as it is: nothing has been journaled.
      if (row.status === "running") this.#launch(row, { journal: new Map() });
    };
  }

  async signal(...[id, topic, payload, key]: Parameters<Engine["signal"]>): Promise<boolean> {
    const { db } = this.#services;
    const delivered = await db.transaction().execute((trx) => this.#leave(trx, id, topic, payload, key));
    if (delivered) this.#executions.get(id)?.deliver(topic);
    return delivered;
  }

  async signalWithin(...[trx, id, topic, payload, key]: Parameters<Engine["signalWithin"]>): Promise<() => void> {
    const delivered = await this.#leave(trx, id, topic, payload, key);
    return () => {
      if (delivered) this.#executions.get(id)?.deliver(topic);
    };
  }

  async cancel(id: string, reason: string): Promise<boolean> {
    this.#mustNotBeClosed();
    const { db, clock, log } = this.#services;
    const was = await db.transaction().execute(async (trx) => {
      const workflow = await trx.selectFrom("workflow").selectAll().where("id", "=", id).executeTakeFirst();
      if (workflow === undefined || workflow.ended_at !== null) return null;
      const set =
        workflow.status === "queued"
          ? { status: "cancelled" as const, cancel_reason: reason, ended_at: clock.now() }
          : { cancel_reason: workflow.cancel_reason ?? reason };
      await trx.updateTable("workflow").set(set).where("id", "=", id).execute();
      return workflow.status;
    });
    if (was === null) return false;
    log("workflow.cancelled", { workflow: id, reason, was });
    if (was === "queued") this.#tellEnded(id);
    else this.#executions.get(id)?.cancel(reason);
    return true;
  }

  async schedule(...[name, cron, kind, input, timeZone]: Parameters<Engine["schedule"]>): Promise<void> {
    this.#mustNotBeClosed();
    const { db, clock } = this.#services;
    if (cron === null) {
      await db.deleteFrom("workflow_schedule").where("name", "=", name).execute();
    } else {
      this.#mustKnow(kind);
      const text = encode(input, `the input of ${name}`);
      const row = { name, cron, time_zone: timeZone ?? "UTC", kind, input: text };
      await db.transaction().execute((trx) => saveSchedule(trx, row, clock.now()));
    }
    this.#scheduler.changed();
  }

  async get(id: string): Promise<WorkflowRecord | null> {
    const { db } = this.#services;
    const row = await db.selectFrom("workflow").selectAll().where("id", "=", id).executeTakeFirst();
    return row === undefined ? null : recordOf(row);
  }

  async ended(id: string, signal?: AbortSignal): Promise<WorkflowRecord> {
    for (;;) {
      this.#mustNotBeClosed();
      const turn = this.#nextEnd(id, signal);
      try {
        const record = await this.get(id);
        if (record === null) throw new SlipwayError("NOT_FOUND", { message: `there is no workflow ${id}` });
        if (record.status !== "queued" && record.status !== "running") return record;
        await turn.come;
      } finally {
        turn.giveUp();
      }
    }
  }

  async close(): Promise<void> {
    this.#closing.abort(closed());
    for (const execution of this.#executions.values()) execution.close();
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  /** Writes the signal once; false when nobody will ever take it. */
  async #leave(...[trx, id, topic, payload, key]: Parameters<Engine["signalWithin"]>): Promise<boolean> {
    this.#mustNotBeClosed();
    const text = encode(payload, `the signal ${key} to ${id}`);
    const workflow = await trx.selectFrom("workflow").select("ended_at").where("id", "=", id).executeTakeFirst();
    if (workflow === undefined || workflow.ended_at !== null) return false;
    await trx
      .insertInto("workflow_signal")
      .values({
        workflow_id: id,
        topic,
        key,
        payload: text,
        created_at: this.#services.clock.now(),
        consumed_seq: null,
      })
      .onConflict(once)
      .execute();
    return true;
  }

  #launch(row: WorkflowRow, known: { readonly journal?: Journal } = {}): void {
    const workflow = this.#workflows.get(row.kind);
    if (workflow === undefined || this.#closing.signal.aborted || this.#executions.has(row.id)) return;
    const execution = new Execution(row, workflow, this.#services, known.journal);
    this.#executions.set(row.id, execution);
    this.#keep(
      execution.run().then((next) => {
        this.#executions.delete(row.id);
        this.#tellEnded(row.id);
        this.#forgetOld();
        if (next !== null) this.#launch(next);
      }),
    );
  }

  /** The journal grows only by what ends: so that is when it is looked at, and no timer is needed. */
  #forgetOld(): void {
    const { db, clock, log, closing } = this.#services;
    if (closing.aborted || clock.monotonicMs() - this.#forgotAtMs < forgetEveryMs) return;
    this.#forgotAtMs = clock.monotonicMs();
    this.#keep(
      forgetEnded(db, clock.now() - journalKeptMs).then(
        (workflows) => (workflows === 0 ? undefined : log("journal.forgotten", { workflows })),
        (error: unknown) => log("journal.not-forgotten", { reason: reasonOf(error) }),
      ),
    );
  }

  #keep(work: Promise<void>): void {
    const kept = work.finally(() => this.#running.delete(kept));
    this.#running.add(kept);
  }

  #tellEnded(id: string): void {
    for (const wake of this.#waitingForEnds.get(id) ?? []) wake();
  }

  /** Made before the store is asked, so that no end falls between asking and waiting. */
  #nextEnd(id: string, signal: AbortSignal | undefined): { readonly come: Promise<void>; giveUp(): void } {
    const over = new AbortController();
    const waiting = this.#waitingForEnds.get(id) ?? new Set();
    this.#waitingForEnds.set(id, waiting);
    const come = new Promise<void>((resolve, reject) => {
      waiting.add(resolve);
      over.signal.addEventListener("abort", () => waiting.delete(resolve), { once: true });
      for (const source of [this.#closing.signal, signal]) {
        if (source?.aborted) reject(source.reason);
        source?.addEventListener("abort", () => reject(source.reason), { once: true, signal: over.signal });
      }
    });
    come.catch(() => {});
    return {
      come,
      giveUp: () => {
        over.abort();
        if (waiting.size === 0) this.#waitingForEnds.delete(id);
      },
    };
  }

  #mustNotBeClosed(): void {
    if (this.#closing.signal.aborted) throw closed();
  }

  #mustKnow(kind: string): void {
    if (!this.#workflows.has(kind)) throw unknownKinds([["kind", kind]]);
  }

  async #mustKnowAllKinds(): Promise<void> {
    const { db } = this.#services;
    const known = [...this.#workflows.keys()];
    const work = await db
      .selectFrom("workflow")
      .select(["kind", "id"])
      .where("status", "in", ["queued", "running"])
      .where("kind", "not in", known)
      .orderBy("number")
      .execute();
    const plans = await db
      .selectFrom("workflow_schedule")
      .select(["kind", "name"])
      .where("kind", "not in", known)
      .execute();
    const evidence: Evidence[] = [
      ...work.map(({ kind, id }) => [kind, id] as const),
      ...plans.map(({ kind, name }) => [kind, `schedule ${name}`] as const),
    ];
    if (evidence.length > 0) throw unknownKinds(evidence);
  }
}

function recordOf({ id, kind, status, output, error }: WorkflowRow): WorkflowRecord {
  const failure = error === null ? null : decodeError(error);
  return {
    id,
    kind,
    status,
    output: output === null ? null : decode(output),
    error: failure === null ? null : `${failure.code} ${failure.message}`,
  };
}

function unknownKinds(evidence: readonly Evidence[]): SlipwayError {
  const kinds = [...new Set(evidence.map(([label, text]) => (label === "kind" ? text : label)))];
  const rest = evidence.length - maxNamed;
  return new SlipwayError("WORKFLOW_UNKNOWN", {
    message: `no code is registered for ${kinds.join(", ")}`,
    evidence: [...evidence.slice(0, maxNamed), ...(rest > 0 ? [["and", `${rest} more`] as const] : [])],
  });
}

/** Outside of the call, so that a store may keep the query. */
const once = (same: OnConflictBuilder<Database, "workflow_signal">) => same.columns(["workflow_id", "key"]).doNothing();

const closed = (): SlipwayError =>
  new SlipwayError("INTERRUPTED", { message: "the engine was closed", hint: "work goes on at the next start" });
