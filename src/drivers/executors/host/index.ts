import { closeSync, existsSync, mkdirSync, openSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { reasonOf } from "../../../core/errors/error.ts";
import { DiskWatch } from "../../../lib/disk-watch.ts";
import { readJsonFile, writeJsonFile } from "../../../lib/json-file.ts";
import type { Supervisor } from "../../../lib/supervisor/client.ts";
import { type InstanceReport, SupervisorError, type UnitSpec } from "../../../lib/supervisor/contract.ts";
import type { Executor, JobEnd, StepJob } from "../../../ports/executor.ts";
import { whyNotExecutable } from "./executable.ts";
import { Fence, type Fenced, type Hidden } from "./fence.ts";
import { Tail } from "./tail.ts";
import { toolAt } from "./tools.ts";

/** How often output is looked for while a step runs. */
const lookMs = 50;
/** Between SIGTERM and SIGKILL of a step that is stopped. */
const stopGraceMs = 5_000;
/** Builds give way to the services on the same machine. */
const niceness = 10;

/** So many processes and threads may a step have at once; a container has as many. */
const mostProcesses = 4_096;
/** The kernel bounds nobody's processes who is root, but by a group. */
const isBound = process.platform === "linux" && process.getuid?.() !== 0;

const stepRole = { role: "step" } as const;

/**
 * Steps as processes of this machine, under the supervisor: they outlive the control plane, which finds them again, and are ended
 * with all that they have forked. What a step prints is in a file of its own (0600) until it has ended; only the log, without the
 * secrets, stays. Where the system lets us, a step does not see what is hidden.
 */
export function hostExecutor({ supervisor, hidden }: HostOptions): Executor {
  const disks = new DiskWatch();
  let opened: Promise<Fence | string> | null = null;
  // Tried once, before the first step.
  const fence = (): Promise<Fence | string> => {
    opened ??= Fence.open(hidden);
    return opened;
  };
  return {
    name: "host",
    run: async (job, onOutput, signal) => run({ supervisor, disks, fence: await fence() }, { job, onOutput }, signal),
    unfenced: async () => {
      const found = await fence();
      return typeof found === "string" ? found : null;
    },
    stop: async (labels) => {
      const units = await supervisor.observe({ labels: { ...labels, ...stepRole } });
      await Promise.all(units.map(({ key }) => supervisor.remove(key)));
    },
    running: async () => (await supervisor.observe({ labels: stepRole })).map(({ labels }) => labels),
  };
}

type HostOptions = { readonly supervisor: Supervisor; readonly hidden: Hidden };
type Means = { readonly supervisor: Supervisor; readonly disks: DiskWatch; readonly fence: Fence | string };
/** A command as it is executed: perhaps behind a fence. */
type Execution = Pick<UnitSpec, "command" | "env" | "otherwise">;
type Run = { readonly job: StepJob; readonly onOutput: (chunk: Buffer) => void };

async function run(means: Means, { job, onOutput }: Run, signal: AbortSignal): Promise<JobEnd> {
  const { supervisor, disks } = means;
  const files = { raw: join(job.room, "output"), log: join(job.room, "log"), end: join(job.room, "end.json") };
  mkdirSync(job.room, { recursive: true, mode: 0o700 });
  const cleared = async (ended: JobEnd): Promise<JobEnd> => {
    await Promise.all([supervisor.remove(job.key), rm(files.raw, { force: true })]);
    return ended;
  };
  const before = existsSync(files.end) ? await readJsonFile<JobEnd>(files.end).catch(() => null) : null;
  if (before !== null) return cleared(before);
  const starting = begun(means, job, files.raw, signal);
  // Its log is opened meanwhile; how it has started is asked below.
  starting.catch(() => undefined);
  const tail = await Tail.open(files, job.secrets, onOutput);
  const unwatch = disks.watch(job.disk.directory);
  try {
    const ended = (await starting) ?? (await untilEnd(supervisor, disks, { job, tail }, signal));
    await tail.finish();
    await writeJsonFile(files.end, ended, { mode: 0o600, durable: false });
    return await cleared(ended);
  } finally {
    unwatch();
    await tail.close();
  }
}

/** Starts it, unless it was. Answers an end that is known already. */
async function begun(
  { supervisor, fence }: Means,
  job: StepJob,
  raw: string,
  signal: AbortSignal,
): Promise<JobEnd | null> {
  // Its file is made before it is started: so the file without the unit says that it was, and without the file there is no unit.
  if (existsSync(raw)) {
    const [unit] = await supervisor.observe({ key: job.key }, signal);
    return unit === undefined ? { is: "lost" } : null;
  }
  closeSync(openSync(raw, "a", 0o600));
  // Where a tool executes it, the system says nothing of it to us.
  const why = typeof fence === "string" && !isBound ? null : whyNotExecutable(job);
  if (why !== null) return { is: "not-started", why };
  const fenced = await fencedBy(fence, job);
  if ("why" in fenced) return { is: "not-started", why: fenced.why };
  const { started, ...how } = fenced;
  try {
    await supervisor.ensure(unitOf({ ...job, ...how }, raw), 1, signal);
    return null;
  } catch (error) {
    if (error instanceof SupervisorError && error.code === "START_FAILED")
      return { is: "not-started", why: error.message.replace(/^.*could not be started: /, "") };
    throw error;
  } finally {
    started();
  }
}

/** Where there can be a fence there is one, or the step does not run. */
async function fencedBy(
  fence: Fence | string,
  job: StepJob,
): Promise<(Execution & Pick<Fenced, "started">) | { readonly why: string }> {
  if (typeof fence === "string") return { command: bounded(job.command), env: job.env, started: () => undefined };
  return fence.around(job, { processes: isBound ? mostProcesses : null }).catch((error: unknown) => ({
    why: `the fence around it could not be put up: ${reasonOf(error)}`,
  }));
}

/** Without a fence all processes of our user count, and one that is not there bounds nothing. */
function bounded(command: readonly string[]): readonly string[] {
  const prlimit = isBound ? toolAt("prlimit") : null;
  return prlimit === null ? command : [prlimit, `--nproc=${mostProcesses}`, "--", ...command];
}

function unitOf(job: Omit<StepJob, "command" | "env"> & Execution, raw: string): UnitSpec {
  return {
    key: job.key,
    labels: { ...job.labels, ...stepRole },
    notes: {},
    mode: "job",
    command: job.command,
    ...(job.otherwise !== undefined && { otherwise: job.otherwise }),
    cwd: job.directory,
    env: job.env,
    idVariable: null,
    port: false,
    stopGraceMs,
    memoryBytes: null,
    cpus: null,
    outputFile: raw,
    niceness,
    processes: mostProcesses,
  };
}

/** Takes its output over until it has ended or must be ended. */
async function untilEnd(
  supervisor: Supervisor,
  disks: DiskWatch,
  { job, tail }: { readonly job: StepJob; readonly tail: Tail },
  signal: AbortSignal,
): Promise<JobEnd> {
  const over = new AbortController();
  const watching = AbortSignal.any([signal, over.signal]);
  let last: InstanceReport | undefined;
  let gone = false;
  let wake: () => void = () => undefined;
  const watch = (async () => {
    for await (const [unit] of supervisor.watch({ key: job.key }, watching)) {
      last = unit?.instances[0] ?? last;
      gone = unit === undefined;
      if (gone || last?.state === "exited") wake();
    }
  })();
  let broken: unknown = null;
  watch.catch((error: unknown) => {
    broken = error;
    wake();
  });
  signal.addEventListener("abort", () => wake(), { once: true });
  const stopped = async (end: JobEnd): Promise<JobEnd> => {
    await supervisor.remove(job.key);
    return end;
  };
  try {
    for (;;) {
      await tail.read();
      signal.throwIfAborted();
      if (broken !== null) throw broken;
      // Somebody else has ended it: then it is called off.
      if (gone) return { is: "killed", by: "SIGKILL" };
      if (last?.state === "exited") return endOf(last);
      if (tail.bytes > job.outputBytes)
        return await stopped({ is: "too-large", what: "output", maxBytes: job.outputBytes });
      if (disks.bytes(job.disk.directory) > job.disk.maxBytes)
        return await stopped({ is: "too-large", what: "workspace", maxBytes: job.disk.maxBytes });
      if (last?.startedAt != null && Date.now() - last.startedAt > job.timeoutMs)
        return await stopped({ is: "timed-out", afterMs: job.timeoutMs });
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, lookMs);
        wake = () => {
          clearTimeout(timer);
          resolve();
        };
        if (gone || last?.state === "exited" || signal.aborted) wake();
      });
    }
  } finally {
    over.abort();
  }
}

function endOf({ lastExit, failure }: InstanceReport): JobEnd {
  if (failure !== null) return { is: "not-started", why: failure.message };
  if (lastExit?.signal != null) return { is: "killed", by: lastExit.signal };
  return lastExit?.code == null ? { is: "lost" } : { is: "exited", code: lastExit.code };
}
