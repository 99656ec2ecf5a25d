import type { EpochMs } from "../../core/ids.ts";
import type { Clock } from "../../ports/clock.ts";

/** Something that happens at a moment to come, unless it is called off. */
export type Due = { readonly atMs: number; readonly order: number; readonly fire: () => void; off: boolean };

/** The wall clock when a world begins: 2026-01-05, a Monday, at midnight UTC. */
const epoch: EpochMs = Date.UTC(2026, 0, 5);

/**
 * The time of one world. Nothing waits: when all that is in motion has come to rest, the next moment for which something is due
 * is now. What is due at one moment happens in the order in which it was asked for, so a world has one course only.
 */
export class Timeline {
  #nowMs = 0;
  #wallMs: EpochMs = epoch;
  #order = 0;
  readonly #heap: Due[] = [];

  /** Since the world began; never goes back. */
  get nowMs(): number {
    return this.#nowMs;
  }

  get wallMs(): EpochMs {
    return this.#wallMs + this.#nowMs;
  }

  /** Sets the wall clock forward or back, as NTP or a person does. */
  jump(ms: number): void {
    this.#wallMs += ms;
  }

  at(atMs: number, fire: () => void): Due {
    const due: Due = { atMs: Math.max(atMs, this.#nowMs), order: this.#order++, fire, off: false };
    push(this.#heap, due);
    return due;
  }

  after(ms: number, fire: () => void): Due {
    return this.at(this.#nowMs + ms, fire);
  }

  wait(ms: number): Promise<void> {
    return new Promise((resolve) => void this.after(ms, resolve));
  }

  /** Lets time pass until `done`; false when it is not by then, or nothing is due any more. */
  async run(done: () => boolean, untilMs: number): Promise<boolean> {
    // Whoever calls may be no promise's doing (a message, a timer): what is queued for `rest` would then come before promises.
    await null;
    for (;;) {
      await rest();
      if (done()) return true;
      let next = this.#heap[0];
      while (next?.off === true) {
        pop(this.#heap);
        next = this.#heap[0];
      }
      if (next === undefined || next.atMs > untilMs) {
        this.#nowMs = Math.max(this.#nowMs, untilMs);
        return false;
      }
      this.#nowMs = next.atMs;
      while (next !== undefined && next.atMs <= this.#nowMs) {
        pop(this.#heap);
        if (!next.off) next.fire();
        next = this.#heap[0];
      }
    }
  }
}

/**
 * Node runs what is queued here when no promise has anything left to do: in a world, nothing else is asynchronous. A turn of the
 * event loop comes no sooner, and asks the kernel for events each time.
 */
function rest(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}

/** The clock of one process in the world; with that process its sleepers die. */
export function clockOf(timeline: Timeline, isAlive: () => boolean): Clock {
  return {
    now: () => Math.round(timeline.wallMs),
    monotonicMs: () => timeline.nowMs,
    // Its processes die, its machine does not: a host of the control plane that restarts is not simulated.
    boot: "world",
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted === true) return reject(signal.reason);
        const sleepers = signal === undefined ? null : sleepersOf(signal);
        const abort = (): void => {
          due.off = true;
          reject(signal?.reason);
        };
        const due = timeline.after(Math.max(0, ms), () => {
          sleepers?.delete(abort);
          if (isAlive()) resolve();
        });
        sleepers?.add(abort);
      }),
  };
}

/** Who sleeps until a signal is aborted: it is listened to once, however many do, because a listener costs more than a sleep. */
const asleep = new WeakMap<AbortSignal, Set<() => void>>();

/** Called when the signal is aborted, each once, unless it is taken out before. */
export function sleepersOf(signal: AbortSignal): Set<() => void> {
  const known = asleep.get(signal);
  if (known !== undefined) return known;
  const sleepers = new Set<() => void>();
  asleep.set(signal, sleepers);
  const wake = (): void => {
    for (const each of sleepers) each();
  };
  signal.addEventListener("abort", wake, { once: true });
  return sleepers;
}

function push(heap: Due[], due: Due): void {
  let at = heap.push(due) - 1;
  while (at > 0) {
    const above = (at - 1) >> 1;
    const parent = heap[above];
    if (parent === undefined || isBefore(parent, due)) break;
    heap[at] = parent;
    at = above;
  }
  heap[at] = due;
}

function pop(heap: Due[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let at = 0;
  for (;;) {
    let below = at * 2 + 1;
    const right = heap[below + 1];
    let child = heap[below];
    if (child === undefined) break;
    if (right !== undefined && isBefore(right, child)) {
      below += 1;
      child = right;
    }
    if (isBefore(last, child)) break;
    heap[at] = child;
    at = below;
  }
  heap[at] = last;
}

function isBefore(a: Due, b: Due): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
