import { reasonOf } from "../../core/errors/error.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Gauge, Outcome } from "../../ports/gauge.ts";

/** One thing that is read again and again. */
export type Task = {
  /** What it is known by; another one under the same key takes its place. */
  readonly key: string;
  readonly everyMs: number;
  readonly timeoutMs: number;
  readonly gauge: Gauge;
  /** Whether not getting there at all is a failure of what is read, or only says that it is unknown. */
  readonly whenLost: "fail" | "unknown";
};

export type Reading = Outcome & { readonly tookMs: number };

type Deps = {
  readonly clock: Pick<Clock, "monotonicMs" | "sleep">;
  readonly onReading: (key: string, reading: Reading) => void;
  /** 0 to 1, so that what begins together does not go on together. */
  readonly random: () => number;
};

/**
 * So many are under way at once. With more to do than that allows, readings come less often, none is read twice at a time, and
 * nothing piles up: 1,000 probes that all hang for five seconds in every thirty are 167 at a time.
 */
const maxAtOnce = 500;

/**
 * Reads every task at its own interval, on one timer. The intervals of each are kept from where it first began, at a random
 * place, whatever a reading took; one that takes longer than its interval leaves times out. None waits for another.
 */
export class Schedule {
  readonly #deps: Deps;
  readonly #tasks = new Map<string, { task: Task; dueMs: number; stop: AbortController | null }>();
  readonly #under = new Set<Promise<void>>();
  #wake: () => void = () => {};
  #closed = false;
  #done: Promise<void> = Promise.resolve();

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  open(): void {
    this.#done = this.#run();
  }

  /** Exactly these from now on. One whose key is known goes on at its times. */
  set(tasks: readonly Task[]): void {
    const now = this.#deps.clock.monotonicMs();
    const keys = new Set(tasks.map(({ key }) => key));
    for (const [key, { stop }] of this.#tasks) {
      if (keys.has(key)) continue;
      stop?.abort(new Error("it is not read any more"));
      this.#tasks.delete(key);
    }
    for (const task of tasks) {
      const known = this.#tasks.get(task.key);
      if (known !== undefined) known.task = task;
      else this.#tasks.set(task.key, { task, dueMs: now + this.#deps.random() * task.everyMs, stop: null });
    }
    this.#wake();
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const { stop } of this.#tasks.values()) stop?.abort(new Error("the control plane is closing"));
    this.#wake();
    await this.#done;
    await Promise.allSettled(this.#under);
  }

  async #run(): Promise<void> {
    const { clock } = this.#deps;
    while (!this.#closed) {
      const now = clock.monotonicMs();
      let nextMs = now + 1_000;
      for (const one of this.#tasks.values()) {
        if (one.dueMs <= now && one.stop === null && this.#under.size < maxAtOnce) this.#begin(one, now);
        if (one.stop === null) nextMs = Math.min(nextMs, Math.max(one.dueMs, now + 1));
      }
      const woken = new AbortController();
      this.#wake = () => woken.abort(new Error("there is something to do"));
      await clock.sleep(nextMs - now, woken.signal).catch(() => {});
    }
  }

  #begin(one: { task: Task; dueMs: number; stop: AbortController | null }, now: number): void {
    const { task } = one;
    // The next of its own times that is still to come.
    one.dueMs += Math.max(1, Math.ceil((now - one.dueMs + 1) / task.everyMs)) * task.everyMs;
    const stop = new AbortController();
    one.stop = stop;
    const reading = this.#read(task, stop, now).then((result) => {
      one.stop = null;
      if (!this.#closed && this.#tasks.get(task.key) === one && result !== null) this.#deps.onReading(task.key, result);
    });
    this.#under.add(reading);
    void reading.finally(() => this.#under.delete(reading));
  }

  async #read({ gauge, timeoutMs, whenLost }: Task, stop: AbortController, begunMs: number): Promise<Reading | null> {
    const timer = setTimeout(() => stop.abort(new TimedOut(timeoutMs)), timeoutMs);
    const tookMs = (): number => Math.max(0, this.#deps.clock.monotonicMs() - begunMs);
    try {
      // A gauge that does not heed its signal must not keep its place for ever.
      return { ...(await Promise.race([gauge.read(stop.signal), aborted(stop.signal)])), tookMs: tookMs() };
    } catch (error) {
      if (stop.signal.aborted && !(stop.signal.reason instanceof TimedOut)) return null;
      return { is: whenLost, saw: reasonOf(error), tookMs: tookMs() };
    } finally {
      clearTimeout(timer);
    }
  }
}

class TimedOut extends Error {
  constructor(timeoutMs: number) {
    super(`no answer within ${timeoutMs} ms`);
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}
