import type { EpochMs, RevisionId } from "../../core/ids.ts";
import { latencyBoundsMs } from "../../core/metric/latency.ts";
import { trafficTally } from "../../core/metric/traffic.ts";
import type { EdgeCounters, EdgeSample } from "../../ports/edge.ts";
import type { Metrics, Taken } from "./metrics.ts";
import type { RevisionLabels, Revisions } from "./revisions.ts";

/** Samples come every 250 ms: four times that without one, and nobody knows. */
const holdMs = 1_000;
/** A revision that the store does not know yet is asked for again; that long its counts are kept back. */
const askAgainMs = 1_000;
const maxKeptBack = 8;

type Seen = { readonly at: EpochMs; readonly counters: EdgeCounters };

/** What an edge counts, per revision, as the metrics `traffic` and `in flight`. */
export class EdgeSource {
  readonly #metrics: Metrics;
  readonly #revisions: Pick<Revisions, "known" | "find">;
  /** By edge: when its last sample came, what the edge said its time was then, and of which revisions it told. */
  readonly #last = new Map<string, { at: EpochMs; edgeAt: EpochMs; revisions: Set<RevisionId> }>();
  readonly #keptBack = new Map<RevisionId, Seen[]>();
  readonly #askedAt = new Map<RevisionId, EpochMs>();

  constructor(deps: { readonly metrics: Metrics; readonly revisions: Pick<Revisions, "known" | "find"> }) {
    this.#metrics = deps.metrics;
    this.#revisions = deps.revisions;
  }

  /** Takes a sample of the edge of that name. */
  take(edge: string, sample: EdgeSample): void {
    const last = this.#last.get(edge);
    // The same sample again says nothing about now, whatever its clock says.
    if (last !== undefined && last.edgeAt === sample.at) return;
    const at = this.#metrics.time.now();
    const taken: Taken[] = [];
    for (const [id, counters] of Object.entries(sample.revisions)) {
      const revision = id as RevisionId;
      // It was not there a moment ago, so all that it has counted came since.
      const isNew = last !== undefined && !last.revisions.has(revision) && at - last.at <= holdMs;
      const seen = [...(isNew ? [{ at: last.at, counters: nothingCounted }] : []), { at, counters }];
      const labels = this.#revisions.known(revision);
      if (labels === null) this.#keepBack(edge, revision, seen);
      else taken.push(...seen.flatMap((each) => samplesOf(edge, labels, each)));
    }
    const revisions = new Set(Object.keys(sample.revisions) as RevisionId[]);
    this.#last.set(edge, { at, edgeAt: sample.at, revisions });
    this.#metrics.record(taken);
  }

  #keepBack(edge: string, revision: RevisionId, seen: readonly Seen[]): void {
    const kept = this.#keptBack.get(revision) ?? [];
    this.#keptBack.set(revision, [...kept, ...seen].slice(-maxKeptBack));
    const { at = 0 } = seen.at(-1) ?? {};
    if (at - (this.#askedAt.get(revision) ?? Number.NEGATIVE_INFINITY) < askAgainMs) return;
    this.#askedAt.set(revision, at);
    void this.#revisions.find(revision).then(
      (labels) => {
        if (labels === null) return;
        const waiting = this.#keptBack.get(revision) ?? [];
        this.#keptBack.delete(revision);
        this.#askedAt.delete(revision);
        this.#metrics.record(waiting.flatMap((each) => samplesOf(edge, labels, each)));
      },
      () => {},
    );
  }
}

function samplesOf(edge: string, labels: RevisionLabels, { at, counters }: Seen): Taken[] {
  const own = { ...labels, host: edge };
  return [
    { metric: "traffic", labels: own, at, value: trafficTally(counters), holdMs },
    { metric: "in flight", labels: own, at, value: counters.inflight, holdMs },
  ];
}

const nothingCounted: EdgeCounters = {
  requests: 0,
  byClass: [0, 0, 0, 0, 0],
  connectErrors: 0,
  upstreamErrors: 0,
  clientAborts: 0,
  inflight: 0,
  webSockets: 0,
  latency: new Array<number>(latencyBoundsMs.length + 1).fill(0),
};
