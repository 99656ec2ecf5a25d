import cluster, { type Worker } from "node:cluster";
import { randomBytes } from "node:crypto";
import { SlipwayError } from "../../../core/errors/error.ts";
import type { RevisionId } from "../../../core/ids.ts";
import { entryFile } from "../../../lib/entry.ts";
import type { CertificateStatus, EdgeConfig, RouteTable } from "../../../ports/edge.ts";
import { HoldCounts } from "./hold-counts.ts";
import { firstTaken } from "./may-listen.ts";
import type { Challenges, Done, FromWorker, ListenProblem, ToWorker } from "./messages.ts";
import { Totals } from "./totals.ts";

/** A worker that does not answer for so long is stuck; it is killed, and its place taken by a new one. */
const answerWithinMs = 5000;
const startWithinMs = 20_000;
/** Workers that end again and again are started more slowly, up to the longest pause. */
const shortestPauseMs = 100;
const longestPauseMs = 5000;
const provenAfterMs = 5000;
/** How long a replaced worker keeps long-lived connections. */
const retireLimitMs = 600_000;
/** RFC 5077 §5.5: who learns the key reads what was sent under it, so it does not live long, and never on a disk. */
const ticketKeyLivesMs = 86_400_000;

/** Without `Omit` losing the union: the message of a call, before it is given its number. */
type Call = ToWorker extends infer M ? (M extends { readonly call: number } ? Omit<M, "call"> : never) : never;

/** `starting` → `serving` → `retiring`. Every one that has been told how to begin is told everything that changes. */
type Member = {
  readonly worker: Worker;
  readonly startedMs: number;
  state: "starting" | "serving" | "retiring";
  booted: boolean;
  readonly calls: Map<number, (answer: Done | null) => void>;
  settle: (problem: ListenProblem | null) => undefined;
};

/** The processes that carry traffic: as many as wanted, replaced when they end, told the same things in the same order. */
export class Fleet {
  readonly totals = new Totals();
  readonly #size: number;
  readonly #members = new Set<Member>();
  readonly #holds = new HoldCounts();
  #config: EdgeConfig | null = null;
  #table: RouteTable | null = null;
  #challenges: Challenges = [];
  #ticketKey = newTicketKey();
  #calls = 0;
  #pauseMs = shortestPauseMs;
  #stopping = false;

  constructor(size: number) {
    this.#size = size;
    // The kernel hands connections to whoever asks first; handed out by the primary, 5 requests hung in a restart.
    cluster.schedulingPolicy = cluster.SCHED_NONE;
    cluster.setupPrimary({ exec: entryFile(import.meta.url, "./worker.ts"), execArgv: ["--max-semi-space-size=32"] });
    setInterval(() => this.#tellConnections(), 200).unref();
    setInterval(() => this.#renewTicketKey(), ticketKeyLivesMs).unref();
  }

  get serving(): number {
    return [...this.#members].filter((member) => member.state === "serving").length;
  }

  get pids(): number[] {
    return [...this.#members].flatMap(({ worker }) => worker.process.pid ?? []);
  }

  /** Brings all workers to `config`; when an address cannot be had, nothing has changed. Throws PORT_TAKEN. */
  async configure(config: EdgeConfig): Promise<void> {
    const before = this.#config;
    this.#config = config;
    try {
      if (this.#members.size === 0) await this.#fill();
      else {
        throwTaken(await firstTaken(config.listeners, before?.listeners ?? []));
        // One after the other: the first opens the address, the others then share it.
        for (const member of this.#told())
          throwTaken((await this.#call(member, { is: "config", config }))?.problem ?? null);
        await this.#fill();
      }
    } catch (error) {
      this.#config = before;
      if (before === null) for (const member of this.#members) member.worker.process.kill("SIGKILL");
      throw error;
    }
  }

  /** A new worker for each, then the old ones say goodbye. When one cannot start, all is as it was. */
  async refresh(): Promise<void> {
    const old = [...this.#members].filter((member) => member.state !== "retiring");
    const fresh = await Promise.allSettled(Array.from({ length: this.#size }, () => this.#start()));
    const failed = fresh.find((result) => result.status === "rejected");
    for (const result of fresh)
      if (failed !== undefined && result.status === "fulfilled") this.#retire(result.value, retireLimitMs);
    if (failed !== undefined) throw failed.reason;
    for (const member of old) this.#retire(member, retireLimitMs);
  }

  /** Resolves when every worker routes by it. */
  async apply(table: RouteTable): Promise<void> {
    this.#table = table;
    await Promise.all(this.#told().map((member) => this.#call(member, { is: "table", table })));
  }

  async hold(service: string, until: { readonly maxMs: number; readonly maxQueued: number } | null): Promise<void> {
    if (until === null) {
      this.#holds.end(service);
      await Promise.all(this.#told().map((member) => this.#call(member, { is: "release", service })));
      return;
    }
    const hold = this.#holds.start(service, Date.now() + until.maxMs, until.maxQueued);
    await Promise.all(this.#told().map((member) => this.#call(member, { is: "hold", hold })));
  }

  /** What is still in flight when all workers are done with the revision, or the time is up. */
  async drain(revision: RevisionId, limits: { timeoutMs: number; streamLimitMs: number }): Promise<number> {
    const answers = await Promise.all(
      this.#told().map((member) => this.#call(member, { is: "drain", revision, ...limits }, limits.timeoutMs)),
    );
    return answers.reduce((sum, answer) => sum + (answer?.inflight ?? 0), 0);
  }

  /** Every plain listener answers these challenges, and no others, when it resolves. */
  async challenge(open: Challenges): Promise<void> {
    this.#challenges = open;
    await Promise.all(this.#told().map((member) => this.#call(member, { is: "challenges", open })));
  }

  /** New connections get what is in the files now. */
  async readCertificates(): Promise<void> {
    await Promise.all(this.#told().map((member) => this.#call(member, { is: "read-certificates" })));
  }

  /** As a worker serves them: they all read the same files. */
  async certificates(): Promise<readonly CertificateStatus[]> {
    for (const member of this.#told()) {
      if (member.state !== "serving") continue;
      const answer = await this.#call(member, { is: "certificates" });
      if (answer?.certificates !== undefined) return answer.certificates;
    }
    return [];
  }

  reopenLogs(): void {
    for (const member of this.#told()) this.#send(member, { is: "reopen-log" });
  }

  /** Ends all workers; requests in flight get `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.#stopping = true;
    const gone = [...this.#members].map(
      (member) =>
        new Promise<void>((resolve) => {
          const timer = setTimeout(() => member.worker.process.kill("SIGKILL"), graceMs + 500);
          member.worker.once("exit", () => {
            clearTimeout(timer);
            resolve();
          });
          if (member.booted) this.#retire(member, graceMs);
          else member.worker.process.kill("SIGKILL");
        }),
    );
    await Promise.all(gone);
  }

  async #fill(): Promise<void> {
    const missing = this.#size - [...this.#members].filter((member) => member.state !== "retiring").length;
    const started = await Promise.allSettled(Array.from({ length: Math.max(0, missing) }, () => this.#start()));
    const failed = started.find((result) => result.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }

  /** Resolves when the new worker takes connections; rejects when it cannot. */
  #start(): Promise<Member> {
    return new Promise((resolve, reject) => {
      const worker = cluster.fork();
      const timer = setTimeout(() => worker.process.kill("SIGKILL"), startWithinMs);
      const member: Member = {
        worker,
        startedMs: performance.now(),
        state: "starting",
        booted: false,
        calls: new Map(),
        settle: (problem) => {
          clearTimeout(timer);
          if (problem === null) resolve(member);
          else {
            worker.process.kill("SIGKILL");
            reject(taken(problem));
          }
        },
      };
      this.#members.add(member);
      worker.on("message", (message: FromWorker) => this.#hear(member, message));
      worker.once("exit", (code, signal) => {
        clearTimeout(timer);
        reject(new SlipwayError("EDGE_DIED", { message: `an edge worker ended before it served (${signal ?? code})` }));
        this.#ended(member);
      });
      worker.on("error", () => worker.process.kill("SIGKILL"));
    });
  }

  #hear(member: Member, message: FromWorker): undefined {
    switch (message.is) {
      case "up":
        return this.#boot(member);
      case "listening":
        if (member.state === "starting") member.state = "serving";
        return member.settle(null);
      case "not-listening":
        return member.settle(message.problem);
      case "done":
        member.calls.get(message.call)?.(message);
        return;
      case "waiting": {
        const refused = this.#holds.count(message.hold, member.worker.id, message.change);
        if (refused > 0) this.#send(member, { is: "hold-full", hold: message.hold, refused });
        return;
      }
      case "rates":
        for (const other of this.#told()) if (other !== member) this.#send(other, { is: "rates", told: message.told });
        return;
      case "counts":
        this.totals.heard(member.worker.id, message.counts);
        return;
    }
  }

  #boot(member: Member): undefined {
    if (member.booted || this.#config === null) return;
    // From here on it is told what changes, after what is in force now: it can miss nothing and hear nothing twice.
    member.booted = true;
    const holds = this.#holds.current(Date.now());
    this.#send(member, {
      is: "boot",
      config: this.#config,
      table: this.#table,
      holds,
      challenges: this.#challenges,
      ticketKey: this.#ticketKey,
    });
  }

  #ended(member: Member): void {
    this.#members.delete(member);
    for (const settle of member.calls.values()) settle(null);
    this.#holds.forget(member.worker.id);
    this.totals.ended(member.worker.id);
    if (this.#stopping || member.state !== "serving") return;
    const proven = performance.now() - member.startedMs > provenAfterMs;
    const pauseMs = proven ? 0 : this.#pauseMs;
    this.#pauseMs = proven ? shortestPauseMs : Math.min(longestPauseMs, this.#pauseMs * 2);
    this.#refill(pauseMs);
  }

  /** Until there are enough again; a port that is taken for a moment must not leave one worker too few for ever. */
  #refill(afterMs: number): void {
    setTimeout(() => {
      if (this.#stopping) return;
      this.#fill().catch((error: unknown) => {
        console.error("edge.worker-not-started", error instanceof Error ? error.message : error);
        this.#refill(longestPauseMs);
      });
    }, afterMs);
  }

  #retire(member: Member, limitMs: number): void {
    member.state = "retiring";
    this.#send(member, { is: "retire", limitMs });
  }

  /** Null when the worker has ended: it routes nothing any more and has nothing in flight. */
  #call(member: Member, message: Call, extraMs = 0): Promise<Done | null> {
    this.#calls += 1;
    const call = this.#calls;
    return new Promise((resolve) => {
      const timer = setTimeout(() => member.worker.process.kill("SIGKILL"), answerWithinMs + extraMs);
      member.calls.set(call, (answer) => {
        clearTimeout(timer);
        member.calls.delete(call);
        resolve(answer);
      });
      this.#send(member, { ...message, call } as ToWorker);
    });
  }

  #send(member: Member, message: ToWorker): void {
    if (member.worker.isConnected()) member.worker.send(message, () => undefined);
  }

  #told(): Member[] {
    return [...this.#members].filter((member) => member.booted);
  }

  #renewTicketKey(): void {
    this.#ticketKey = newTicketKey();
    for (const member of this.#told()) this.#send(member, { is: "ticket-key", key: this.#ticketKey });
  }

  #tellConnections(): void {
    for (const member of this.#told()) {
      const elsewhere = this.totals.connectionsBut(member.worker.id);
      if (this.totals.toldConnections.get(member.worker.id) === elsewhere) continue;
      this.totals.toldConnections.set(member.worker.id, elsewhere);
      this.#send(member, { is: "connections", elsewhere });
    }
  }
}

/** What node:tls takes: name, HMAC key and AES key of session tickets, 48 bytes together. */
function newTicketKey(): string {
  return randomBytes(48).toString("base64");
}

function throwTaken(problem: ListenProblem | null): void {
  if (problem !== null) throw taken(problem);
}

function taken({ address, code }: ListenProblem): SlipwayError {
  const why = code === "EADDRINUSE" ? "another program listens there" : code;
  return new SlipwayError("PORT_TAKEN", {
    message: `The edge cannot listen on ${address}: ${why}`,
    evidence: [["system", code]],
  });
}
