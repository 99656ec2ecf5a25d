import type { CompiledTable } from "./compiled.ts";

/** A request that waits until what it asks for is awake. */
export type Sleeper = {
  /** Goes on, by the newest table. */
  go(): undefined;
  refuse(why: "wakingTooLong" | "holdFull"): void;
};

/** How long a request waits at most, and how many at one worker for one service. */
const waitsMs = 120_000;
const mostWaiting = 500;

/** Requests of services that sleep, waiting in one worker. Who waits for what is told with the counts: that is what wakes it. */
export class Sleepers {
  readonly #waiting = new Map<string, Map<Sleeper, NodeJS.Timeout>>();

  /** The services that somebody waits for. */
  get asked(): readonly string[] {
    return [...this.#waiting.keys()].sort();
  }

  wait(service: string, sleeper: Sleeper): undefined {
    const all = this.#waiting.get(service) ?? new Map<Sleeper, NodeJS.Timeout>();
    if (all.size >= mostWaiting) return void sleeper.refuse("holdFull");
    const timer = setTimeout(() => {
      this.leave(service, sleeper);
      sleeper.refuse("wakingTooLong");
    }, waitsMs);
    all.set(sleeper, timer);
    this.#waiting.set(service, all);
  }

  /** The client has left, or need not wait any more. */
  leave(service: string, sleeper: Sleeper): undefined {
    const all = this.#waiting.get(service);
    clearTimeout(all?.get(sleeper));
    all?.delete(sleeper);
    if (all?.size === 0) this.#waiting.delete(service);
  }

  /** Another table is in force: who waits for what sleeps no more goes on. */
  wake(table: CompiledTable): void {
    for (const [service, all] of [...this.#waiting]) {
      if (table.services.get(service)?.mode === "asleep") continue;
      for (const sleeper of [...all.keys()]) {
        this.leave(service, sleeper);
        sleeper.go();
      }
    }
  }
}
