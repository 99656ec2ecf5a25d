import type { Edge, EdgeCounters, EdgeSample } from "../../../ports/edge.ts";
import { revisionOf } from "./tables.ts";

/** The first sample that `look` is content with; rejects after `withinMs`. */
export async function sampleWith(
  edge: Edge,
  look: (sample: EdgeSample) => boolean,
  withinMs = 60_000,
): Promise<EdgeSample> {
  const stop = AbortSignal.timeout(withinMs);
  let last: EdgeSample | null = null;
  for await (const sample of edge.samples(stop)) {
    last = sample;
    if (look(sample)) return sample;
  }
  throw new Error(`no such sample within ${withinMs} ms; the last was ${JSON.stringify(last)}`);
}

/** Resolves when the edge has told so many samples. */
export async function samplesLater(edge: Edge, count: number): Promise<void> {
  let left = count;
  await sampleWith(edge, () => {
    left -= 1;
    return left <= 0;
  });
}

const nothing: EdgeCounters = {
  requests: 0,
  byClass: [0, 0, 0, 0, 0],
  connectErrors: 0,
  upstreamErrors: 0,
  clientAborts: 0,
  inflight: 0,
  webSockets: 0,
  latency: [],
};

/** What a sample says of the revision named after a backend's label; zeros when it says nothing. */
export function countsOf(sample: EdgeSample, label: string): EdgeCounters {
  return sample.revisions[revisionOf(label)] ?? nothing;
}
