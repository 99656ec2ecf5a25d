import { appendFile, mkdir, open, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { LeaseView } from "../../api/agent-contract.ts";
import { leaseMs } from "../../core/agents/lease.ts";
import { reasonOf } from "../../core/errors/error.ts";
import { skipping } from "../../engine/pipeline/cache/store.ts";
import { whyNotIn, withPaths } from "../../engine/pipeline/checkout-paths.ts";
import { readJsonFile, writeJsonFile } from "../../lib/json-file.ts";
import { packDirectory } from "../../lib/pack.ts";
import { unpackArchive } from "../../lib/unpack.ts";
import type { Executor, JobEnd, StepJob } from "../../ports/executor.ts";
import { type Link, NotOurs } from "./link.ts";

const beatMs = leaseMs / 6;
const pieceBytes = 128 * 1024;
const lookMs = 100;

export type Working = {
  readonly link: Link;
  readonly executor: Executor;
  readonly directory: string;
  readonly labels: readonly string[];
  /** Null: it runs processes only. */
  readonly engine: string | null;
  /** Whether the engine is there now. */
  readonly hasEngine: () => Promise<boolean>;
  readonly log: (line: string) => void;
};

/** Ends what an agent has left running. */
export async function endLeft(executor: Executor): Promise<void> {
  await Promise.all((await executor.running()).map((labels) => executor.stop(labels)));
}

/** Ends what an agent before this one has left, and removes its workspaces. */
export async function clearLeft({ executor, directory }: Pick<Working, "executor" | "directory">): Promise<void> {
  await endLeft(executor);
  const jobs = join(directory, "jobs");
  await mkdir(jobs, { recursive: true, mode: 0o700 });
  for (const name of await readdir(jobs)) await rm(join(jobs, name), { recursive: true, force: true });
}

/** One step after the other, until the signal is aborted; or one, with `once`. Errors: NotOurs, when the token does not hold. */
export async function work(on: Working, { once }: { readonly once: boolean }, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const has = { labels: on.labels, engine: await on.hasEngine(), compose: true };
    const lease = await on.link.take(has, signal).catch((error: unknown) => {
      if (signal.aborted) return null;
      throw error;
    });
    if (lease === null) continue;
    await runLease(on, lease, signal);
    if (once) return;
  }
}

/** Runs it in a workspace of its own; whatever comes of it, nothing of it is left. */
async function runLease(on: Working, lease: LeaseView, stopping: AbortSignal): Promise<void> {
  const { link, executor, log } = on;
  const { id } = lease;
  const room = join(on.directory, "jobs", id);
  const lost = new AbortController();
  const signal = AbortSignal.any([stopping, lost.signal]);
  const isTold = { yes: false };
  const beating = (async () => {
    while (!signal.aborted && !isTold.yes) {
      await link.beat(id, signal);
      await pause(beatMs, signal);
    }
  })().catch((error: unknown) => {
    // After its end was told the control plane knows it no more.
    if (!isTold.yes) lost.abort(error);
  });
  try {
    log(`${id} ${lease.labels.run ?? ""} begins`);
    const told = await performed(on, lease, { room, signal });
    await link.end(id, told.end, told.made, signal);
    log(`${id} ${told.end.is}`);
  } catch (error) {
    log(`${id} is let go: ${reasonOf(error)}`);
    if (!signal.aborted && !(error instanceof NotOurs)) await sayWhy(link, id, error, signal);
  } finally {
    isTold.yes = true;
    lost.abort(new Error("it is over"));
    await beating;
    await executor.stop({ lease: id });
    await rm(room, { recursive: true, force: true });
  }
}

/** What this machine could not do is the step's end: else it would be missed only when the lease is over, with no reason. */
async function sayWhy(link: Link, id: string, error: unknown, signal: AbortSignal): Promise<void> {
  const end: JobEnd = { is: "not-started", why: `on the agent: ${reasonOf(error)}` };
  await link.end(id, end, null, signal).catch(() => undefined);
}

type Room = { readonly room: string; readonly signal: AbortSignal };

async function performed({ link, executor, engine }: Working, lease: LeaseView, { room, signal }: Room): Promise<Told> {
  const { id } = lease;
  const source = join(room, "source");
  const job = jobOf(lease, { room, engine });
  await mkdir(job.room, { recursive: true, mode: 0o700 });
  for (const name of ["home", "tmp"]) await mkdir(join(room, name), { mode: 0o700 });
  // Should we die when it has ended, its end is told all the same.
  await writeJsonFile(leaseFileIn(room), lease, { mode: 0o600, durable: false });
  const archive = join(room, "workspace.tar");
  const digest = await link.workspace(id, archive, signal);
  await unpackArchive({ file: archive, digest }, source, { signal });
  await rm(archive);
  const why = await whyNotIn(source, job);
  if (why !== null) return { end: { is: "not-started", why }, made: null };
  const isOver = { yes: false };
  const sending = sendLog(link, id, { file: join(job.room, "log"), isOver }, signal);
  sending.catch(() => undefined);
  const end = await executor
    .run(job, () => undefined, signal)
    .finally(async () => {
      await appendBeside(job.room);
      isOver.yes = true;
    });
  await sending;
  return withMade(link, lease, { room, directory: job.directory, end }, signal);
}

type Told = { readonly end: JobEnd; readonly made: string | null };

async function withMade(
  link: Link,
  lease: LeaseView,
  { end, ...at }: Made & { readonly end: JobEnd },
  signal: AbortSignal,
): Promise<Told> {
  const made = await sendMade(link, lease, at, signal).catch((error: unknown) => {
    if (error instanceof NotOurs || signal.aborted) throw error;
    return { is: "not-sent" as const, why: reasonOf(error) };
  });
  if (made === null || typeof made === "string") return { end, made };
  return { end: { is: "not-started", why: `what it made cannot be sent: ${made.why}` }, made: null };
}

/**
 * Tells the ends of steps that had ended when their agent died, with their logs and what they have made; others are left alone. Errors:
 * none, for a step whose end cannot be told is run again. May be repeated.
 */
export async function tellEnds({ link, directory, log }: Ended, signal: AbortSignal): Promise<void> {
  const jobs = join(directory, "jobs");
  const rooms = (await readdir(jobs).catch(() => [])).map((name) => join(jobs, name));
  await Promise.all(
    rooms.map(async (room) => {
      try {
        const lease = await readJsonFile<LeaseView>(leaseFileIn(room));
        const end = await readJsonFile<JobEnd>(join(room, "attempt", "end.json"));
        if (lease === null || end === null) return;
        await tellEnd(link, lease, { room, end }, signal);
        log(`${lease.id} had ended: that is told`);
      } catch (error) {
        log(`the end of ${room} is not told: ${reasonOf(error)}`);
      }
    }),
  );
}

type Ended = Pick<Working, "link" | "directory" | "log">;

async function tellEnd(
  link: Link,
  lease: LeaseView,
  { room, end }: { readonly room: string; readonly end: JobEnd },
  signal: AbortSignal,
): Promise<void> {
  // Refused where it is not this agent's any more.
  await link.beat(lease.id, signal);
  await sendLog(link, lease.id, { file: join(room, "attempt", "log"), isOver: { yes: true } }, signal);
  const told = await withMade(link, lease, { room, directory: join(room, "source", lease.directory), end }, signal);
  await link.end(lease.id, told.end, told.made, signal);
}

function leaseFileIn(room: string): string {
  return join(room, "lease.json");
}

/** Of what ran beside a step that has failed. */
const besideBytes = 4 * 1024 * 1024;

/** What ran beside it is shown after its own log: here as a part of it. */
async function appendBeside(room: string): Promise<void> {
  for (const each of (await readdir(room)).toSorted()) {
    const name = /^beside-(.+)\.log$/.exec(each)?.[1];
    if (name === undefined) continue;
    const handle = await open(join(room, each), "r");
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(besideBytes), 0, besideBytes, 0);
      await appendFile(join(room, "log"), `\n── ${name}\n${buffer.toString("utf8", 0, bytesRead)}`, { mode: 0o600 });
    } finally {
      await handle.close();
    }
  }
}

function jobOf(lease: LeaseView, { room, engine }: { readonly room: string; readonly engine: string | null }): StepJob {
  const source = join(room, "source");
  if (lease.container !== null && engine === null)
    throw new Error("a step with an image was given to an agent without an engine");
  const own = { PATH: process.env.PATH ?? "", HOME: join(room, "home"), TMPDIR: join(room, "tmp") };
  return {
    key: `agent-${lease.id}`,
    labels: { ...lease.labels, lease: lease.id },
    command: lease.command,
    directory: join(source, lease.directory),
    sees: [source, join(room, "home"), join(room, "tmp")],
    // A container has its image's programs, and nothing else of this machine.
    env: lease.container === null ? { ...own, ...lease.env } : lease.env,
    secrets: lease.secrets,
    room: join(room, "attempt"),
    timeoutMs: lease.timeoutMs,
    outputBytes: lease.outputBytes,
    disk: { directory: room, maxBytes: lease.diskBytes },
    container:
      lease.container === null || engine === null
        ? null
        : { ...withPaths(lease.container, (path) => join(source, path)), engine, mount: source },
    away: null,
  };
}

type Log = { readonly file: string; readonly isOver: { readonly yes: boolean } };

/** From where the control plane is, until all that the step printed is there. */
async function sendLog(link: Link, id: string, { file, isOver }: Log, signal: AbortSignal): Promise<void> {
  const buffer = new Uint8Array(pieceBytes);
  let offset = 0;
  for (;;) {
    // Asked before reading: what is written after it was over is none of it.
    const last = isOver.yes;
    const handle = await open(file, "r").catch(() => null);
    const bytes = handle === null ? 0 : (await handle.read(buffer, 0, pieceBytes, offset)).bytesRead;
    await handle?.close();
    if (bytes > 0) offset = await link.log(id, offset, buffer.slice(0, bytes), signal);
    else if (last) return;
    else await pause(lookMs, signal);
  }
}

type Made = { readonly room: string; readonly directory: string };

/** Null: nothing goes back. */
async function sendMade(
  link: Link,
  { id, patterns }: LeaseView,
  { room, directory }: Made,
  signal: AbortSignal,
): Promise<string | null> {
  if (patterns.length === 0) return null;
  const file = join(room, "made.tar");
  const { digest } = await packDirectory(directory, file, { skip: skipping(patterns) });
  await link.made(id, file, signal);
  return digest;
}

/** Until then, or until the signal is aborted. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return sleep(ms, undefined, { signal }).catch(() => undefined);
}
