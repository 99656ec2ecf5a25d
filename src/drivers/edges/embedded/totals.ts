import type { RevisionId } from "../../../core/ids.ts";
import type { EdgeCounters, EdgeSample } from "../../../ports/edge.ts";
import { addCounters, closedCounters } from "./counters.ts";
import type { WorkerCounts } from "./messages.ts";

/** The counts of all workers, those that have ended included, as one. */
export class Totals {
  readonly #workers = new Map<number, WorkerCounts>();
  #ended: Record<string, EdgeCounters> = {};
  #endedUnrouted = 0;
  #endedLogBytes = 0;
  readonly toldConnections = new Map<number, number>();

  heard(worker: number, counts: WorkerCounts): void {
    this.#workers.set(worker, counts);
  }

  ended(worker: number): void {
    const last = this.#workers.get(worker);
    this.#workers.delete(worker);
    this.toldConnections.delete(worker);
    if (last === undefined) return;
    for (const [id, counters] of Object.entries(last.revisions)) {
      const before = this.#ended[id];
      const closed = closedCounters(counters);
      this.#ended[id] = before === undefined ? closed : addCounters(before, closed);
    }
    this.#endedUnrouted += last.unrouted;
    this.#endedLogBytes += last.logBytes;
  }

  sample(at: number, generation: number): EdgeSample {
    const revisions: Record<RevisionId, EdgeCounters> = { ...this.#ended };
    let unrouted = this.#endedUnrouted;
    for (const counts of this.#workers.values()) {
      unrouted += counts.unrouted;
      for (const [id, counters] of Object.entries(counts.revisions) as [RevisionId, EdgeCounters][]) {
        const before = revisions[id];
        revisions[id] = before === undefined ? counters : addCounters(before, counters);
      }
    }
    const asked = [...new Set([...this.#workers.values()].flatMap((counts) => counts.asked))].sort();
    return { at, generation, revisions, unrouted, ...(asked.length === 0 ? {} : { asked }) };
  }

  /** Bytes written to the access log by all workers since the start. */
  get logBytes(): number {
    return [...this.#workers.values()].reduce((sum, counts) => sum + counts.logBytes, this.#endedLogBytes);
  }

  connectionsBut(worker: number): number {
    let sum = 0;
    for (const [id, counts] of this.#workers) if (id !== worker) sum += counts.connections;
    return sum;
  }

  /** Forgets ended workers' counts of revisions that are in no table and no worker any more, but for the newest so many. */
  forget(keep: ReadonlySet<string>): void {
    const past = Object.keys(this.#ended).filter((id) => !keep.has(id));
    for (const id of past.slice(0, Math.max(0, past.length - rememberedRevisions))) delete this.#ended[id];
  }
}

const rememberedRevisions = 200;
