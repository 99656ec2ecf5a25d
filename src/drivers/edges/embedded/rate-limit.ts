import { clientNetwork } from "../../../lib/ip.ts";

/** Clients remembered in one window; beyond it the one seen first is forgotten, so memory is bounded and new clients get in. */
const maxClients = 50_000;
/** Told to the other workers when a client has used this part of its limit: the rest of the clients cost no message. */
const tellFromShare = 1 / 8;

export type RateVerdict = {
  readonly allowed: boolean;
  readonly remaining: number;
  /** Seconds until the window ends and the count begins to fall, rounded up. */
  readonly resetS: number;
};

/**
 * Requests per client in a sliding window: what was used in this window, plus the part of the last window that the sliding
 * one still covers. A refused request is not counted, so a client that goes on asking is let in again in time. One
 * worker's own count is exact; what the others counted arrives with `heard`, a tenth of a second late.
 */
export class RateLimiter {
  readonly requests: number;
  readonly perMs: number;
  private readonly tellFrom: number;
  private window = -1;
  private endsMs = 0;
  private now = new Map<string, Use>();
  private last = new Map<string, Use>();
  private readonly untold = new Map<string, Use>();

  constructor(requests: number, perMs: number) {
    this.requests = requests;
    this.perMs = perMs;
    this.tellFrom = requests * tellFromShare;
  }

  take(ip: string, nowMs: number): RateVerdict {
    this.turn(nowMs);
    const client = ip.includes(":") ? clientNetwork(ip) : ip;
    const use = this.now.get(client) ?? this.add(client);
    const leftMs = this.endsMs - nowMs;
    const resetS = Math.ceil(leftMs / 1000);
    const before = this.last.size === 0 ? 0 : (this.last.get(client)?.count ?? 0) * (leftMs / this.perMs);
    const left = Math.floor(this.requests - use.count - before);
    if (left < 1) return { allowed: false, remaining: 0, resetS };
    use.count += 1;
    if (use.count > this.tellFrom) {
      use.untold += 1;
      if (use.untold === 1) this.untold.set(client, use);
    }
    return { allowed: true, remaining: left - 1, resetS };
  }

  /** What clients used here since the last call, for the other workers; null when there is nothing to tell. */
  tell(): [client: string, used: number][] | null {
    if (this.untold.size === 0) return null;
    const told: [string, number][] = [];
    for (const [client, use] of this.untold) {
      told.push([client, use.untold]);
      use.untold = 0;
    }
    this.untold.clear();
    return told;
  }

  heard(told: readonly (readonly [client: string, used: number])[], nowMs: number): void {
    this.turn(nowMs);
    for (const [client, used] of told) (this.now.get(client) ?? this.add(client)).count += used;
  }

  private turn(nowMs: number): void {
    const window = Math.floor(nowMs / this.perMs);
    if (window === this.window) return;
    this.last = window === this.window + 1 ? this.now : new Map();
    this.now = new Map();
    this.window = window;
    this.endsMs = (window + 1) * this.perMs;
  }

  private add(client: string): Use {
    if (this.now.size >= maxClients) {
      const first = this.now.keys().next();
      if (first.done !== true) this.now.delete(first.value);
    }
    const use = { count: 0, untold: 0 };
    this.now.set(client, use);
    return use;
  }
}

type Use = { count: number; untold: number };
