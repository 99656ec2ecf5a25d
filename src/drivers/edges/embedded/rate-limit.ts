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
  #window = -1;
  #now = new Map<string, number>();
  #last = new Map<string, number>();
  #untold = new Map<string, number>();

  constructor(requests: number, perMs: number) {
    this.requests = requests;
    this.perMs = perMs;
  }

  take(ip: string, nowMs: number): RateVerdict {
    this.#turnTo(Math.floor(nowMs / this.perMs));
    const client = ip.includes(":") ? clientNetwork(ip) : ip;
    const into = nowMs - this.#window * this.perMs;
    const resetS = Math.ceil((this.perMs - into) / 1000);
    const used = this.#now.get(client) ?? 0;
    const before = this.#last.size === 0 ? 0 : (this.#last.get(client) ?? 0) * (1 - into / this.perMs);
    const left = Math.floor(this.requests - used - before);
    if (left < 1) return { allowed: false, remaining: 0, resetS };
    this.#count(client, 1);
    if (used >= this.requests * tellFromShare) this.#untold.set(client, (this.#untold.get(client) ?? 0) + 1);
    return { allowed: true, remaining: left - 1, resetS };
  }

  /** What clients used here since the last call, for the other workers; null when there is nothing to tell. */
  tell(): [client: string, used: number][] | null {
    if (this.#untold.size === 0) return null;
    const told = [...this.#untold];
    this.#untold.clear();
    return told;
  }

  heard(told: readonly (readonly [client: string, used: number])[], nowMs: number): void {
    this.#turnTo(Math.floor(nowMs / this.perMs));
    for (const [client, used] of told) this.#count(client, used);
  }

  #turnTo(window: number): void {
    if (window === this.#window) return;
    this.#last = window === this.#window + 1 ? this.#now : new Map();
    this.#now = new Map();
    this.#window = window;
  }

  #count(client: string, used: number): void {
    const before = this.#now.get(client);
    if (before === undefined && this.#now.size >= maxClients) {
      const first = this.#now.keys().next();
      if (first.done !== true) this.#now.delete(first.value);
    }
    this.#now.set(client, (before ?? 0) + used);
  }
}
