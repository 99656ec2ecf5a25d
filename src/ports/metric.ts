import type { Selector } from "../core/metric/labels.ts";
import type { Measured } from "../core/metric/measured.ts";
import type { Query } from "../core/metric/memory.ts";

/** What rules are judged by. */
export interface Meter {
  /** What a window that ends now says; at most two hours. Costs microseconds. */
  measure(query: Query): Measured;
  /** The same over the window, step by step, oldest first; null where nothing is known. For plots. */
  points(query: Query, stepMs: number): readonly (number | null)[];
  /** Windows of up to 30 days, from what is kept in the store; the grain is a minute, and an hour for what is older than two days. */
  measureLong(query: Query): Promise<Measured>;
  /** The points of such a window. */
  pointsLong(query: Query, stepMs: number): Promise<readonly (number | null)[]>;
  /** Resolves when a sample came in that matches, or after `ms`; rejects when the signal is aborted. */
  news(selector: Selector, ms: number, signal: AbortSignal): Promise<void>;
}
