import { latencyBoundsMs } from "../../../core/metric/latency.ts";
import type { EdgeCounters } from "../../../ports/edge.ts";

/** The counts of one revision in one worker. Cumulative, but for what is open now. */
export class Counters {
  requests = 0;
  connectErrors = 0;
  upstreamErrors = 0;
  clientAborts = 0;
  inflight = 0;
  webSockets = 0;
  readonly byClass: [number, number, number, number, number] = [0, 0, 0, 0, 0];
  readonly latency: number[] = new Array<number>(latencyBoundsMs.length + 1).fill(0);

  answered(status: number, firstByteMs: number): void {
    this.requests += 1;
    const index = (status / 100) | 0;
    if (index >= 1 && index <= 5) this.byClass[(index - 1) as 0 | 1 | 2 | 3 | 4] += 1;
    const bucket = latencyBucket(firstByteMs);
    this.latency[bucket] = (this.latency[bucket] ?? 0) + 1;
  }
}

/** The index of the first bound that is not below `ms`; the last bucket is everything above the last bound. */
export function latencyBucket(ms: number): number {
  let low = 0;
  let high = latencyBoundsMs.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ms <= (latencyBoundsMs[middle] ?? Number.POSITIVE_INFINITY)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The counts of several workers as those of one edge. */
export function addCounters(left: EdgeCounters, right: EdgeCounters): EdgeCounters {
  const add = (a: readonly number[], b: readonly number[]): number[] =>
    a.map((value, index) => value + (b[index] ?? 0));
  return {
    requests: left.requests + right.requests,
    byClass: add(left.byClass, right.byClass) as unknown as EdgeCounters["byClass"],
    connectErrors: left.connectErrors + right.connectErrors,
    upstreamErrors: left.upstreamErrors + right.upstreamErrors,
    clientAborts: left.clientAborts + right.clientAborts,
    inflight: left.inflight + right.inflight,
    webSockets: left.webSockets + right.webSockets,
    latency: add(left.latency, right.latency),
  };
}

/** What stays of a worker that has ended: everything but what it had open. */
export function closedCounters(counters: EdgeCounters): EdgeCounters {
  return { ...counters, inflight: 0, webSockets: 0 };
}
