import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import { entryFile } from "../entry.ts";
import { socketPath } from "../socket-path.ts";
import { ConnectionLost, call } from "./call.ts";
import {
  type DaemonReport,
  type ExecReport,
  type Limits,
  type LogRecord,
  type LogRequest,
  protocolVersion,
  type Request,
  type Selector,
  SupervisorError,
  socketName,
  type UnitReport,
  type UnitSpec,
} from "./contract.ts";
import type { LogFileOptions } from "./log-file.ts";
import { recordOf } from "./logs.ts";
import type { PortRange } from "./ports.ts";
import { isAlive } from "./procfs.ts";
import { stateFileName } from "./state-file.ts";

/** From starting a daemon until it answers. */
const startMs = 10_000;
const startPollMs = 5;
/** An idempotent call is made again when the daemon dies under it. */
const callAttempts = 3;
const reconnectMs = 50;
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

/**
 * Keeps commands running, through a daemon that outlives this process and whose own death disturbs nothing. Every call may be
 * repeated, from any process; a daemon that is absent is started. Errors: SupervisorError.
 */
export interface Supervisor {
  readonly limits: Limits;
  /**
   * Makes the unit run in `instances` processes: starts, scales, or (zero) stops them. Returns when the missing ones have been
   * started and the surplus ones have ended. A changed spec holds from the next start of each instance.
   */
  ensure(spec: UnitSpec, instances: number, signal?: AbortSignal): Promise<UnitReport>;
  observe(selector: Selector, signal?: AbortSignal): Promise<readonly UnitReport[]>;
  /** The selected units now and after every change, until the signal is aborted. Goes on over a daemon's death. */
  watch(selector: Selector, signal: AbortSignal): AsyncGenerator<readonly UnitReport[]>;
  /** Stops the unit and forgets it. Its log stays. */
  remove(key: string, signal?: AbortSignal): Promise<void>;
  /** Ends when all is read, or, following, when the signal is aborted. */
  logs(request: LogRequest, signal: AbortSignal): AsyncGenerator<LogRecord>;
  /** Runs a command in a running instance's directory with its environment. */
  exec(instance: string, command: readonly string[], signal: AbortSignal): Promise<ExecReport>;
  /** Stops everything, then the daemon. Does nothing when there is none. */
  shutdown(): Promise<void>;
  /** Ends this client's streams. The daemon and what it keeps go on. */
  close(): Promise<void>;
}

export async function openSupervisor(options: SupervisorOptions): Promise<Supervisor> {
  mkdirSync(options.directory, { recursive: true, mode: 0o700 });
  const connection = new Connection({ ...options, directory: realpathSync(options.directory) });
  const { limits } = await connection.ready();
  return new Client(connection, limits);
}

class Client implements Supervisor {
  readonly limits: Limits;
  readonly #connection: Connection;
  readonly #closed = new AbortController();

  constructor(connection: Connection, limits: Limits) {
    this.#connection = connection;
    this.limits = limits;
  }

  async ensure(spec: UnitSpec, instances: number, signal?: AbortSignal): Promise<UnitReport> {
    return (await this.#connection.call({ call: "ensure", spec, instances }, signal)) as UnitReport;
  }

  async observe(selector: Selector, signal?: AbortSignal): Promise<readonly UnitReport[]> {
    return (await this.#connection.call({ call: "observe", selector }, signal)) as readonly UnitReport[];
  }

  async *watch(selector: Selector, signal: AbortSignal): AsyncGenerator<readonly UnitReport[]> {
    const until = AbortSignal.any([signal, this.#closed.signal]);
    // Only the newest counts: a slow reader skips what is past.
    yield* this.#stream<readonly UnitReport[]>(() => ({ call: "watch", selector }), until, { keep: 1 });
  }

  async remove(key: string, signal?: AbortSignal): Promise<void> {
    await this.#connection.call({ call: "remove", key }, signal);
  }

  async *logs(request: LogRequest, signal: AbortSignal): AsyncGenerator<LogRecord> {
    const until = AbortSignal.any([signal, this.#closed.signal]);
    let lastAt = -1;
    let again = false;
    const next = (): Request => {
      const seen = again;
      again = true;
      // After a daemon's death: what came since, as far as its log tells.
      return { call: "logs", ...request, tail: seen ? 1_000 : request.tail };
    };
    const options = { keep: 64, once: !request.follow };
    let reconnectedAt: number | null = null;
    const onReconnect = () => {
      reconnectedAt = lastAt;
    };
    for await (const lines of this.#stream<readonly string[]>(next, until, { ...options, onReconnect })) {
      for (const line of lines) {
        const record = recordOf(line);
        if (reconnectedAt !== null && record.at <= reconnectedAt) continue;
        lastAt = Math.max(lastAt, record.at);
        yield record;
      }
    }
  }

  async exec(instance: string, command: readonly string[], signal: AbortSignal): Promise<ExecReport> {
    const request: Request = { call: "exec", instance, command };
    return (await this.#connection.call(request, signal, { attempts: 1 })) as ExecReport;
  }

  async shutdown(): Promise<void> {
    await this.#connection.shutdown();
  }

  async close(): Promise<void> {
    this.#closed.abort();
  }

  /** Items as they come; the call is made again when its connection breaks. Ends quietly when aborted. */
  async *#stream<T>(
    request: () => Request,
    until: AbortSignal,
    options: { readonly keep: number; readonly once?: boolean; readonly onReconnect?: () => void },
  ): AsyncGenerator<T> {
    while (!until.aborted) {
      const queue = new Queue<T>(options.keep);
      const stop = new AbortController();
      const ended = this.#connection
        .call(request(), AbortSignal.any([until, stop.signal]), {
          attempts: 1,
          onItem: (item) => (options.keep === 1 ? queue.replace(item as T) : queue.push(item as T)),
        })
        .then(() => queue.end(null))
        .catch((error: unknown) => queue.end({ error }));
      try {
        yield* queue.drain();
        if (options.once) return;
      } catch (error) {
        if (until.aborted) return;
        if (!(error instanceof ConnectionLost)) throw error;
        if (options.once) throw new SupervisorError("UNREACHABLE", error.message, { cause: error });
      } finally {
        stop.abort();
        await ended;
      }
      options.onReconnect?.();
      await pause(reconnectMs);
    }
  }
}

/** Hands items from a callback to a generator, at most `room` of them waiting. */
class Queue<T> {
  readonly #room: number;
  #items: T[] = [];
  #end: { readonly failure: { readonly error: unknown } | null } | null = null;
  #changed: () => void = () => undefined;
  #taken: () => void = () => undefined;

  constructor(room: number) {
    this.#room = room;
  }

  async push(item: T): Promise<void> {
    this.#items.push(item);
    this.#changed();
    while (this.#items.length >= this.#room && this.#end === null) {
      await new Promise<void>((resolve) => {
        this.#taken = resolve;
      });
    }
  }

  replace(item: T): void {
    this.#items = [item];
    this.#changed();
  }

  end(failure: { readonly error: unknown } | null): void {
    this.#end = { failure };
    this.#changed();
  }

  async *drain(): AsyncGenerator<T> {
    try {
      for (;;) {
        const item = this.#items.shift();
        this.#taken();
        if (item !== undefined) {
          yield item;
        } else if (this.#end !== null) {
          if (this.#end.failure !== null) throw this.#end.failure.error;
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.#changed = resolve;
          });
        }
      }
    } finally {
      this.#items = [];
      this.#end ??= { failure: null };
      this.#taken(); // whoever waits for room would wait for ever
    }
  }
}

type CallOptions = { readonly attempts?: number; readonly onItem?: (item: unknown) => Promise<void> | void };

/** The way to the daemon: finds it, starts it, and hands it over to a new one when it is of another version. */
class Connection {
  readonly #options: SupervisorOptions;
  readonly #path: string;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#path = socketPath(options.directory, socketName);
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
    const { onItem } = options;
    for (let attempt = 1; ; attempt++) {
      try {
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

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
