import type { EpochMs, RevisionId } from "../../core/ids.ts";
import { type Counts, noCounts } from "../../core/judge/counts.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Edge, EdgeCounters, EdgeSample } from "../../ports/edge.ts";
import type { Log } from "../../ports/log.ts";

/** Wait before the stream of samples is opened again after the edge has closed it. */
const reopenMs = 250;

/** The newest counters of the edge, kept up to date while the control plane runs. */
export class EdgeCounts {
  readonly #edge: Edge;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #onReturn: () => void;
  readonly #stop = new AbortController();
  readonly #waiting = new Set<() => void>();
  #latest: EdgeSample | null = null;
  #done: Promise<void> = Promise.resolve();

  /** `onReturn` is called when samples come again after they had ended: another edge may answer now, that knows less. */
  constructor(deps: { readonly edge: Edge; readonly clock: Clock; readonly log: Log; readonly onReturn: () => void }) {
    this.#edge = deps.edge;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#onReturn = deps.onReturn;
  }

  open(): void {
    this.#done = this.#run();
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error("the control plane is closing"));
    await this.#done;
  }

  get latest(): EdgeSample | null {
    return this.#latest;
  }

  /** Counts of a revision since the edge first saw it; zeros when it never did. */
  of(revision: RevisionId): Counts {
    return countsOf(this.#latest?.revisions[revision]);
  }

  /** The age of the newest sample; null before the first. */
  ageMs(now: EpochMs): number | null {
    return this.#latest === null ? null : Math.max(0, now - this.#latest.at);
  }

  /** Resolves with the next sample that arrives. */
  async next(signal: AbortSignal): Promise<EdgeSample> {
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const wake = (): void => {
        signal.removeEventListener("abort", abort);
        resolve();
      };
      const abort = (): void => {
        this.#waiting.delete(wake);
        reject(signal.reason);
      };
      this.#waiting.add(wake);
      signal.addEventListener("abort", abort, { once: true });
    });
    if (this.#latest === null) throw new Error("woken without a sample");
    return this.#latest;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    let wasLost = false;
    let isBack = false;
    while (!signal.aborted) {
      try {
        for await (const sample of this.#edge.samples(signal)) {
          this.#latest = sample;
          if (isBack) this.#onReturn();
          wasLost = false;
          isBack = false;
          const waiting = [...this.#waiting];
          this.#waiting.clear();
          for (const wake of waiting) wake();
        }
      } catch (error) {
        if (!signal.aborted && !wasLost) this.#log.warn("edge.samples-lost", { reason: String(error) });
        wasLost = true;
      }
      isBack = true;
      await this.#clock.sleep(reopenMs, signal).catch(() => {});
    }
  }
}

function countsOf(counters: EdgeCounters | undefined): Counts {
  if (counters === undefined) return noCounts;
  const attempts = counters.connectErrors + counters.upstreamErrors;
  // A failed attempt counts although another instance saved the request: the user was lucky, the revision was not good.
  return { requests: counters.requests + attempts, errors: counters.byClass[4] + attempts };
}
