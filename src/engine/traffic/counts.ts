import type { RevisionId } from "../../core/ids.ts";
import type { Counted } from "../../core/judge/comparison.ts";
import { type Counts, noCounts } from "../../core/judge/counts.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Edge, EdgeCounters, EdgeSample } from "../../ports/edge.ts";
import type { Log } from "../../ports/log.ts";

/** Wait before the stream of samples is opened again after the edge has closed it. */
const reopenMs = 250;

/** How far back the past of a revision goes that is called recent, and how closely it is remembered. */
const pastMs = 5 * 60_000;
const rememberMs = 5_000;

type Past = { readonly atMs: number; readonly revisions: EdgeSample["revisions"] };

/** The newest counters of the edge, kept up to date while the control plane runs. */
export class EdgeCounts {
  readonly #edge: Pick<Edge, "samples">;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #onReturn: () => void;
  readonly #onSample: (sample: EdgeSample) => void;
  readonly #stop = new AbortController();
  readonly #waiting = new Set<() => void>();
  /** Oldest first; the first one is the last that is at least as old as `pastMs`, as soon as there is one. */
  readonly #past: Past[] = [];
  #latest: EdgeSample | null = null;
  #heardMs = 0;
  #done: Promise<void> = Promise.resolve();

  /** `onReturn` is called when samples come again after they had ended: another edge may answer now, that knows less. */
  constructor(deps: {
    readonly edge: Pick<Edge, "samples">;
    readonly clock: Clock;
    readonly log: Log;
    readonly onReturn: () => void;
    readonly onSample?: (sample: EdgeSample) => void;
  }) {
    this.#edge = deps.edge;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#onReturn = deps.onReturn;
    this.#onSample = deps.onSample ?? (() => {});
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

  /** Counts of a revision five minutes ago; where nobody looked at that time, at the first look since. Zeros before any. */
  before(revision: RevisionId): Counts {
    return countsOf(this.#past[0]?.revisions[revision]);
  }

  /** The same, with the histogram of how long answers took. */
  counted(revision: RevisionId): Counted {
    return countedOf(this.#latest?.revisions[revision]);
  }

  countedBefore(revision: RevisionId): Counted {
    return countedOf(this.#past[0]?.revisions[revision]);
  }

  /**
   * Since the newest sample came; null before the first. By our own clock, which nobody sets: that of the edge may be another
   * machine's, and a sample of the future must not stay new for ever.
   */
  ageMs(): number | null {
    return this.#latest === null ? null : Math.round(this.#clock.monotonicMs() - this.#heardMs);
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

  #remember({ revisions }: EdgeSample): void {
    const atMs = this.#clock.monotonicMs();
    const newest = this.#past.at(-1);
    if (newest === undefined || atMs - newest.atMs >= rememberMs) this.#past.push({ atMs, revisions });
    while ((this.#past[1]?.atMs ?? Number.POSITIVE_INFINITY) <= atMs - pastMs) this.#past.shift();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    let wasLost = false;
    let isBack = false;
    while (!signal.aborted) {
      try {
        for await (const sample of this.#edge.samples(signal)) {
          // The same one told again is not newer for that.
          if (sample.at !== this.#latest?.at) this.#heardMs = this.#clock.monotonicMs();
          this.#latest = sample;
          this.#remember(sample);
          this.#onSample(sample);
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

function countedOf(counters: EdgeCounters | undefined): Counted {
  return { counts: countsOf(counters), latency: counters?.latency ?? [] };
}

function countsOf(counters: EdgeCounters | undefined): Counts {
  if (counters === undefined) return noCounts;
  const attempts = counters.connectErrors + counters.upstreamErrors;
  // A failed attempt counts although another instance saved the request: the user was lucky, the revision was not good.
  return { requests: counters.requests + attempts, errors: counters.byClass[4] + attempts };
}
