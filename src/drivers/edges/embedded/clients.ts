import { Client } from "undici";
import type { EdgeConfig } from "../../../ports/edge.ts";

/** Idle connections are kept shorter than the 5 s after which Node, a common service, closes its own. */
const keepIdleMs = 4000;
/** Silence in the middle of an answer after which the service counts as gone. Event streams send more often. */
const answerSilenceMs = 3_600_000;
const maxClients = 4096;

/**
 * The connections to one instance. Instead of undici's Pool, which looks through all its connections for a free one (with
 * 500 in use that shows in the slowest requests) and does not tell how long that one was idle.
 */
export class Clients {
  private readonly origin: string;
  private readonly limits: EdgeConfig["limits"];
  /** The one used last is on top, so that a few stay warm and the others may close. */
  private readonly idle: Lease[] = [];
  private leased = 0;
  private closed = false;

  constructor(origin: string, limits: EdgeConfig["limits"]) {
    this.origin = origin;
    this.limits = limits;
  }

  /** A connection for one request, new when none was used in the last `idleMs`; null when there are too many already. */
  take(nowMs: number, options: { readonly idleMs: number }): Lease | null {
    let lease = this.idle[this.idle.length - 1];
    if (lease !== undefined && nowMs - lease.idleSinceMs < options.idleMs) this.idle.pop();
    else if (this.leased + this.idle.length < maxClients) lease = this.open();
    else return null;
    this.leased += 1;
    return lease;
  }

  /** Ends idle connections at once, and the others when their request has ended. */
  close(): void {
    this.closed = true;
    for (const { client } of this.idle.splice(0)) void client.close();
  }

  /** For leases only. */
  giveBack(lease: Lease): void {
    this.leased -= 1;
    if (this.closed) void lease.client.close();
    else this.idle.push(lease);
  }

  /** For leases only. */
  drop(lease: Lease): void {
    this.leased -= 1;
    void lease.client.close();
  }

  private open(): Lease {
    const client = new Client(this.origin, {
      pipelining: 1,
      keepAliveTimeout: keepIdleMs,
      keepAliveMaxTimeout: keepIdleMs,
      headersTimeout: this.limits.upstreamTimeoutMs,
      bodyTimeout: answerSilenceMs,
      connect: { timeout: this.limits.connectTimeoutMs },
    });
    const lease = new Lease(this, client);
    // What is closed while nobody uses it is forgotten; while somebody does, its request hears of it.
    client.on("disconnect", () => {
      const index = this.idle.indexOf(lease);
      if (index === -1) return;
      this.idle.splice(index, 1);
      void client.close();
    });
    return lease;
  }
}

/** A connection for one request at a time; undici opens it when it is needed, and again after it was closed. */
export class Lease {
  readonly client: Client;
  idleSinceMs = 0;
  private readonly owner: Clients;

  constructor(owner: Clients, client: Client) {
    this.owner = owner;
    this.client = client;
  }

  /** The request has ended; the next may use it. */
  done(nowMs: number): void {
    this.idleSinceMs = nowMs;
    this.owner.giveBack(this);
  }

  /** The request was broken off; what the connection still holds is nobody's. */
  drop(): void {
    this.owner.drop(this);
  }
}
