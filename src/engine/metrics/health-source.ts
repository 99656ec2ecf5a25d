import type { Traffic } from "../../core/deploy/traffic.ts";
import { reasonOf } from "../../core/errors/error.ts";
import type { EnvironmentName, ReleaseId, RevisionId, ServiceName } from "../../core/ids.ts";
import { instancesNow } from "../../core/scale/count.ts";
import { type LinkedSignal, linkedSignal } from "../../lib/linked-signal.ts";
import type { Db } from "../../ports/store.ts";
import { HealthWatch, type InstanceReport, type Watched } from "../health/health-watch.ts";
import { releaseView } from "../release/read.ts";
import { heldCounts } from "../scale/held.ts";
import type { World } from "../world.ts";
import { tooOld } from "./intervals.ts";
import type { Metrics, Taken } from "./metrics.ts";

/** How often what the watch knows is written down. */
export const tickMs = 1_000;
/** How often it is looked who takes requests, besides every change that is told of. */
const lookMs = 5_000;

/** A revision that serves: it takes requests, or works without being asked. */
export type Serving = Watched & { readonly environment: EnvironmentName; readonly release: ReleaseId };

type HealthWorld = Pick<World, "store" | "targets" | "prober" | "clock" | "changes" | "log">;

/** What serves is watched at all times, not only while a deployment looks, and its health kept as the metric `health`. */
export class HealthSource {
  readonly #world: HealthWorld;
  readonly #metrics: Metrics;
  readonly #signal: AbortSignal;
  #serving: readonly Serving[] = [];
  #watch: { readonly watch: HealthWatch; readonly watching: LinkedSignal } | null = null;
  #isStale = true;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #lastTrouble = "";

  constructor(world: HealthWorld, metrics: Metrics, signal: AbortSignal) {
    this.#world = world;
    this.#metrics = metrics;
    this.#signal = signal;
    void this.#noticeChanges();
  }

  get serving(): readonly Serving[] {
    return this.#serving;
  }

  /**
   * What is known of a revision's instances that serve; none when they are not watched, or could not be. One that is started or taken
   * away because the load has changed says nothing about how those are that have the work.
   */
  report(revision: RevisionId): readonly InstanceReport[] {
    const count = this.#serving.find((each) => each.revision === revision)?.instances ?? 0;
    try {
      return (this.#watch?.watch.report(revision) ?? []).filter(({ status }) => status.index < count);
    } catch (error) {
      this.#complain(error);
      // Another watch begins at the next tick.
      this.#end();
      this.#isStale = true;
      return [];
    }
  }

  async tick(): Promise<void> {
    const { clock, store } = this.#world;
    if (this.#isStale || clock.monotonicMs() - this.#lookedMs > lookMs) {
      this.#isStale = false;
      this.#lookedMs = clock.monotonicMs();
      this.#follow(await servingNow(store.db));
    }
    this.#metrics.record(this.#serving.flatMap((serving) => this.#healthOf(serving)));
  }

  close(): void {
    this.#end();
  }

  #healthOf(serving: Serving): Taken[] {
    const { environment, service, revision, release } = serving;
    return this.report(revision).flatMap((report) => {
      const value = healthValue(report);
      if (value === null) return [];
      const { id: instance, host } = report.status;
      const labels = { environment, service, revision, release, instance, ...(host !== null && { host }) };
      return [{ metric: "health", labels, value, holdMs: tooOld(tickMs) }];
    });
  }

  /** Watches these from now on. What is watched already and stays the same is not disturbed. */
  #follow(serving: readonly Serving[]): void {
    const isSame = this.#watch !== null && JSON.stringify(serving) === JSON.stringify(this.#serving);
    this.#serving = serving;
    if (isSame) return;
    this.#end();
    if (serving.length === 0) return;
    const watching = linkedSignal([this.#signal]);
    this.#watch = { watch: new HealthWatch(this.#world, serving, watching.signal), watching };
  }

  #end(): void {
    this.#watch?.watching.end(new Error("others are watched now"));
    this.#watch = null;
  }

  async #noticeChanges(): Promise<void> {
    while (!this.#signal.aborted) {
      await this.#world.changes.next(this.#signal).catch(() => {});
      this.#isStale = true;
    }
  }

  /** The same trouble again is not news. */
  #complain(error: unknown): void {
    const trouble = reasonOf(error);
    if (trouble !== this.#lastTrouble) this.#world.log.warn("health.not-watched", { reason: trouble });
    this.#lastTrouble = trouble;
  }
}

/** 1 and 0, or null: nothing is known yet, or it is not meant to run. */
export function healthValue({ status, health }: InstanceReport): 0 | 1 | null {
  switch (status.state) {
    case "running":
      return health.is === "unknown" ? null : health.is === "healthy" ? 1 : 0;
    case "backoff":
    case "crash-looping":
    case "exited":
      return 0;
    case "stopping":
    case "stopped":
      return null;
  }
}

/**
 * Everything that serves, in every environment. A candidate of a service that takes requests does so when it has some: before,
 * it is being started, and the deployment looks at it closely enough.
 */
async function servingNow(db: Db): Promise<readonly Serving[]> {
  const rows = await db.selectFrom("environment").select(["name", "traffic"]).orderBy("name").execute();
  const found: Serving[] = [];
  for (const { name, traffic } of rows) {
    const { services } = JSON.parse(traffic) as Traffic;
    for (const [service, targets] of Object.entries(services))
      for (const { revision, release, instances, weight } of targets)
        if (weight > 0)
          found.push(...(await servingOf(db, name, service as ServiceName, release, revision, instances)));
  }
  const workers = await db
    .selectFrom("revision")
    .select(["id", "environment", "service", "release_id"])
    .where("role", "in", ["stable", "candidate"])
    .orderBy("id")
    .execute();
  for (const { id, environment, service, release_id } of workers) {
    if (found.some(({ revision }) => revision === id)) continue;
    const [one] = await servingOf(db, environment, service, release_id, id, null);
    if (one !== undefined && one.health.path === null) found.push(one);
  }
  return found;
}

async function servingOf(
  db: Db,
  environment: EnvironmentName,
  service: ServiceName,
  release: ReleaseId,
  revision: RevisionId,
  instances: number | null,
): Promise<Serving[]> {
  const view = await releaseView(db, release, environment).catch(() => null);
  const spec = view?.spec.services[service];
  if (view === null || spec === undefined || spec.kind === "job") return [];
  const count = instances ?? instancesNow(view.spec, spec, (await heldCounts(db, view.spec)).get(service));
  return [{ revision, service, health: spec.health, instances: count, environment, release }];
}
