import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, statSync, writeFileSync } from "node:fs";
import { setPriority } from "node:os";
import type { StartFailure, UnitSpec } from "./contract.ts";
import {
  allPids,
  environmentOf,
  groupIsAlive,
  hasProc,
  isAlive,
  type PidsBefore,
  pidsBefore,
  pidsSince,
  readStat,
  signal,
} from "./procfs.ts";

/** Every process is started with its instance's mark in this variable, and hands it to what it forks. */
export const markVariable = "SUPERVISOR_MARK";

/** How often a process that is not our child is looked at. */
const adoptedPollMs = 100;
const groupPollMs = { first: 5, longest: 50 } as const;
/** What SIGKILL does not end within this is stuck in the kernel; nobody can wait for that. */
const afterKillMs = 2_000;
/** Niceness where a CPU share was asked for and the kernel cannot hold it. */
const limitedNiceness = 10;

export type Ended = { readonly code: number | null; readonly signal: string | null };

export type LiveProcess = {
  /** Also its process group and session. */
  readonly pid: number;
  readonly startTicks: number | null;
  /** Null where nobody looked before it was started. */
  readonly before: PidsBefore | null;
  readonly ended: Promise<Ended>;
};

export type SpawnRequest = {
  readonly spec: UnitSpec;
  readonly env: Readonly<Record<string, string>>;
  readonly stdout: string;
  readonly stderr: string;
};

/**
 * Starts the command in a session of its own, writing to files: so it needs nothing of us from then on, and lives on when we
 * die. Settles when the system has executed the command, or refused it.
 */
export async function startProcess(request: SpawnRequest): Promise<LiveProcess | StartFailure> {
  const { spec, env } = request;
  const [program, ...args] = commandOf(spec);
  const fds: number[] = [];
  try {
    for (const file of [request.stdout, request.stderr]) fds.push(openSync(file, "a", 0o600));
    const before = pidsBefore();
    const child = spawn(program ?? "", args, {
      cwd: spec.cwd,
      env,
      detached: true,
      stdio: ["ignore", fds[0] as number, fds[1] as number],
    });
    if (child.pid === undefined) {
      const error = await new Promise<Error>((resolve) => child.once("error", resolve));
      return refusal(error, spec);
    }
    const ended = new Promise<Ended>((resolve) => {
      child.once("exit", (code, name) => resolve({ code, signal: name }));
    });
    child.on("error", () => undefined); // a signal that could not be sent; `ended` tells the rest
    const niceness = spec.niceness ?? (spec.cpus === null ? 0 : limitedNiceness);
    if (niceness > 0) lowerPriority(child.pid, niceness);
    if (spec.niceness !== undefined) endFirst(child.pid);
    return { pid: child.pid, startTicks: readStat(child.pid)?.startTicks ?? null, before, ended };
  } catch (error) {
    return refusal(error, spec);
  } finally {
    for (const fd of fds) closeSync(fd);
  }
}

function commandOf({ command, otherwise }: UnitSpec): readonly string[] {
  return otherwise === undefined || existsSync(otherwise.without) ? command : otherwise.command;
}

/**
 * A process that an earlier daemon started. Null when it is gone, also when another process has its pid now. How it ends
 * cannot be known, only that it did: we are not its parent.
 */
export function adoptProcess(pid: number, startTicks: number | null): LiveProcess | null {
  if (!isAlive(pid, startTicks)) return null;
  const ended = new Promise<Ended>((resolve) => {
    const timer = setInterval(() => {
      if (isAlive(pid, startTicks)) return;
      clearInterval(timer);
      resolve({ code: null, signal: null });
    }, adoptedPollMs);
  });
  return { pid, startTicks, before: null, ended };
}

/** SIGTERM to the whole group, SIGKILL to what is left of it after the grace. Returns when nothing of it lives. */
export async function terminate(live: LiveProcess, graceMs: number): Promise<{ readonly forced: boolean }> {
  signal(-live.pid, "SIGTERM");
  signal(-live.pid, "SIGCONT"); // a stopped process could not end
  if (await groupEnds(live, graceMs)) return { forced: false };
  await killGroup(live);
  return { forced: true };
}

export async function killGroup(live: LiveProcess): Promise<void> {
  signal(-live.pid, "SIGKILL");
  await groupEnds(live, afterKillMs);
}

async function groupEnds(live: LiveProcess, withinMs: number): Promise<boolean> {
  const until = performance.now() + withinMs;
  let pauseMs: number = groupPollMs.first;
  const lives = () => isAlive(live.pid, live.startTicks) || groupIsAlive(live.pid);
  while (lives()) {
    const restMs = until - performance.now();
    if (restMs <= 0) return false;
    await new Promise((resolve) => setTimeout(resolve, Math.min(pauseMs, restMs)));
    pauseMs = Math.min(pauseMs * 2, groupPollMs.longest);
  }
  return true;
}

/**
 * Ends processes that were forked by a marked one and left its group (daemons). Returns when they are gone. Those that cleared
 * their environment escape; only a cgroup holds them. `live` bore the mark first: only what was started after it is looked at, because
 * a look at every process takes some milliseconds, and the end of each job waits for it.
 */
export async function killMarked(mark: string, live: LiveProcess | null = null): Promise<void> {
  if (!hasProc) return;
  const pids = live === null ? allPids() : pidsSince(live.before, live.pid);
  const killed = pids.filter(
    (pid) => pid !== process.pid && environmentOf(pid, markVariable) === mark && signal(pid, "SIGKILL"),
  );
  const until = performance.now() + afterKillMs;
  while (killed.some((pid) => isAlive(pid, null)) && performance.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, groupPollMs.first));
  }
}

export type Marked = { readonly mark: string; readonly pid: number; readonly startTicks: number };

/** Leaders of groups that bear a mark with this prefix: what a daemon started and had no time to write down. */
export function findMarked(prefix: string): Marked[] {
  const found: Marked[] = [];
  for (const pid of allPids()) {
    const stat = readStat(pid);
    if (stat === null || stat.group !== pid) continue;
    const mark = environmentOf(pid, markVariable);
    if (mark?.startsWith(prefix)) found.push({ mark, pid, startTicks: stat.startTicks });
  }
  return found;
}

function refusal(error: unknown, spec: UnitSpec): StartFailure {
  const code = error instanceof Error && "code" in error ? error.code : null;
  if (code === "ENOSPC" || code === "EDQUOT") return { code: "SPACE", message: "the disk is full" };
  const program = commandOf(spec)[0] ?? "";
  if (code === "ENOENT") {
    if (!isDirectory(spec.cwd)) return { code: "COMMAND", message: `the working directory ${spec.cwd} is not there` };
    const where = program.includes("/") ? "" : ` on PATH (${spec.env.PATH ?? ""})`;
    return { code: "COMMAND", message: `command not found: ${program}${where}` };
  }
  if (code === "EACCES") return { code: "COMMAND", message: `not allowed to execute ${program}` };
  return { code: "COMMAND", message: error instanceof Error ? error.message : String(error) };
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}

function lowerPriority(pid: number, niceness: number): void {
  try {
    setPriority(pid, niceness);
  } catch {}
}

/**
 * Who gives way is ended before the others when memory runs out, and so are its children. Linux only:
 * https://man7.org/linux/man-pages/man5/proc_pid_oom_score_adj.5.html
 */
const oomScore = 500;

function endFirst(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, String(oomScore));
  } catch {}
}
