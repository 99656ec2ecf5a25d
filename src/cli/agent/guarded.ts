import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { SlipwayError } from "../../core/errors/error.ts";
import { entryFile } from "../../lib/entry.ts";
import { readJsonFile, writeJsonFile } from "../../lib/json-file.ts";
import { isAlive, readStat, signal } from "../../lib/supervisor/procfs.ts";

type Process = { readonly pid: number; readonly startTicks: number | null };
/** Who works in a directory, and who ends what is left there. */
type Held = { readonly agent: Process; readonly guard: Process };

/** It does next to nothing until it is needed. */
const thrift = ["--max-semi-space-size=1", "--max-old-space-size=128", "--no-warnings"];
const lookMs = 50;
/** A guard ends steps in their grace of five seconds, and an agent that was stopped too. */
const patienceMs = 20_000;

/** While this is open and the agent dies, what it has running is ended by another process. */
export class Guarded {
  readonly #at: GuardOptions;
  #guard: ChildProcess;
  #isOver = false;

  private constructor(at: GuardOptions) {
    this.#at = at;
    this.#guard = this.#start();
  }

  /** Waits for the guard of an agent that was killed here. Errors: USAGE (another agent works in this directory). */
  static async open(at: GuardOptions): Promise<Guarded> {
    await untilFree(at.directory);
    const guarded = new Guarded(at);
    await guarded.#keep();
    return guarded;
  }

  /** Nothing is left: the guard is not needed. */
  async close(): Promise<void> {
    this.#isOver = true;
    const guard = this.#guard;
    if (guard.exitCode !== null || guard.signalCode !== null) return;
    const gone = once(guard, "exit");
    guard.stdin?.end("over\n");
    await gone;
  }

  #start(): ChildProcess {
    const program = entryFile(import.meta.url, "./guard.ts");
    const { directory, tokenFile, url } = this.#at;
    const child = spawn(process.execPath, [...thrift, program, directory, tokenFile, url], {
      cwd: directory,
      // Not ended with our session, and our pipe is its only one: else whoever reads ours waits for it.
      detached: true,
      stdio: ["pipe", "ignore", "ignore"],
    });
    child.stdin?.on("error", () => undefined);
    child.on("error", () => undefined);
    child.once("exit", () => void this.#again());
    return child;
  }

  async #again(): Promise<void> {
    await sleep(patienceMs / 20);
    if (this.#isOver) return;
    this.#guard = this.#start();
    await this.#keep().catch(() => undefined);
  }

  async #keep(): Promise<void> {
    const held: Held = { agent: named(process.pid), guard: named(this.#guard.pid ?? 0) };
    await writeJsonFile(fileIn(this.#at.directory), held, { mode: 0o600, durable: false });
  }
}

type GuardOptions = Readonly<Record<"directory" | "tokenFile" | "url", string>>;

/** Until nobody works in the directory, and nobody clears it. */
async function untilFree(directory: string): Promise<void> {
  const held = await readJsonFile<Held>(fileIn(directory)).catch(() => null);
  if (held === null) return;
  await untilGone(held.agent);
  if (lives(held.agent))
    throw new SlipwayError("USAGE", {
      message: `an agent works in ${directory} already: process ${held.agent.pid}`,
      hint: "end it, or give this one a --directory and a token of its own",
    });
  await untilGone(held.guard);
  // It hangs, perhaps at an engine that does not answer: what it would have ended, the agent that starts now ends.
  if (lives(held.guard)) signal(held.guard.pid, "SIGKILL");
}

async function untilGone(process: Process): Promise<void> {
  for (const until = performance.now() + patienceMs; lives(process) && performance.now() < until; ) await sleep(lookMs);
}

function lives({ pid, startTicks }: Process): boolean {
  return pid > 0 && isAlive(pid, startTicks);
}

function named(pid: number): Process {
  return { pid, startTicks: readStat(pid)?.startTicks ?? null };
}

function fileIn(directory: string): string {
  return join(directory, "agent.json");
}
