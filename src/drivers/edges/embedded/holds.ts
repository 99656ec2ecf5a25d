import type { Hold } from "./messages.ts";

/** A request that waits. */
export type Waiter = {
  /** Goes on, by the newest table. */
  go(): undefined;
  refuse(why: "heldTooLong" | "holdFull"): void;
};

/**
 * Requests of services that are being switched over, waiting in one worker. How many may wait is for all workers
 * together, so the primary counts: each waiting request is announced, and the newest are refused when it says so.
 */
export class Holds {
  readonly #announce: (hold: number, change: number) => void;
  readonly #held = new Map<string, { hold: Hold; waiters: Set<Waiter>; timer: NodeJS.Timeout }>();

  constructor(announce: (hold: number, change: number) => void) {
    this.#announce = announce;
  }

  get none(): boolean {
    return this.#held.size === 0;
  }

  has(service: string): boolean {
    return this.#held.has(service);
  }

  /** New requests of the service wait; those of an earlier hold go on waiting in this one. It ends by itself. */
  start(hold: Hold, nowMs: number): void {
    const before = this.#held.get(hold.service);
    if (before !== undefined) clearTimeout(before.timer);
    const waiters = before?.waiters ?? new Set<Waiter>();
    const timer = setTimeout(() => this.#expire(hold), Math.max(0, hold.untilMs - nowMs));
    this.#held.set(hold.service, { hold, waiters, timer });
    if (waiters.size > 0) this.#announce(hold.id, waiters.size);
  }

  release(service: string): void {
    const held = this.#take(service);
    if (held !== undefined) for (const waiter of held.waiters) waiter.go();
  }

  wait(service: string, waiter: Waiter): undefined {
    const held = this.#held.get(service);
    if (held === undefined) return waiter.go();
    held.waiters.add(waiter);
    this.#announce(held.hold.id, 1);
  }

  /** The client has left. */
  leave(service: string, waiter: Waiter): undefined {
    const held = this.#held.get(service);
    if (held?.waiters.delete(waiter) === true) this.#announce(held.hold.id, -1);
  }

  /** The primary has counted: the newest `count` may not wait. */
  refuseNewest(hold: number, count: number): void {
    for (const held of this.#held.values()) {
      if (held.hold.id !== hold) continue;
      for (const waiter of [...held.waiters].slice(Math.max(0, held.waiters.size - count))) {
        held.waiters.delete(waiter);
        waiter.refuse("holdFull");
      }
    }
  }

  #expire(hold: Hold): void {
    const held = this.#take(hold.service);
    if (held !== undefined) for (const waiter of held.waiters) waiter.refuse("heldTooLong");
  }

  #take(service: string): { waiters: Set<Waiter> } | undefined {
    const held = this.#held.get(service);
    if (held !== undefined) clearTimeout(held.timer);
    this.#held.delete(service);
    return held;
  }
}
