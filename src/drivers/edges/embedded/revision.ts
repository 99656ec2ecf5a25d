import type { RevisionId } from "../../../core/ids.ts";
import { Counters } from "./counters.ts";

/** Something that stays open for long: a WebSocket, a stream of server-sent events. */
export type LongLived = { cut(): void };

/** One revision as one worker sees it: its counts, what it has open, and who waits for it to fall silent. */
export class Revision {
  readonly id: RevisionId;
  readonly counts = new Counters();
  readonly streams = new Set<LongLived>();
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
    if (this.counts.inflight > 0 || this.#waiting.length === 0) return;
    for (const wake of [...this.#waiting]) wake();
  }

  /** Resolves with the requests still in flight: 0 as soon as there are none, else what is left after `timeoutMs`. */
  idle(timeoutMs: number): Promise<number> {
    if (this.counts.inflight === 0) return Promise.resolve(0);
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting = this.#waiting.filter((other) => other !== done);
        resolve(this.counts.inflight);
      };
      const timer = setTimeout(done, timeoutMs);
      this.#waiting.push(done);
    });
  }

  /** Closes what is long-lived, `afterMs` from now. A later call replaces an earlier one. */
  cutStreams(afterMs: number): void {
    if (this.#cut !== null) clearTimeout(this.#cut);
    this.#cut = setTimeout(() => {
      for (const stream of this.streams) stream.cut();
    }, afterMs);
  }
}
