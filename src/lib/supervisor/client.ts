import { mkdirSync, realpathSync } from "node:fs";
import { ConnectionLost } from "./call.ts";
import { Connection, pause, type SupervisorOptions } from "./connection.ts";
import {
  type Limits,
  type LogRecord,
  type LogRequest,
  type Request,
  type Selector,
  SupervisorError,
  type UnitReport,
  type UnitSpec,
} from "./contract.ts";
import { recordOf } from "./logs.ts";
import { Queue } from "./queue.ts";

/** After a broken connection, before the next. */
const reconnectMs = 50;

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
  /** Ends the process of that life and starts another. Returns when it has ended; does nothing when that life is over. */
  restart(instance: string, startedAt: number, signal?: AbortSignal): Promise<void>;
  /** Ends when all is read, or, following, when the signal is aborted. */
  logs(request: LogRequest, signal: AbortSignal): AsyncGenerator<LogRecord>;
  /** Stops everything, then the daemon. Does nothing when there is none. Only `close` may follow: other calls are refused, and streams end. */
  shutdown(): Promise<void>;
  /** Ends this client's streams. The daemon and what it keeps go on. */
  close(): Promise<void>;
}

export type { SupervisorOptions };

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
  #isShut = false;

  constructor(connection: Connection, limits: Limits) {
    this.#connection = connection;
    this.limits = limits;
  }

  async ensure(spec: UnitSpec, instances: number, signal?: AbortSignal): Promise<UnitReport> {
    return (await this.#call({ call: "ensure", spec, instances }, signal)) as UnitReport;
  }

  async observe(selector: Selector, signal?: AbortSignal): Promise<readonly UnitReport[]> {
    return (await this.#call({ call: "observe", selector }, signal)) as readonly UnitReport[];
  }

  async *watch(selector: Selector, signal: AbortSignal): AsyncGenerator<readonly UnitReport[]> {
    const until = AbortSignal.any([signal, this.#closed.signal]);
    // Only the newest counts: a slow reader skips what is past.
    yield* this.#stream<readonly UnitReport[]>(() => ({ call: "watch", selector }), until, { keep: 1 });
  }

  async remove(key: string, signal?: AbortSignal): Promise<void> {
    await this.#call({ call: "remove", key }, signal);
  }

  async restart(instance: string, startedAt: number, signal?: AbortSignal): Promise<void> {
    await this.#call({ call: "restart", instance, startedAt }, signal);
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

  async shutdown(): Promise<void> {
    this.#isShut = true;
    // A stream that found the daemon gone would start another.
    this.#closed.abort();
    await this.#connection.shutdown();
  }

  async close(): Promise<void> {
    this.#closed.abort();
  }

  /** Also a call that was under way finds no daemon to start anything with: it would be there after everything was stopped. */
  async #call(request: Request, signal: AbortSignal | undefined): Promise<unknown> {
    return this.#connection.call(request, signal, { mayStart: () => !this.#isShut });
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
