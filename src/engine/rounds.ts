import { setMaxListeners } from "node:events";
import type { Clock } from "../ports/clock.ts";

/** A look that is taken again and again, a pause between two (none, where the look waits by itself), from `open` until `close`, which waits for the last one. */
export class Rounds {
  readonly #clock: Clock;
  readonly #pauseMs: number;
  /** Must not reject. */
  readonly #look: () => Promise<unknown>;
  readonly #stop = new AbortController();
  #done: Promise<void> = Promise.resolve();

  constructor(clock: Clock, pauseMs: number, look: () => Promise<unknown>) {
    this.#clock = clock;
    this.#pauseMs = pauseMs;
    this.#look = look;
    // What a round begins may go on beside the next ones, as many times as there are instances.
    setMaxListeners(0, this.#stop.signal);
  }

  /** Aborted when it closes. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  open(): void {
    this.#done = this.#run();
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error("the control plane is closing"));
    await this.#done;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await this.#look();
      if (this.#pauseMs > 0) await this.#clock.sleep(this.#pauseMs, signal).catch(() => {});
    }
  }
}
