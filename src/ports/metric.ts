import type { Selector } from "../core/metric/labels.ts";
import type { Measured } from "../core/metric/measured.ts";
import type { Query } from "../core/metric/memory.ts";

/** One look at something that is declared in the config. */
export type Reading = {
  /** `unknown`: it could not be measured, which says nothing about what was to be measured. */
  readonly is: "pass" | "fail" | "unknown";
  /** What was seen, for a person: `503 "migrating"`, `42 jobs wait, the oldest for 31 s`. Never a secret. */
  readonly saw: string;
  readonly tookMs: number;
  /** Numbers by their metric: `queue delay`, `certificate days`, or the declared name. What could not be had is left out. */
  readonly values: Readonly<Record<string, number>>;
};

/** Looks at one thing. Changes nothing there, may be repeated, and never throws for a bad answer: that is a reading. */
export interface Gauge {
  /** Rejects only when the signal is aborted. Bounded in time and in what it reads. */
  read(signal: AbortSignal): Promise<Reading>;
  /** Lets go of connections. */
  close(): Promise<void>;
}

/** What rules are judged by. */
export interface Meter {
  /** What a window that ends now says; at most two hours. Costs microseconds. */
  measure(query: Query): Measured;
  /** The same over the window, step by step, oldest first; null where nothing is known. For plots. */
  points(query: Query, stepMs: number): readonly (number | null)[];
  /** Resolves when a sample came in that matches, or after `ms`; rejects when the signal is aborted. */
  news(selector: Selector, ms: number, signal: AbortSignal): Promise<void>;
}
