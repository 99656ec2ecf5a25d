import type { EpochMs } from "../../core/ids.ts";
import { type Labels, matches, type Selector } from "../../core/metric/labels.ts";
import { type Measured, unknown } from "../../core/metric/measured.ts";
import { MetricMemory, type Query } from "../../core/metric/memory.ts";
import type { Sample } from "../../core/metric/sample.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Meter } from "../../ports/metric.ts";
import type { DeclaredSource } from "./declared-source.ts";
import type { Past } from "./past.ts";
import { SteadyTime } from "./time.ts";

/** A sample as its source knows it: when it came is for the keeper to say. */
export type Taken = Omit<Sample, "at"> & { readonly at?: EpochMs };

type Waiting = { readonly selector: Selector; readonly wake: () => void };

/** Silent for so long, a series is let go of: nothing that can be asked of it is known any more. */
const silentMs = 2 * 3_600_000 + 60_000;
/** A window of memory. */
const longestMs = 2 * 3_600_000;
const sweepMs = 60_000;

/** Everything that is measured, at full rate, for two hours. Sources record; whoever judges asks. */
export class Metrics implements Meter {
  readonly time: SteadyTime;
  readonly memory: MetricMemory;
  /** What is kept in the store, where somebody keeps it. */
  past: Past | null = null;
  /** What the configs in force declare, where somebody reads them. */
  declared: DeclaredSource | null = null;
  readonly #clock: Clock;
  readonly #waiting = new Set<Waiting>();
  readonly #listeners = new Set<(samples: readonly Sample[]) => void>();
  readonly #begunAt: EpochMs;
  #sweptAt: EpochMs;

  constructor({ clock, maxSeries }: { readonly clock: Clock; readonly maxSeries?: number }) {
    this.#clock = clock;
    this.time = new SteadyTime(clock);
    this.memory = new MetricMemory(maxSeries === undefined ? {} : { maxSeries });
    this.#begunAt = this.time.now();
    this.#sweptAt = this.#begunAt;
  }

  /** Keeps what is sound of it, at the time at which it came. */
  record(taken: readonly Taken[]): void {
    const now = this.time.now();
    const kept = taken
      .map((sample): Sample => ({ ...sample, at: sample.at ?? now }))
      .filter((sample) => this.memory.record(sample));
    if (now - this.#sweptAt > sweepMs) {
      this.#sweptAt = now;
      this.memory.forgetSilentSince(now - silentMs);
    }
    if (kept.length === 0) return;
    for (const listen of this.#listeners) listen(kept);
    for (const waiting of [...this.#waiting])
      if (kept.some(({ labels }) => matches(labels, waiting.selector))) waiting.wake();
  }

  /** Tells of everything that is kept, until what it returns is called. */
  listen(listener: (samples: readonly Sample[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  measure(query: Query): Measured {
    return this.#explained(query, this.memory.measure(query, this.time.now()));
  }

  /** Without a past there are the last two hours at most, and the rest is not covered. */
  async measureLong(query: Query): Promise<Measured> {
    if (this.past === null || this.#remembers(query)) return this.measure(query);
    return this.#explained(query, await this.past.measure(query));
  }

  points(query: Query, stepMs: number): readonly (number | null)[] {
    return this.memory.points(query, stepMs, this.time.now());
  }

  async pointsLong(query: Query, stepMs: number): Promise<readonly (number | null)[]> {
    return this.past === null || this.#remembers(query) ? this.points(query, stepMs) : this.past.points(query, stepMs);
  }

  /** Why what is declared could not be read, in the words of its last reading; null where it could, or is not declared. */
  unread(query: Pick<Query, "metric" | "labels">): string | null {
    return this.declared?.unread(query) ?? null;
  }

  /** Why nothing is known is said by who has tried, where somebody has. */
  #explained(query: Query, measured: Measured): Measured {
    if (measured.is === "known") return measured;
    const why = this.unread(query);
    return why === null ? measured : unknown(`${query.metric.name} could not be measured: ${why}`);
  }

  /** Whether memory reaches back as far: it begins with this process. */
  #remembers({ windowMs }: Query): boolean {
    return windowMs <= Math.min(longestMs, this.time.now() - this.#begunAt);
  }

  labels(series: string, selector: Selector): readonly Labels[] {
    return this.memory.labels({ series }, selector);
  }

  async news(selector: Selector, ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const timer = new AbortController();
    await new Promise<void>((resolve) => {
      const waiting: Waiting = {
        selector,
        wake: () => {
          this.#waiting.delete(waiting);
          resolve();
        },
      };
      this.#waiting.add(waiting);
      void this.#clock.sleep(ms, timer.signal).then(waiting.wake, () => {});
      signal.addEventListener("abort", waiting.wake, { once: true, signal: timer.signal });
    });
    timer.abort();
    signal.throwIfAborted();
  }
}
