import type { EdgeConfig } from "../../../ports/edge.ts";
import { Clients, type Lease } from "./clients.ts";
import type { Revision } from "./revision.ts";

/** An instance that refused a connection is left alone for so long, doubling up to the most, unless nothing else is left. */
const firstPauseMs = 100;
const longestPauseMs = 1000;

/** One instance of a revision: its connections, and whether it could be reached lately. */
export class Upstream {
  readonly key: string;
  readonly instance: string;
  readonly revision: Revision;
  inflight = 0;
  private downUntilMs = 0;
  private pauseMs = 0;
  private readonly origin: string;
  private limits: EdgeConfig["limits"];
  private clients: Clients;

  constructor(
    where: { key: string; instance: string; address: string },
    revision: Revision,
    limits: EdgeConfig["limits"],
  ) {
    this.key = where.key;
    this.instance = where.instance;
    this.revision = revision;
    this.origin = `http://${where.address}`;
    this.limits = limits;
    this.clients = new Clients(this.origin, limits);
  }

  /** False while it is left alone after a failed connection. */
  usable(nowMs: number): boolean {
    return this.downUntilMs <= nowMs;
  }

  reached(): void {
    this.downUntilMs = 0;
    this.pauseMs = 0;
  }

  notReached(nowMs: number): void {
    this.pauseMs = Math.min(longestPauseMs, this.pauseMs === 0 ? firstPauseMs : this.pauseMs * 2);
    this.downUntilMs = nowMs + this.pauseMs;
  }

  /** See `Clients.take`. */
  take(nowMs: number, options: { readonly idleMs: number }): Lease | null {
    return this.clients.take(nowMs, options);
  }

  /** Takes effect for new connections; requests in flight end as they began. */
  limit(limits: EdgeConfig["limits"]): void {
    const { upstreamTimeoutMs, connectTimeoutMs } = this.limits;
    if (limits.upstreamTimeoutMs === upstreamTimeoutMs && limits.connectTimeoutMs === connectTimeoutMs) return;
    this.limits = limits;
    this.clients.close();
    this.clients = new Clients(this.origin, limits);
  }

  close(): void {
    this.clients.close();
  }
}
