import type { RevisionId } from "../../../core/ids.ts";
import { Counters } from "./counters.ts";

/** Something that stays open for long: a WebSocket, a stream of server-sent events. */
export type LongLived = { cut(): void };

/** An instance with requests in flight that the table no longer names. */
type Leaving = { readonly inflight: number };

/** One revision as one worker sees it: its counts, what it has open, and who waits for it to fall silent. */
export class Revision {
  readonly id: RevisionId;
  readonly counts = new Counters();
  readonly streams = new Set<LongLived>();
  readonly #leaving = new Set<Leaving>();
  #hasShare = false;
  #waiting: (() => void)[] = [];
  #cut: NodeJS.Timeout | null = null;

  constructor(id: RevisionId) {
    this.id = id;
  }

  enter(): void {
    this.counts.inflight += 1;
  }

  leave(): void {
    this.counts.inflight -= 1;
    if (this.#waiting.length === 0 || this.#draining() > 0) return;
    for (const wake of [...this.#waiting]) wake();
  }

  /** Told with every table: whether new requests come, and which instances have just been left out. */
  routed(hasShare: boolean, left: readonly Leaving[]): void {
    this.#hasShare = hasShare;
    for (const instance of this.#leaving) if (instance.inflight === 0) this.#leaving.delete(instance);
    for (const instance of left) this.#leaving.add(instance);
    // It has users again: what was to be closed with the drain stays open.
    if (hasShare && this.#cut !== null) clearTimeout(this.#cut);
  }

  /** Resolves with the requests that still drain: 0 as soon as there are none, else what is left after `timeoutMs`. */
  idle(timeoutMs: number): Promise<number> {
    if (this.#draining() === 0) return Promise.resolve(0);
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting = this.#waiting.filter((other) => other !== done);
        resolve(this.#draining());
      };
      const timer = setTimeout(done, timeoutMs);
      this.#waiting.push(done);
    });
  }

  /** Closes what is long-lived, `afterMs` from now, unless it has a share. A later call replaces an earlier one. */
  cutStreams(afterMs: number): void {
    if (this.#cut !== null) clearTimeout(this.#cut);
    if (this.#hasShare) return;
    this.#cut = setTimeout(() => {
      for (const stream of this.streams) stream.cut();
    }, afterMs);
  }

  /** With a share only what is in flight at instances that were left out can come to an end; without one, everything. */
  #draining(): number {
    if (!this.#hasShare) return this.counts.inflight;
    let inflight = 0;
    for (const instance of this.#leaving) inflight += instance.inflight;
    return inflight;
  }
}
