import type { EpochMs } from "../../core/ids.ts";
import type { Clock } from "../../ports/clock.ts";

type Sleeper = { readonly dueMs: number; wake(): void };

/** A clock that a test moves: `advance` lets time pass, `jump` sets the wall clock without any time passing. */
export class ManualClock implements Clock {
  readonly boot = "manual";
  #now: EpochMs;
  #passedMs = 0;
  readonly #sleepers = new Set<Sleeper>();
  readonly #watchers = new Set<() => void>();

  constructor(now: EpochMs) {
    this.#now = now;
  }

  now(): EpochMs {
    return this.#now;
  }

  monotonicMs(): number {
    return this.#passedMs;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const over = (): void => {
        this.#sleepers.delete(sleeper);
        signal?.removeEventListener("abort", abort);
      };
      const abort = (): void => {
        over();
        reject(signal?.reason);
      };
      const wake = (): void => {
        over();
        resolve();
      };
      const sleeper: Sleeper = { dueMs: this.#passedMs + ms, wake };
      signal?.addEventListener("abort", abort, { once: true });
      this.#sleepers.add(sleeper);
      for (const look of this.#watchers) look();
    });
  }

  advance(ms: number): void {
    this.#passedMs += ms;
    this.#now += ms;
    for (const sleeper of [...this.#sleepers]) if (sleeper.dueMs <= this.#passedMs) sleeper.wake();
  }

  jump(ms: number): void {
    this.#now += ms;
  }

  /** Resolves when so many sleep at once. */
  async sleepers(count: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (this.#sleepers.size < count) return;
        this.#watchers.delete(look);
        resolve();
      };
      this.#watchers.add(look);
      look();
    });
  }
}
