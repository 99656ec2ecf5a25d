import { isDeepStrictEqual } from "node:util";
import type { Traffic } from "../../core/deploy/traffic.ts";
import { isSlipwayError } from "../../core/errors/error.ts";
import type { EnvironmentName } from "../../core/ids.ts";
import { templateOf } from "../../core/previews/name.ts";
import type { EdgeSpec } from "../../core/product/spec.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Edge, EdgeConfig, RouteTable } from "../../ports/edge.ts";
import type { Log } from "../../ports/log.ts";
import type { Store } from "../../ports/store.ts";
import type { RevisionStatus, Target } from "../../ports/target.ts";
import { releaseView } from "../release/read.ts";
import { edgeConfig } from "./listeners.ts";
import { type EnvironmentTraffic, instancesOf, routeTable } from "./table.ts";

type Deps = {
  readonly store: Store;
  readonly targets: Pick<Target, "observe">;
  readonly edge: Edge;
  readonly clock: Pick<Clock, "monotonicMs" | "sleep">;
  readonly log: Log;
  readonly base: Omit<EdgeConfig, "listeners" | "trustedProxies">;
  /** Whether requests of an environment come through this edge. */
  readonly isHere: (edge: EdgeSpec) => boolean;
};

/** What was seen to run is taken for what runs now for so long. */
const freshMs = 100;

const askAgainMs = 2;
const freeWithinMs = 15_000;

/**
 * Brings the edge to the traffic that is recorded. It holds no truth of its own: every `sync` reads the store, looks at what
 * runs, and applies one table for all environments of this edge. Calls that come while one is under way share the next one.
 */
export class Router {
  readonly #deps: Deps;
  #config: EdgeConfig | null = null;
  /** As it would be if no port were somebody else's. */
  #wanted: EdgeConfig | null = null;
  #elsewhere: readonly number[] = [];
  #table: RouteTable | null = null;
  /** Counts what was forgotten: an answer to what was asked before then says nothing about now. */
  #forgotten = 0;
  #seen: { readonly atMs: number; readonly running: readonly RevisionStatus[] } | null = null;
  #running: Promise<void> | null = null;
  #next: Promise<void> | null = null;
  /** What is ordered of the edge besides. */
  readonly #orders = new Set<Promise<void>>();
  #closed = false;
  #trouble: unknown = null;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Resolves when the edge routes by the truth that was in the store when it was called. Safe to repeat. Errors: EDGE_*, PORT_TAKEN. */
  sync(): Promise<void> {
    if (this.#closed) return Promise.reject(new Error("the router is closed"));
    if (this.#running === null) {
      this.#running = this.#apply()
        .then(() => {
          this.#trouble = null;
        })
        .catch((error: unknown) => {
          this.#trouble = error;
          // What is in force now is not known: the edge may have taken a table without being able to say so.
          this.forget();
          throw error;
        })
        .finally(() => {
          this.#running = null;
        });
      return this.#running;
    }
    // The one under way may have read the store before our caller wrote: ours is the one after it, shared by all who wait.
    this.#next ??= this.#running
      .catch(() => {})
      .then(() => {
        this.#next = null;
        return this.sync();
      });
    return this.#next;
  }

  /** Why the newest `sync` that has ended has failed; null when it has not: the edge is then as it is recorded. */
  get trouble(): unknown {
    return this.#trouble;
  }

  /** What somebody who watches all targets has just seen to run, for a `sync` that follows at once: a switch need not wait for a look. */
  saw(running: readonly RevisionStatus[]): void {
    this.#seen = { atMs: this.#deps.clock.monotonicMs(), running };
  }

  /**
   * Whether the table in force sends requests to where these revisions run. What it does not route does not matter: a
   * candidate that starts must not cost the edge a new table just then.
   */
  routesTo(running: readonly RevisionStatus[]): boolean {
    // What is being applied may have been read before this change.
    if (this.#running !== null || this.#table === null) return false;
    const statuses = new Map(running.map((revision) => [revision.id, revision]));
    return Object.values(this.#table.services)
      .flatMap((service) => service.targets)
      .every((target) => isDeepStrictEqual(target.instances, instancesOf(statuses.get(target.revision))));
  }

  /** Has every worker of the edge replaced by one on the code on disk, without a failed request. Safe to repeat. Errors: EDGE_*. */
  async renew(): Promise<void> {
    await this.sync();
    const config = this.#config;
    if (config !== null) await this.#order(() => this.#deps.edge.start(config, { fresh: true }));
  }

  /** Returns when nothing is being applied any more; nothing will be: an edge that is then stopped is not started again. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled([this.#running, this.#next, ...this.#orders]);
  }

  async #order(give: () => Promise<void>): Promise<void> {
    if (this.#closed) throw new Error("the router is closed");
    const order = give();
    this.#orders.add(order);
    await order.finally(() => this.#orders.delete(order));
  }

  /**
   * Takes ports that another program still has: first everything is in force at ports that nobody knows, then `free` has the other let
   * go, and the edge asks for its own until it gets them. So who comes in the next instant is answered by what is recorded. Safe to
   * repeat. Errors: EDGE_*, PORT_TAKEN when they do not become free.
   */
  async takeOver(ports: readonly number[], free: () => Promise<void>): Promise<void> {
    this.#elsewhere = ports;
    try {
      await this.sync();
      const config = this.#wanted;
      if (config !== null) await Promise.all([free(), this.#untilListening(config)]);
    } finally {
      this.#elsewhere = [];
    }
    await this.sync();
  }

  /** Forgets what is in force, so that the next `sync` applies everything again: after the edge itself was away. */
  forget(): void {
    this.#config = null;
    this.#table = null;
    this.#forgotten += 1;
  }

  async #untilListening(config: EdgeConfig): Promise<void> {
    const { clock, edge } = this.#deps;
    const until = clock.monotonicMs() + freeWithinMs;
    for (;;) {
      try {
        await this.#order(() => edge.start(config));
        this.#config = config;
        return;
      } catch (error) {
        if (!isSlipwayError(error) || error.code !== "PORT_TAKEN" || clock.monotonicMs() > until) throw error;
      }
      await clock.sleep(askAgainMs);
    }
  }

  async #apply(): Promise<void> {
    const { edge, base, log } = this.#deps;
    const forgotten = this.#forgotten;
    const environments = await this.#environments();
    const running = this.#justSeen(environments) ?? (await this.#deps.targets.observe({}));
    this.#wanted = edgeConfig(environments, base);
    const config = away(this.#wanted, this.#elsewhere);
    // What is forgotten meanwhile stays so: the edge that took this may be gone already.
    const remember = (config: EdgeConfig, table: RouteTable | null): void => {
      if (forgotten !== this.#forgotten) return;
      this.#config = config;
      this.#table = table;
    };
    let inForce = this.#table;
    if (!isDeepStrictEqual(config, this.#config)) {
      await edge.start(config);
      inForce = await edge.current();
      remember(config, inForce);
    }
    const generation = (inForce?.generation ?? 0) + 1;
    const table = routeTable(environments, running, generation);
    if (inForce !== null && isDeepStrictEqual({ ...table, generation: inForce.generation }, inForce)) return;
    await edge.apply(table);
    remember(config, table);
    log.info("edge.applied", { generation, routes: table.routes.length });
  }

  /** Null where it is old, or lacks anything that has traffic: a target that is away tells who watches it nothing. */
  #justSeen(environments: readonly EnvironmentTraffic[]): readonly RevisionStatus[] | null {
    const seen = this.#seen;
    this.#seen = null;
    if (seen === null || this.#deps.clock.monotonicMs() - seen.atMs >= freshMs) return null;
    const known = new Set(seen.running.map(({ id }) => id));
    const routed = environments.flatMap(({ traffic }) => Object.values(traffic.services).flat());
    return routed.every(({ revision }) => known.has(revision)) ? seen.running : null;
  }

  async #environments(): Promise<EnvironmentTraffic[]> {
    const { db } = this.#deps.store;
    const rows = await db
      .selectFrom("environment")
      .select(["name", "product", "traffic"])
      .orderBy("product")
      .orderBy("name")
      .execute();
    const asleep = await this.#asleep(rows);
    const result: EnvironmentTraffic[] = [];
    for (const row of rows) {
      const traffic = JSON.parse(row.traffic) as Traffic;
      if (traffic.routesOf === null) continue;
      const { spec } = await releaseView(db, traffic.routesOf, row.name);
      if (!this.#deps.isHere(spec.edge)) continue;
      const kept = traffic.keepsRoutesOf;
      result.push({
        traffic,
        spec,
        kept: kept === undefined ? null : (await releaseView(db, kept, row.name)).spec,
        asleep: asleep.has(row.name),
      });
    }
    return result;
  }

  async #asleep(rows: readonly { readonly name: EnvironmentName }[]): Promise<ReadonlySet<EnvironmentName>> {
    // Nobody who has no previews pays for the question.
    if (rows.every(({ name }) => templateOf(name) === null)) return new Set();
    const { db } = this.#deps.store;
    const resting = db.selectFrom("preview").select("name").where("phase", "in", ["asleep", "waking"]);
    return new Set((await resting.execute()).map(({ name }) => name));
  }
}

/** The same listeners, with a port that the system chooses in the place of these. */
function away(config: EdgeConfig, ports: readonly number[]): EdgeConfig {
  if (ports.length === 0) return config;
  const moved = (port: number) => (ports.includes(port) ? 0 : port);
  return { ...config, listeners: config.listeners.map((listener) => ({ ...listener, port: moved(listener.port) })) };
}
