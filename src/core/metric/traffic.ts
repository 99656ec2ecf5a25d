import { latencyBoundsMs } from "./latency.ts";

/**
 * Columns of the metric `traffic`: what an edge counted for one revision, in one read, so that a ratio is of things counted
 * together. Latency buckets follow the named columns.
 */
export const trafficColumns = {
  /** Answers and failed attempts: what `errors` is a part of. */
  requests: 0,
  /** 5xx answers and failed attempts, also those that another instance then saved. */
  errors: 1,
  /** Answers by status class. */
  class1xx: 2,
  class2xx: 3,
  class3xx: 4,
  class4xx: 5,
  class5xx: 6,
  connectErrors: 7,
  upstreamErrors: 8,
  clientAborts: 9,
} as const;

export type TrafficColumn = keyof typeof trafficColumns;

/** Where the latency buckets begin. */
export const firstBucket = Object.keys(trafficColumns).length;
export const trafficWidth = firstBucket + latencyBoundsMs.length + 1;

/** Counters as every edge gives them. */
export type TrafficCounters = {
  readonly requests: number;
  readonly byClass: readonly [number, number, number, number, number];
  readonly connectErrors: number;
  readonly upstreamErrors: number;
  readonly clientAborts: number;
  readonly latency: readonly number[];
};

export function trafficTally(counters: TrafficCounters): readonly number[] {
  const { requests, byClass, connectErrors, upstreamErrors, clientAborts, latency } = counters;
  const attempts = connectErrors + upstreamErrors;
  // A failed attempt counts although another instance saved the request: the user was lucky, the revision was not good.
  const errors = byClass[4] + attempts;
  return [requests + attempts, errors, ...byClass, connectErrors, upstreamErrors, clientAborts, ...latency];
}

export const bucketsOf = (tally: ArrayLike<number>): number[] => Array.from(tally).slice(firstBucket);
