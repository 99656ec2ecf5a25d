import type { RevisionId } from "../../core/ids.ts";
import { latencyBoundsMs } from "../../core/metric/latency.ts";
import type { EdgeCounters, EdgeSample, EdgeTarget, RoutedService, RouteTable } from "../../ports/edge.ts";
import type { Random } from "./random.ts";
import type { Condition } from "./service.ts";
import type { Due, Timeline } from "./timeline.ts";

/** What a gateway knows of the places that its table names. */
export type Upstreams = {
  /** How whoever listens there answers now; null when nobody listens. */
  condition(address: string): (Condition & { readonly latencyMs: number }) | null;
  /** A request is in flight there until then. */
  busy(address: string, untilMs: number): void;
  busyUntilMs(address: string): number;
  /** It has been given so many requests to answer. */
  given(address: string, count: number): void;
};

type Deps = {
  readonly timeline: Timeline;
  readonly random: Random;
  readonly upstreams: Upstreams;
  /** Requests that arrive for a service between two moments, on average. */
  readonly arrivals: (service: string, fromMs: number, toMs: number) => number;
  /** Requests that nobody could answer. */
  readonly onLost: (loss: Loss) => void;
};

export type Loss = {
  readonly service: string;
  readonly count: number;
  /** `held`: they waited until the hold was over, or there were too many. */
  readonly why: "unreachable" | "held";
  readonly targets: readonly EdgeTarget[];
};

export type Counters = {
  -readonly [Key in keyof Omit<EdgeCounters, "byClass" | "latency">]: number;
} & { readonly byClass: [number, number, number, number, number]; readonly latency: number[] };

type Hold = { queued: number; readonly maxQueued: number; readonly end: Due };

/** As the embedded edge: an instance that refused a connection is left alone for so long, doubling. */
const [firstPauseMs, longestPauseMs] = [100, 1_000];
/** One stretch of traffic in so many has a slow request at its end, of so many times the usual length. */
const slowShare = 0.02;
const [slowFrom, slowTo] = [5, 40];

/**
 * The edge as a thing of the world: it routes by the table in force and counts, whether a control plane lives or not. Requests
 * are not single events: between two changes of anything that matters, as many arrive as the traffic draws, and are shared out
 * at once. So nothing is lost by the coarseness: a change first has the traffic up to its moment answered by what was before.
 */
export class Gateway {
  table: RouteTable | null = null;
  /** How often it has been started again: what it was about to do then, it never does. */
  restarts = 0;
  readonly #deps: Deps;
  readonly #counters = new Map<RevisionId, Counters>();
  /** What was told of a revision last, until it counts something more. */
  readonly #told = new Map<RevisionId, EdgeCounters>();
  readonly #holds = new Map<string, Hold>();
  readonly #pauses = new Map<string, { untilMs: number; pauseMs: number }>();
  /** Addresses that a revision has had requests at. */
  readonly #routed = new Map<RevisionId, Set<string>>();
  #unrouted = 0;
  #flowedMs = 0;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Answers all requests that have arrived until now. Called before anything changes. */
  flow(): void {
    const { timeline, arrivals, random } = this.#deps;
    const from = this.#flowedMs;
    if (timeline.nowMs <= from) return;
    this.#flowedMs = timeline.nowMs;
    for (const [name, service] of Object.entries(this.table?.services ?? {})) {
      const count = random.poisson(arrivals(name, from, timeline.nowMs));
      if (count > 0) this.#arrive(name, service, count, timeline.nowMs - from);
    }
  }

  /** One request, now: the status of its answer and who gave it; null while it waits at a hold. */
  request(name: string): { readonly status: number; readonly by: RevisionId | null } | null {
    this.flow();
    const service = this.table?.services[name];
    if (service === undefined) return { status: 404, by: null };
    const before = new Map(
      [...this.#counters].map(([id, { requests, byClass }]) => [id, [requests, byClass[4]] as const]),
    );
    const queued = this.#holds.get(name)?.queued;
    this.#arrive(name, service, 1, 1);
    for (const [by, { requests, byClass }] of this.#counters) {
      const [had, failed] = before.get(by) ?? [0, 0];
      if (requests > had) return { status: byClass[4] > failed ? 502 : 200, by };
    }
    const isHeld = queued !== undefined && (this.#holds.get(name)?.queued ?? 0) > queued;
    return isHeld ? null : { status: 503, by: null };
  }

  put(table: RouteTable | null): void {
    this.flow();
    this.table = table;
    for (const { targets } of Object.values(table?.services ?? {})) {
      for (const { revision, instances } of targets) {
        const seen = this.#routed.get(revision) ?? new Set<string>();
        for (const { address } of instances) seen.add(address);
        this.#routed.set(revision, seen);
        this.#countersOf(revision);
      }
    }
  }

  hold(name: string, until: { readonly maxMs: number; readonly maxQueued: number } | null): void {
    this.flow();
    const before = this.#holds.get(name);
    if (before !== undefined) before.end.off = true;
    this.#holds.delete(name);
    if (until === null) {
      this.#release(name, before?.queued ?? 0);
      return;
    }
    const end = this.#deps.timeline.after(until.maxMs, () => {
      this.flow();
      const queued = this.#holds.get(name)?.queued ?? 0;
      this.#holds.delete(name);
      if (queued > 0) this.#lose({ service: name, count: queued, why: "held", targets: [] });
    });
    this.#holds.set(name, { queued: before?.queued ?? 0, maxQueued: until.maxQueued, end });
  }

  /** Until when a request is in flight where none comes any more; now when there is none. */
  idleFromMs(revision: RevisionId): number {
    this.flow();
    const kept = new Set<string>();
    for (const { targets } of Object.values(this.table?.services ?? {}))
      for (const each of targets)
        if (each.revision === revision && each.weight > 0) for (const { address } of each.instances) kept.add(address);
    const left = [...(this.#routed.get(revision) ?? [])].filter((address) => !kept.has(address));
    return Math.max(this.#deps.timeline.nowMs, ...left.map((address) => this.#deps.upstreams.busyUntilMs(address)));
  }

  sample(): EdgeSample {
    this.flow();
    const { timeline } = this.#deps;
    const revisions: Record<RevisionId, EdgeCounters> = {};
    for (const [id, counters] of this.#counters) {
      const inflight = this.#inflight(id);
      const told = this.#told.get(id);
      revisions[id] = told !== undefined && told.inflight === inflight ? told : this.#tell(id, counters, inflight);
    }
    const at = Math.round(timeline.wallMs);
    return { at, generation: this.table?.generation ?? 0, revisions, unrouted: this.#unrouted };
  }

  #tell(id: RevisionId, counters: Counters, inflight: number): EdgeCounters {
    const { byClass, latency } = counters;
    const told: EdgeCounters = { ...counters, byClass: [...byClass], latency: latency.slice(), inflight };
    this.#told.set(id, told);
    return told;
  }

  /** What the users of a revision were answered. */
  answeredOf(revision: RevisionId): { readonly requests: number; readonly failed: number } {
    this.flow();
    const counters = this.#counters.get(revision);
    return { requests: counters?.requests ?? 0, failed: counters?.byClass[4] ?? 0 };
  }

  /** As after a restart of the edge as a whole; with `forgetful` also its table is gone. */
  restart({ forgetful }: { readonly forgetful: boolean }): void {
    this.flow();
    this.restarts += 1;
    this.#counters.clear();
    this.#told.clear();
    for (const name of [...this.#holds.keys()]) this.hold(name, null);
    if (forgetful) this.table = null;
    else this.put(this.table);
  }

  #arrive(name: string, service: RoutedService, count: number, withinMs: number): void {
    if (service.mode === "maintenance") {
      this.#unrouted += count;
      return;
    }
    const hold = this.#holds.get(name);
    if (hold === undefined) {
      this.#serve(name, service, count, withinMs);
      return;
    }
    const waiting = Math.min(count, hold.maxQueued - hold.queued);
    hold.queued += waiting;
    if (count > waiting) this.#lose({ service: name, count: count - waiting, why: "held", targets: service.targets });
  }

  #release(name: string, count: number): void {
    const service = this.table?.services[name];
    if (count === 0) return;
    if (service === undefined) this.#lose({ service: name, count, why: "held", targets: [] });
    else this.#serve(name, service, count, 1);
  }

  #serve(name: string, service: RoutedService, count: number, withinMs: number): void {
    const { random } = this.#deps;
    let left = count;
    let weightLeft = service.targets.reduce((sum, { weight }) => sum + weight, 0);
    if (weightLeft === 0) this.#lose({ service: name, count, why: "unreachable", targets: service.targets });
    for (const target of service.targets) {
      if (target.weight === 0) continue;
      const share = random.binomial(left, target.weight / weightLeft);
      left -= share;
      weightLeft -= target.weight;
      if (share === 0 || this.#answer(target, share, withinMs)) continue;
      this.#countersOf(target.revision).connectErrors += share;
      const others = [
        ...service.targets.filter(({ fallback }) => fallback),
        ...service.targets.filter(({ weight }) => weight > 0),
      ];
      if (others.some((other) => other !== target && this.#answer(other, share, withinMs))) continue;
      const counters = this.#countersOf(target.revision);
      counters.requests += share;
      counters.byClass[4] += share;
      this.#lose({ service: name, count: share, why: "unreachable", targets: service.targets });
    }
  }

  /** False when none of the target's instances can be connected to. */
  #answer(target: EdgeTarget, count: number, withinMs: number): boolean {
    const { upstreams } = this.#deps;
    const all = target.instances.map(({ address }) => ({ address, condition: upstreams.condition(address) }));
    const up = all.flatMap(({ address, condition }) => (condition === null ? [] : [{ address, condition }]));
    if (up.length === 0) return false;
    const counters = this.#countersOf(target.revision);
    for (const { address, condition } of all) if (condition === null) counters.connectErrors += this.#refusal(address);
    const [first] = up;
    const alike = up.every(({ condition }) => condition.errorRatio === first?.condition.errorRatio);
    let left = count;
    up.forEach(({ address, condition }, index) => {
      const share = index === up.length - 1 ? left : this.#deps.random.binomial(left, 1 / (up.length - index));
      left -= share;
      if (share === 0) return;
      upstreams.given(address, share);
      if (!alike) this.#count(counters, share, condition);
      this.#keepBusy(address, (share / withinMs) * condition.latencyMs * condition.latencyFactor, condition);
    });
    if (alike && first !== undefined) this.#count(counters, count, first.condition);
    return true;
  }

  #count(counters: Counters, count: number, { errorRatio, latencyMs, latencyFactor }: ConditionAt): void {
    const { random } = this.#deps;
    const failed = random.binomial(count, errorRatio);
    counters.requests += count;
    counters.byClass[4] += failed;
    counters.byClass[1] += count - failed;
    drawLatencies(counters.latency, count, latencyMs * latencyFactor, random);
  }

  #keepBusy(address: string, inFlight: number, { latencyMs, latencyFactor }: ConditionAt): void {
    const { random, upstreams, timeline } = this.#deps;
    if (!random.chance(Math.min(1, inFlight))) return;
    const slow = random.chance(slowShare) ? random.between(slowFrom, slowTo) : random.next();
    upstreams.busy(address, timeline.nowMs + latencyMs * latencyFactor * slow);
  }

  /** One attempt at an instance that refuses connections, unless it is left alone just now. */
  #refusal(address: string): number {
    const { nowMs } = this.#deps.timeline;
    const pause = this.#pauses.get(address) ?? { untilMs: 0, pauseMs: 0 };
    if (pause.untilMs > nowMs) return 0;
    const pauseMs = pause.pauseMs === 0 ? firstPauseMs : Math.min(longestPauseMs, pause.pauseMs * 2);
    this.#pauses.set(address, { untilMs: nowMs + pauseMs, pauseMs });
    return 1;
  }

  #lose(loss: Loss): void {
    this.#deps.onLost(loss);
  }

  #inflight(id: RevisionId): number {
    const { timeline, upstreams } = this.#deps;
    let count = 0;
    for (const address of this.#routed.get(id) ?? []) if (upstreams.busyUntilMs(address) > timeline.nowMs) count += 1;
    return count;
  }

  /** For who counts: what was told of it before is old then. */
  #countersOf(id: RevisionId): Counters {
    this.#told.delete(id);
    const known = this.#counters.get(id);
    if (known !== undefined) return known;
    const fresh = noCounters();
    this.#counters.set(id, fresh);
    return fresh;
  }
}

type ConditionAt = Condition & { readonly latencyMs: number };

function noCounters(): Counters {
  return {
    requests: 0,
    byClass: [0, 0, 0, 0, 0],
    connectErrors: 0,
    upstreamErrors: 0,
    clientAborts: 0,
    inflight: 0,
    webSockets: 0,
    latency: new Array(latencyBoundsMs.length + 1).fill(0),
  };
}

/**
 * Latencies are log-normal with a standard deviation of two buckets (a factor of 1.6), which is usual of web services; a bucket is
 * a tenth of a decade. These are the shares of the buckets from six below the median's to six above.
 */
const shares = normalised(Array.from({ length: 13 }, (_, index) => Math.exp(-(((index - 6) / 2) ** 2) / 2)));

function normalised(weights: readonly number[]): readonly number[] {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

function drawLatencies(latency: number[], count: number, medianMs: number, random: Random): void {
  const middle = Math.max(0, Math.round(Math.log10(Math.max(1, medianMs)) * 10));
  let left = count;
  let shareLeft = 1;
  for (let index = 0; index < shares.length && left > 0; index += 1) {
    const share = shares[index] ?? 0;
    const drawn = index === shares.length - 1 ? left : random.binomial(left, Math.min(1, share / shareLeft));
    left -= drawn;
    shareLeft -= share;
    const bucket = Math.min(latency.length - 1, Math.max(0, middle + index - 6));
    latency[bucket] = (latency[bucket] ?? 0) + drawn;
  }
}
