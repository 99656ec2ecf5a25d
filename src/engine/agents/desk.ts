import { mkdir, open as openFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { decideLease, type Lease, type LeaseEvent, leaseMs } from "../../core/agents/lease.ts";
import { reasonOf, SlipwayError } from "../../core/errors/error.ts";
import type { EpochMs } from "../../core/ids.ts";
import { formatDuration } from "../../core/product/units.ts";
import { readJsonFile, writeJsonFile } from "../../lib/json-file.ts";
import { type Packed, packDirectory } from "../../lib/pack.ts";
import { unpackArchive } from "../../lib/unpack.ts";
import type { Executor, JobAway, JobEnd, StepJob } from "../../ports/executor.ts";
import { moveInto } from "../pipeline/cache/store.ts";
import { pathsOf } from "../pipeline/checkout-paths.ts";
import type { World } from "../world.ts";
import { type AgentPass, tokenRevoked } from "./token.ts";

/** What is looked at by itself, without news: whether an agent is late, or nobody has come. */
const lookMs = 1_000;
/** Of what is left out. */
const mostNamed = 5;

type Deps = Pick<World, "clock" | "log" | "newId">;
type AwayJob = StepJob & { readonly away: JobAway };

type Open = {
  readonly job: AwayJob;
  readonly onOutput: (chunk: Buffer) => void;
  lease: Lease;
  reason: string;
  waits: string;
  end: JobEnd | null;
  packed: Promise<Packed> | null;
  /** One after the other. */
  work: Promise<unknown>;
};

export type Taken = { readonly id: string; readonly job: AwayJob };
/** An agent that asks for work. */
export type Asking = AgentPass & {
  /** It runs steps with an image. */
  readonly engine: boolean;
  /** And Compose files, whose services mount and build what is in the checkout. */
  readonly compose: boolean;
};
type Seen = Pick<Asking, "labels" | "generation" | "engine" | "compose"> & { readonly at: EpochMs };
export type AgentSeen = {
  readonly agent: string;
  readonly labels: readonly string[];
  readonly engine: boolean;
  readonly lastSeenAt: EpochMs;
  readonly generation: number;
  readonly running: readonly Readonly<Record<string, string>>[];
};

/**
 * Hands steps out to agents on other machines. Who has one in hand is in a file of the attempt's room, so that a control plane
 * that comes back knows it, and its agent goes on.
 */
export class AgentDesk implements Executor {
  readonly name = "agents";
  readonly #deps: Deps;
  readonly #openedAt: EpochMs;
  readonly #open = new Map<string, Open>();
  readonly #seen = new Map<string, Seen>();
  /** Of agents whose tokens were taken back while this control plane ran: the lowest generation that holds. */
  readonly #holding = new Map<string, number>();
  readonly #waiting = new Set<() => void>();

  constructor(deps: Deps) {
    this.#deps = deps;
    this.#openedAt = deps.clock.now();
  }

  async run(job: StepJob, onOutput: (chunk: Buffer) => void, signal: AbortSignal): Promise<JobEnd> {
    if (job.away === null) throw new Error(`a job for this machine was given to agents: ${job.key}`);
    await mkdir(job.room, { recursive: true, mode: 0o700 });
    const before = await readJsonFile<JobEnd>(fileOf(job, "end"));
    if (before !== null) return before;
    const now = this.#deps.clock.now();
    const known = (await readJsonFile<{ lease: Lease }>(fileOf(job, "lease")))?.lease ?? null;
    const open: Open = {
      job: { ...job, away: job.away },
      onOutput,
      lease: known === null ? { is: "waiting", since: now } : decideLease(known, { is: "found-again" }, now).next,
      reason: "",
      waits: "",
      end: null,
      packed: null,
      work: Promise.resolve(),
    };
    await this.#keep(open);
    this.#open.set(job.key, open);
    this.#tell();
    try {
      for (;;) {
        const news = this.#news(signal);
        await this.#say(open, { is: "look" });
        signal.throwIfAborted();
        const end = open.end ?? this.#endOf(open);
        if (end !== null) {
          await writeJsonFile(fileOf(job, "end"), end, { mode: 0o600 });
          return end;
        }
        this.#sayWhoIsWaitedFor(open);
        await news;
      }
    } finally {
      this.#open.delete(job.key);
      await rm(fileOf(job, "workspace.tar"), { force: true });
    }
  }

  async stop(labels: Readonly<Record<string, string>>): Promise<void> {
    const isMeant = ({ job }: Open): boolean =>
      Object.entries(labels).every(([name, value]) => job.labels[name] === value);
    for (const open of [...this.#open.values()].filter(isMeant)) await this.#say(open, { is: "call-off" });
    this.#tell();
  }

  async running(): Promise<readonly Readonly<Record<string, string>>[]> {
    return [...this.#open.values()].map(({ job }) => job.labels);
  }

  /** Nothing runs here. */
  async unfenced(): Promise<null> {
    return null;
  }

  /** An agent that was started again has nothing in hand: what it had is begun again at once. May be repeated before it takes any. */
  async anew({ agent }: AgentPass): Promise<void> {
    for (const open of [...this.#open.values()]) await this.#say(open, { is: "anew", agent });
    this.#tell();
  }

  /**
   * Tokens of a lower generation get no step from now on, also where their agent waits for one, and what it has in hand is begun again.
   * Answers what that was. May be repeated.
   */
  async revoke(agent: string, { generation, why }: { readonly generation: number; readonly why: string }) {
    this.#holding.set(agent, generation);
    const held = [...this.#open.values()].filter(({ lease }) => lease.is === "held" && lease.agent === agent);
    for (const open of held) await this.#say(open, { is: "revoke", agent, why });
    this.#tell();
    return held.map(({ job }) => job.labels);
  }

  /**
   * The next step that this agent may have, when there is one before the signal is aborted; it is his for `leaseMs`. Errors: UNAUTHORIZED
   * (its token was taken back meanwhile).
   */
  async take({ agent, labels, generation, engine, compose }: Asking, signal: AbortSignal): Promise<Taken | null> {
    for (;;) {
      if (generation < (this.#holding.get(agent) ?? 0)) throw tokenRevoked();
      this.#seen.set(agent, { labels, engine, compose, at: this.#deps.clock.now(), generation });
      if (signal.aborted) return null;
      const news = this.#news(signal);
      for (const open of this.#open.values()) {
        if (open.lease.is !== "waiting" || !canRun({ labels, engine, compose }, open.job)) continue;
        const id = this.#deps.newId();
        if (!(await this.#say(open, { is: "take", agent, id }))) continue;
        this.#tell();
        return { id, job: open.job };
      }
      await news;
    }
  }

  /** Errors: NOT_FOUND (it is not in this agent's hand any more: it ends its step), CONTROL_PLANE_DOWN (asked too early). */
  async beat(pass: AgentPass, id: string): Promise<void> {
    const open = this.#held(pass, id);
    if (!(await this.#say(open, { is: "beat", id }))) throw notInHand();
  }

  /** What the step works on, packed once. A link that leads out of it is another thing on another machine, and is left out. */
  async workspace(pass: AgentPass, id: string): Promise<{ readonly packed: Packed; readonly file: string }> {
    const open = this.#held(pass, id);
    const file = fileOf(open.job, "workspace.tar");
    open.packed ??= this.#packed(open, file);
    try {
      return { packed: await open.packed, file };
    } catch (error) {
      open.end = { is: "not-started", why: `the checkout cannot be sent: ${reasonOf(error)}` };
      this.#tell();
      throw notInHand();
    }
  }

  async #packed({ job, onOutput }: Open, file: string): Promise<Packed> {
    const leftOut: string[] = [];
    const onLeftOut = (path: string, target: string): void => void leftOut.push(`${path} -> ${target}`);
    const packed = await packDirectory(job.away.top, file, { onLeftOut });
    if (leftOut.length > 0) {
      const more = leftOut.length > mostNamed ? ` and ${leftOut.length - mostNamed} more` : "";
      const named = leftOut.slice(0, mostNamed).join(", ");
      this.#deps.log.warn("agent.links_left_out", { ...job.labels, links: `${named}${more}` });
      onOutput(Buffer.from(`the agent does not get links that lead out of the checkout: ${named}${more}\n`));
    }
    return packed;
  }

  /** Appends what is not there yet. Answers how much there is: from there the agent goes on. May be repeated. */
  async appendLog(pass: AgentPass, id: string, { offset, piece }: { offset: number; piece: Buffer }): Promise<number> {
    const open = this.#held(pass, id);
    return inTurn(open, async () => {
      const file = fileOf(open.job, "log");
      const bytes = (await stat(file).catch(() => null))?.size ?? 0;
      const fresh = offset > bytes ? Buffer.alloc(0) : piece.subarray(bytes - offset);
      if (fresh.length === 0) return bytes;
      if (bytes + fresh.length > 2 * open.job.outputBytes) throw notInHand();
      const handle = await openFile(file, "a", 0o600);
      try {
        await handle.writeFile(fresh);
      } finally {
        await handle.close();
      }
      open.onOutput(fresh);
      return bytes + fresh.length;
    });
  }

  /** Where what the step has made is put, before its end is told. */
  made(pass: AgentPass, id: string): { readonly file: string; readonly maxBytes: number } {
    const { job } = this.#held(pass, id);
    return { file: fileOf(job, "made.tar"), maxBytes: job.disk.maxBytes };
  }

  /** The end, once: what was made is put into the checkout first. Telling it again changes nothing. */
  async end(pass: AgentPass, id: string, told: { readonly end: JobEnd; readonly made: string | null }): Promise<void> {
    const open = this.#held(pass, id);
    await inTurn(open, async () => {
      const decision = decideLease(open.lease, { is: "end", id }, this.#deps.clock.now());
      if (decision.isRefused) {
        await this.#record(open, decision);
        throw notInHand();
      }
      if (open.end !== null) return;
      const end = told.made === null ? told.end : await putInto(open.job, told.made, told.end);
      await writeJsonFile(fileOf(open.job, "end"), end, { mode: 0o600 });
      await this.#record(open, decision);
      open.end = end;
    });
    this.#tell();
  }

  /** Who has asked for work since this control plane started. */
  agents(): readonly AgentSeen[] {
    return [...this.#seen].map(([agent, { labels, engine, at, generation }]) => ({
      agent,
      labels,
      engine,
      lastSeenAt: at,
      generation,
      running: [...this.#open.values()].flatMap(({ lease, job }) =>
        lease.is === "held" && lease.agent === agent ? [job.labels] : [],
      ),
    }));
  }

  #held({ agent, labels, generation }: AgentPass, id: string): Open {
    const now = this.#deps.clock.now();
    const before = this.#seen.get(agent) ?? { labels, engine: false, compose: false };
    this.#seen.set(agent, { ...before, at: now, generation });
    const open = [...this.#open.values()].find(({ lease }) => "id" in lease && lease.id === id);
    if (open !== undefined && "agent" in open.lease && open.lease.agent === agent) return open;
    // Its run may not be found again yet.
    if (open === undefined && now - this.#openedAt < leaseMs)
      throw new SlipwayError("CONTROL_PLANE_DOWN", { message: "the control plane has just come back: ask again" });
    throw notInHand();
  }

  /** False when who says it is refused. */
  async #say(open: Open, event: LeaseEvent): Promise<boolean> {
    const decision = decideLease(open.lease, event, this.#deps.clock.now());
    await this.#record(open, decision);
    return !decision.isRefused;
  }

  async #record(open: Open, { next, reason }: { readonly next: Lease; readonly reason: string }): Promise<void> {
    if (next === open.lease) return;
    const isNews = next.is !== open.lease.is;
    open.lease = next;
    if (!isNews) return;
    open.reason = reason;
    this.#deps.log.info(`lease.${next.is}`, { job: open.job.key, reason });
    await this.#keep(open);
  }

  async #keep({ job, lease, reason }: Open): Promise<void> {
    await writeJsonFile(fileOf(job, "lease"), { lease, reason }, { mode: 0o600 });
  }

  #endOf({ job, lease, reason }: Open): JobEnd | null {
    if (lease.is === "lost") return { is: "lost", why: reason };
    if (lease.is === "called-off") return { is: "killed", by: "SIGKILL" };
    if (lease.is !== "waiting" || this.#deps.clock.now() - lease.since < job.timeoutMs) return null;
    return { is: "not-started", why: `after ${formatDuration(job.timeoutMs)} it still ${this.#waits(job)}` };
  }

  #waits({ away: { labels }, container }: AwayJob): string {
    const known = [...this.#seen].map(([agent, has]) => `${agent} (${knownText(has)})`);
    const wanted = wantedText({ labels, ...neededBy(container) });
    return `waits for an agent with ${wanted}; there ${known.length === 0 ? "is none" : `are ${known.join("; ")}`}`;
  }

  #sayWhoIsWaitedFor(open: Open): void {
    if (open.lease.is !== "waiting") return;
    const waits = this.#waits(open.job);
    if (waits === open.waits) return;
    open.waits = waits;
    open.onOutput(Buffer.from(`${waits}\n`));
  }

  #tell(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  /** Until something has changed, a look is due or the signal is aborted. */
  #news(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#waiting.delete(done);
        signal.removeEventListener("abort", done);
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(done, lookMs);
      this.#waiting.add(done);
      signal.addEventListener("abort", done, { once: true });
      if (signal.aborted) done();
    });
  }
}

type Has = Pick<Asking, "labels" | "engine" | "compose">;

function neededBy(container: StepJob["container"]): Omit<Has, "labels"> {
  return { engine: container !== null, compose: container !== null && pathsOf(container).length > 0 };
}

function canRun({ labels, engine, compose }: Has, { away, container }: AwayJob): boolean {
  const needs = neededBy(container);
  return (
    away.labels.every((label) => labels.includes(label)) && (engine || !needs.engine) && (compose || !needs.compose)
  );
}

const wantedText = ({ labels, engine, compose }: Has): string =>
  [
    ...labels,
    ...(engine ? ["a container engine"] : []),
    ...(compose ? ["a program that knows Compose files"] : []),
  ].join(", ");

/** What is not there is said where others have it. */
const knownText = ({ labels, engine, compose }: Has): string =>
  [...labels, ...(engine ? [`a container engine${compose ? "" : " and an older program"}`] : [])].join(", ");

function inTurn<T>(open: Open, work: () => Promise<T>): Promise<T> {
  const done = open.work.then(work);
  open.work = done.catch(() => undefined);
  return done;
}

async function putInto(job: AwayJob, digest: string, end: JobEnd): Promise<JobEnd> {
  const unpacked = join(job.room, "made");
  try {
    await rm(unpacked, { recursive: true, force: true });
    await unpackArchive({ file: fileOf(job, "made.tar"), digest }, unpacked);
    for (const pattern of job.away.patterns.filter((each) => !/[*?]/.test(each)))
      await rm(join(job.directory, pattern), { recursive: true, force: true });
    await moveInto(unpacked, job.directory);
    return end;
  } catch (error) {
    return { is: "lost", why: `what it made could not be taken over: ${reasonOf(error)}` };
  } finally {
    await rm(unpacked, { recursive: true, force: true });
    await rm(fileOf(job, "made.tar"), { force: true });
  }
}

type FileName = "end" | "lease" | "log" | "workspace.tar" | "made.tar";
function fileOf({ room }: StepJob, name: FileName): string {
  return join(room, name === "end" || name === "lease" ? `${name}.json` : name);
}

function notInHand(): SlipwayError {
  return new SlipwayError("NOT_FOUND", {
    message: "this step is not in the agent's hand any more",
    hint: "the agent ends it",
  });
}
