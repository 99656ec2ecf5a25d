import { setMaxListeners } from "node:events";
import { isSlipwayError } from "../../core/errors/error.ts";
import type { EpochMs, InstanceId, RevisionId, ServiceName } from "../../core/ids.ts";
import { type InstanceHealth, judgeAnswer, observe, type ProbeAnswer, unknownHealth } from "../../core/judge/probe.ts";
import type { HealthSpec } from "../../core/product/spec.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Prober } from "../../ports/probe.ts";
import type { InstanceStatus, RevisionStatus, Target } from "../../ports/target.ts";

/** What a watch asks of the places where revisions live. */
export type HealthTargets = Pick<Target, "watch" | "reach">;

/** A revision that is watched, and what counts as healthy there. */
export type Watched = {
  readonly revision: RevisionId;
  readonly service: ServiceName;
  readonly health: HealthSpec;
  /** How many instances there should be. */
  readonly instances: number;
};

export type InstanceReport = {
  readonly status: InstanceStatus;
  readonly health: InstanceHealth;
  readonly probed: string | null;
};

/**
 * Waits between probes of an instance that has not been healthy yet, as a share of the time it has been watched: what starts
 * fast is noticed fast, and no start is noticed more than this share late. Growing by half each time instead was up to a
 * third of a start late: 30 % of the time to live of a program that starts in 150 ms.
 */
const firstProbeMs = 4;
const lateShare = 0.05;

/**
 * Keeps looking at the instances of some revisions: what the target says of the processes, and what a probe past the edge
 * gets from each. Levels, not edges: it starts from what exists, whoever started it. Ends with the signal.
 */
export class HealthWatch {
  readonly #deps: { readonly targets: HealthTargets; readonly prober: Prober; readonly clock: Clock };
  readonly #watched: ReadonlyMap<RevisionId, Watched>;
  readonly #signal: AbortSignal;
  readonly #statuses = new Map<RevisionId, RevisionStatus>();
  #running: readonly RevisionStatus[] = [];
  readonly #health = new Map<InstanceId, InstanceHealth>();
  readonly #probing = new Map<InstanceId, string>();
  readonly #waiting = new Set<() => void>();
  #failure: unknown = null;
  /** When the earliest sleep of those who wait ends. */
  #wakesAtMs = Number.POSITIVE_INFINITY;

  constructor(
    deps: { readonly targets: HealthTargets; readonly prober: Prober; readonly clock: Clock },
    watched: readonly Watched[],
    signal: AbortSignal,
  ) {
    this.#deps = deps;
    this.#watched = new Map(watched.map((each) => [each.revision, each]));
    this.#signal = signal;
    // Each instance listens once or twice, and there may be many.
    setMaxListeners(0, signal);
    signal.addEventListener("abort", () => this.#wake(), { once: true });
    void this.#follow();
  }

  /** What is known now, instance by instance, in order of index. Throws what ended the watch, if anything did. */
  report(revision: RevisionId): readonly InstanceReport[] {
    if (this.#failure !== null) throw this.#failure;
    const watched = this.#watched.get(revision);
    const path = watched?.health.path ?? null;
    return (this.#statuses.get(revision)?.instances ?? []).map((status) => ({
      status,
      health: this.#healthOf(status, watched),
      probed: path === null || status.address === null ? null : `GET http://${status.address}${path}`,
    }));
  }

  /** All that the targets have told of, whether it is watched or not. */
  get running(): readonly RevisionStatus[] {
    return this.#running;
  }

  /** Resolves at the next news, when `other` settles, or after `ms`, whichever is first. Rejects when the watch ends. */
  async news(ms: number, other?: Promise<void>): Promise<void> {
    this.#signal.throwIfAborted();
    this.#wakeWithin(ms);
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        resolve();
      };
      this.#waiting.add(wake);
      other?.then(wake, wake);
    });
    this.#signal.throwIfAborted();
  }

  /**
   * A wait that has ended by news leaves its sleep, and the next one takes that when it ends soon enough: to call it off and to begin
   * another costs more than to look once more.
   */
  #wakeWithin(ms: number): void {
    const { clock } = this.#deps;
    const atMs = clock.monotonicMs() + ms;
    if (this.#wakesAtMs <= atMs) return;
    this.#wakesAtMs = atMs;
    const wake = (): void => {
      if (this.#wakesAtMs === atMs) this.#wakesAtMs = Number.POSITIVE_INFINITY;
      this.#wake();
    };
    void clock.sleep(ms, this.#signal).then(wake, () => {});
  }

  async #follow(): Promise<void> {
    try {
      for await (const statuses of this.#deps.targets.watch({}, this.#signal)) {
        this.#running = statuses;
        for (const status of statuses) if (this.#watched.has(status.id)) this.#seen(status);
        this.#wake();
      }
    } catch (error) {
      if (!this.#signal.aborted) this.#failure = error;
      this.#wake();
    }
  }

  #seen(status: RevisionStatus): void {
    this.#statuses.set(status.id, status);
    for (const instance of status.instances) {
      if (instance.state !== "running") {
        // A process that is gone is not healthy, whatever its last answer was. The next one starts unknown.
        this.#health.delete(instance.id);
        this.#probing.delete(instance.id);
      } else if (instance.address !== null && this.#probing.get(instance.id) !== identity(instance)) {
        this.#health.delete(instance.id);
        this.#probing.set(instance.id, identity(instance));
        void this.#probe(status.id, instance);
      }
    }
  }

  /** Probes one process until it is replaced, gone, or the watch ends. */
  async #probe(revision: RevisionId, instance: InstanceStatus): Promise<void> {
    const { clock } = this.#deps;
    const health = this.#watched.get(revision)?.health;
    if (health === undefined || health.path === null || instance.address === null) return;
    const begun = clock.monotonicMs();
    try {
      while (!this.#signal.aborted && this.#probing.get(instance.id) === identity(instance)) {
        const answer = await this.#ask(instance, health.path, health.timeoutMs);
        if (this.#probing.get(instance.id) !== identity(instance)) return;
        const before = this.#health.get(instance.id) ?? unknownHealth;
        const inStartPeriod = before.is === "unknown" && clock.now() - (instance.startedAt ?? 0) < health.startPeriodMs;
        const result = judgeAnswer(health, answer);
        const after = observe(before, result, health.retries);
        const now = inStartPeriod && !result.healthy ? { ...unknownHealth, last: result } : after;
        this.#health.set(instance.id, now);
        // One more refusal of a program that starts is no news, and telling it would take time from that start.
        if (now.is !== before.is) this.#wake();
        const soonMs = Math.max(firstProbeMs, (clock.monotonicMs() - begun) * lateShare);
        const waitMs = after.is === "healthy" ? health.intervalMs : Math.min(health.intervalMs, soonMs);
        await clock.sleep(waitMs, this.#signal);
      }
    } catch (error) {
      if (!this.#signal.aborted) this.#failure = error;
      this.#wake();
    }
  }

  /** Its image's own HEALTHCHECK, where it has one, can only speak against an instance: what it starts with is no news. */
  #healthOf(status: InstanceStatus, watched: Watched | undefined): InstanceHealth {
    if (status.health === "unhealthy" && watched !== undefined) {
      const last = { healthy: false, saw: "the container's own HEALTHCHECK fails" };
      return { is: "unhealthy", failuresInRow: watched.health.retries, last };
    }
    const path = watched?.health.path ?? null;
    return path === null ? this.#byLife(status, watched) : (this.#health.get(status.id) ?? unknownHealth);
  }

  async #ask(instance: InstanceStatus, path: string, timeoutMs: number): Promise<ProbeAnswer> {
    const { clock, prober, targets } = this.#deps;
    const begun = clock.monotonicMs();
    try {
      const address = instance.tunnelled ? await targets.reach(instance.id, this.#signal) : (instance.address ?? "");
      return await prober.http({ address, path, timeoutMs }, this.#signal);
    } catch (error) {
      this.#signal.throwIfAborted();
      if (!isSlipwayError(error)) throw error;
      // No way to it is an answer too: of a host that is away nothing is known to be well.
      return { is: "nothing", at: clock.now(), tookMs: clock.monotonicMs() - begun, why: error.message };
    }
  }

  /** A service that does not listen is healthy when it has lived through its start period. */
  #byLife(status: InstanceStatus, watched: Watched | undefined): InstanceHealth {
    if (status.state !== "running" || status.startedAt === null) return unknownHealth;
    if (watched?.health.byEngine === true && status.health !== undefined) {
      const last = { healthy: status.health === "healthy", saw: `its own healthcheck says ${status.health}` };
      return last.healthy ? { is: "healthy", failuresInRow: 0, last } : { ...unknownHealth, last };
    }
    const livedMs = this.#deps.clock.now() - status.startedAt;
    const neededMs = watched?.health.startPeriodMs ?? 0;
    const last = { healthy: livedMs >= neededMs, saw: `has run for ${Math.floor(livedMs)} ms of ${neededMs} ms` };
    return last.healthy ? { is: "healthy", failuresInRow: 0, last } : { ...unknownHealth, last };
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}

/** One life of an instance: another start is another identity. */
function identity(instance: InstanceStatus): string {
  return `${instance.pid}@${instance.startedAt satisfies EpochMs | null}`;
}
