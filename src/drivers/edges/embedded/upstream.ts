import { type Dispatcher, Pool } from "undici";
import type { EdgeConfig } from "../../../ports/edge.ts";
import type { Revision } from "./revision.ts";

/** An instance that refused a connection is left alone for so long, doubling up to the most, unless nothing else is left. */
const firstPauseMs = 100;
const longestPauseMs = 1000;
/** Idle connections kept shorter than the 5 s after which Node, a common service, closes its own. */
const idleMs = 4000;
/**
 * A request that must not be sent twice only goes over a connection that was idle for less than this: when the service
 * closes a connection just as the request is written, nobody can know whether it was read.
 */
const idleUnsafeMs = 500;
/** Silence in the middle of an answer after which the service counts as gone. Event streams send more often. */
const answerSilenceMs = 3_600_000;
const maxConnections = 4096;

/** One instance of a revision: its connections, and whether it could be reached lately. */
export class Upstream {
  readonly key: string;
  readonly instance: string;
  readonly revision: Revision;
  inflight = 0;
  #downUntilMs = 0;
  #pauseMs = 0;
  readonly #origin: string;
  #limits: EdgeConfig["limits"];
  #safe: Pool;
  #unsafe: Pool | null = null;

  constructor(
    where: { key: string; instance: string; address: string },
    revision: Revision,
    limits: EdgeConfig["limits"],
  ) {
    this.key = where.key;
    this.instance = where.instance;
    this.revision = revision;
    this.#origin = `http://${where.address}`;
    this.#limits = limits;
    this.#safe = this.#pool(idleMs);
  }

  /** False while it is left alone after a failed connection. */
  usable(nowMs: number): boolean {
    return this.#downUntilMs <= nowMs;
  }

  reached(): void {
    this.#downUntilMs = 0;
    this.#pauseMs = 0;
  }

  notReached(nowMs: number): void {
    this.#pauseMs = Math.min(longestPauseMs, this.#pauseMs === 0 ? firstPauseMs : this.#pauseMs * 2);
    this.#downUntilMs = nowMs + this.#pauseMs;
  }

  send(request: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler, repeatable: boolean): void {
    if (repeatable) this.#safe.dispatch(request, handler);
    else {
      this.#unsafe ??= this.#pool(idleUnsafeMs);
      this.#unsafe.dispatch(request, handler);
    }
  }

  /** Takes effect for new connections; requests in flight end as they began. */
  limit(limits: EdgeConfig["limits"]): void {
    const { upstreamTimeoutMs, connectTimeoutMs } = this.#limits;
    if (limits.upstreamTimeoutMs === upstreamTimeoutMs && limits.connectTimeoutMs === connectTimeoutMs) return;
    this.#limits = limits;
    this.close();
    this.#safe = this.#pool(idleMs);
    this.#unsafe = null;
  }

  /** Ends idle connections at once, and the others when their request has ended. */
  close(): void {
    for (const pool of [this.#safe, this.#unsafe]) void pool?.close();
  }

  #pool(keepAliveMs: number): Pool {
    return new Pool(this.#origin, {
      connections: maxConnections,
      pipelining: 1,
      keepAliveTimeout: keepAliveMs,
      keepAliveMaxTimeout: keepAliveMs,
      headersTimeout: this.#limits.upstreamTimeoutMs,
      bodyTimeout: answerSilenceMs,
      connect: { timeout: this.#limits.connectTimeoutMs },
    });
  }
}
