import { spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { entryFile } from "../entry.ts";
import { socketPath } from "../socket-path.ts";
import { ConnectionLost, call, KeptCalls } from "./call.ts";
import { type DaemonReport, protocolVersion, type Request, SupervisorError, socketName } from "./contract.ts";
import type { LogFileOptions } from "./log-file.ts";
import type { PortRange } from "./ports.ts";
import { isAlive } from "./procfs.ts";
import { stateFileName } from "./state-file.ts";

/** From starting a daemon until it answers. */
const startMs = 10_000;
const startPollMs = 5;
/** An idempotent call is made again when the daemon dies under it. */
const callAttempts = 3;
/** What the daemon complains about goes here; begun anew when it has grown so large. */
const complaintsFile = "supervisor.err";
const complaintsBytes = 1024 * 1024;
/** The daemon needs little: this keeps V8 from taking more only because there is more. */
const daemonFlags = ["--max-old-space-size=128", "--max-semi-space-size=1", "--no-warnings"];

export type SupervisorOptions = {
  /** Holds the socket, the state, the logs. Made when absent. One daemon serves it. */
  readonly directory: string;
  /** Only read when the daemon is started. Default: 20000 to 29999. */
  readonly ports?: PortRange;
  /** Only read when the daemon is started. Default: 10 MiB a file, three old ones. */
  readonly logs?: LogFileOptions;
};

type CallOptions = {
  readonly attempts?: number;
  readonly onItem?: (item: unknown) => Promise<void> | void;
  /** Whether a daemon may be started for it, asked when there is none. */
  readonly mayStart?: () => boolean;
};

/** The way to the daemon: finds it, starts it, and hands it over to a new one when it is of another version. */
export class Connection {
  readonly #options: SupervisorOptions;
  readonly #path: string;
  readonly #kept: KeptCalls;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#path = socketPath(options.directory, socketName);
    this.#kept = new KeptCalls(this.#path);
  }

  /** A daemon of our version answers. */
  async ready(signal?: AbortSignal): Promise<DaemonReport> {
    let report = await this.#hello(signal);
    if (report !== null && report.protocol !== protocolVersion) {
      await call(this.#path, { call: "leave" }).catch(() => undefined);
      report = null;
    }
    if (report === null) this.#start();
    const until = performance.now() + startMs;
    for (let starts = 1; report?.protocol !== protocolVersion; ) {
      await pause(startPollMs);
      signal?.throwIfAborted();
      report = await this.#hello(signal);
      const restMs = until - performance.now();
      if (restMs <= 0) throw this.#unreachable();
      // One that was just ending when ours was started made ours give way.
      if (report === null && restMs < startMs / 2 && starts === 1) {
        starts += 1;
        this.#start();
      }
    }
    return report;
  }

  async call(request: Request, signal?: AbortSignal, options: CallOptions = {}): Promise<unknown> {
    const attempts = options.attempts ?? callAttempts;
    const { onItem, mayStart = () => true } = options;
    for (let attempt = 1; ; attempt++) {
      try {
        if (!mayStart()) throw shutDown();
        if (onItem === undefined && attempts > 1) return await this.#kept.call(request, signal);
        return await call(this.#path, request, { ...(signal && { signal }), ...(onItem && { onItem }) });
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error;
        // Nobody listens: nothing was done, so starting one and asking again repeats nothing.
        const absent = isAbsent(error);
        if (!absent && attempt >= attempts) {
          if (onItem !== undefined) throw error;
          throw new SupervisorError("UNREACHABLE", `the supervisor went away: ${error.message}`, { cause: error });
        }
        if (attempt > callAttempts) throw this.#unreachable();
        if (!mayStart()) throw shutDown();
        await this.ready(signal);
      }
    }
  }

  async shutdown(): Promise<void> {
    // A daemon that died has left its processes, and a new one ends them. Without a state nothing was ever kept here.
    const wasUsed = sizeOf(join(this.#options.directory, stateFileName)) > 0;
    if (!wasUsed && (await this.#hello()) === null) return;
    const { pid } = await this.ready();
    await this.call({ call: "shutdown" });
    // The daemon itself ends just after its answer.
    for (const until = performance.now() + startMs; performance.now() < until && isAlive(pid, null); ) {
      await pause(startPollMs);
    }
  }

  async #hello(signal?: AbortSignal): Promise<DaemonReport | null> {
    try {
      return (await call(this.#path, { call: "hello" }, { ...(signal && { signal }) })) as DaemonReport;
    } catch (error) {
      if (error instanceof ConnectionLost) return null;
      throw error;
    }
  }

  #start(): void {
    const { directory, ports, logs } = this.#options;
    const options = { ...(ports && { ports }), ...(logs && { logs }) };
    const complaints = join(directory, complaintsFile);
    const fd = openSync(complaints, sizeOf(complaints) > complaintsBytes ? "w" : "a", 0o600);
    try {
      const child = spawn(
        process.execPath,
        [...daemonFlags, entryFile(import.meta.url, "./daemon.ts"), directory, JSON.stringify(options)],
        { cwd: directory, detached: true, stdio: ["ignore", "ignore", fd], env: daemonEnvironment() },
      );
      child.on("error", () => undefined); // seen as a daemon that does not answer
      child.unref();
    } finally {
      closeSync(fd);
    }
  }

  #unreachable(): SupervisorError {
    const said = lastLines(join(this.#options.directory, complaintsFile));
    const evidence = said === "" ? "" : `; it said: ${said}`;
    return new SupervisorError("UNREACHABLE", `no supervisor answers on ${this.#path}${evidence}`);
  }
}

/** The daemon needs nothing of its starter: no secret of the starter's environment stays in it for months. */
function daemonEnvironment(): NodeJS.ProcessEnv {
  const names = ["PATH", "HOME", "LANG", "TZ", "TMPDIR"];
  return Object.fromEntries(names.map((name) => [name, process.env[name]]).filter(([, value]) => value !== undefined));
}

function shutDown(): SupervisorError {
  return new SupervisorError("UNREACHABLE", "everything was stopped: nothing is started any more");
}

function isAbsent(error: ConnectionLost): boolean {
  const cause = error.cause;
  return cause instanceof Error && "code" in cause && (cause.code === "ENOENT" || cause.code === "ECONNREFUSED");
}

function sizeOf(file: string): number {
  try {
    return statSync(file).size;
  } catch {
    return 0;
  }
}

function lastLines(file: string): string {
  try {
    return readFileSync(file, "utf8").trim().split("\n").slice(-3).join(" | ");
  } catch {
    return "";
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
