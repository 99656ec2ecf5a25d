import type { Hold } from "./messages.ts";

/** How many requests wait in each hold, over all workers: the limit is for all of them together. */
export class HoldCounts {
  #ids = 0;
  readonly #holds = new Map<string, { hold: Hold; most: number; waiting: Map<number, number> }>();

  start(service: string, untilMs: number, most: number): Hold {
    this.#ids += 1;
    const hold = { id: this.#ids, service, untilMs };
    this.#holds.set(service, { hold, most, waiting: new Map() });
    return hold;
  }

  end(service: string): void {
    this.#holds.delete(service);
  }

  /** Notes that so many more (or fewer) wait at a worker; returns how many of the newest may not. */
  count(id: number, worker: number, change: number): number {
    const held = [...this.#holds.values()].find(({ hold }) => hold.id === id);
    if (held === undefined) return 0;
    held.waiting.set(worker, (held.waiting.get(worker) ?? 0) + change);
    const total = [...held.waiting.values()].reduce((sum, count) => sum + count, 0);
    const refused = change > 0 ? Math.min(change, Math.max(0, total - held.most)) : 0;
    held.waiting.set(worker, (held.waiting.get(worker) ?? 0) - refused);
    return refused;
  }

  forget(worker: number): void {
    for (const { waiting } of this.#holds.values()) waiting.delete(worker);
  }

  /** For a worker that starts now. */
  current(nowMs: number): Hold[] {
    for (const [service, { hold }] of this.#holds) if (hold.untilMs <= nowMs) this.#holds.delete(service);
    return [...this.#holds.values()].map(({ hold }) => hold);
  }
}
