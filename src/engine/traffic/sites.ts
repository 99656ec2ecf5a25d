import type { Traffic } from "../../core/deploy/traffic.ts";
import { reasonOf } from "../../core/errors/error.ts";
import type { EdgeSpec } from "../../core/product/spec.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Edge, EdgeConfig, EdgeSample } from "../../ports/edge.ts";
import type { Log } from "../../ports/log.ts";
import type { Store } from "../../ports/store.ts";
import type { Target } from "../../ports/target.ts";
import { releaseView } from "../release/read.ts";
import { EdgeCounts } from "./counts.ts";
import { Router } from "./router.ts";

/** Which edge an environment's requests come through. */
export type EdgePlace = Pick<EdgeSpec, "driver" | "server">;

/** One edge, what brings it to the recorded traffic, and what it counts. */
export type EdgeSite = {
  readonly place: EdgePlace;
  readonly edge: Edge;
  readonly router: Router;
  readonly counts: EdgeCounts;
};

type Deps = {
  readonly store: Store;
  readonly targets: Pick<Target, "observe">;
  readonly clock: Clock;
  readonly log: Log;
  readonly base: (place: EdgePlace) => Omit<EdgeConfig, "listeners" | "trustedProxies">;
  readonly make: (place: EdgePlace) => Edge;
  /** Told of every sample, by the edge's name. */
  readonly onSample?: (edge: string, sample: EdgeSample) => void;
};

/** The edges that environments use, each made when the first one names it. One that is in trouble holds up no other. */
export class EdgeSites {
  readonly #deps: Deps;
  readonly #sites = new Map<string, EdgeSite>();
  #closed = false;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** The one that a release's config names. */
  of({ driver, server }: EdgePlace): EdgeSite {
    const key = `${driver} ${server ?? ""}`;
    const known = this.#sites.get(key);
    if (known !== undefined) return known;
    // It would be started after all others were stopped.
    if (this.#closed) throw new Error("the edges are closed");
    const site = this.#open({ driver, server });
    this.#sites.set(key, site);
    return site;
  }

  all(): readonly EdgeSite[] {
    return [...this.#sites.values()];
  }

  /** Brings every edge to what is recorded; rejects with the first failure when all have been tried. Safe to repeat. */
  async sync(): Promise<void> {
    await this.discover();
    await allOf(this.all(), (site) => site.router.sync());
  }

  /** After edges may have been away: what is in force there is asked, not believed. */
  async look(): Promise<void> {
    await this.discover();
    await allOf(this.all(), async (site) => {
      if ((await site.edge.current().catch(() => null)) === null) site.router.forget();
      await site.router.sync();
    });
  }

  /** Every worker of every edge is replaced by one on the code on disk. Safe to repeat. */
  async renew(): Promise<void> {
    await this.discover();
    await allOf(this.all(), (site) => site.router.renew());
  }

  /** Makes the edges that the recorded traffic names. */
  async discover(): Promise<void> {
    const { db } = this.#deps.store;
    const rows = await db.selectFrom("environment").select(["name", "traffic"]).execute();
    for (const row of rows) {
      const { routesOf } = JSON.parse(row.traffic) as Traffic;
      if (routesOf !== null) this.of((await releaseView(db, routesOf, row.name)).spec.edge);
    }
  }

  /** Ends what is kept beside the edges; they go on, or are stopped as well when a grace is given. None is opened any more. */
  async close({ stopGraceMs }: { readonly stopGraceMs: number | null }): Promise<void> {
    this.#closed = true;
    await allOf(this.all(), async ({ counts, router, edge }) => {
      await counts.close();
      await router.close();
      if (stopGraceMs !== null) await edge.stop(stopGraceMs);
    });
  }

  #open(place: EdgePlace): EdgeSite {
    const { store, targets, clock, log, base, make, onSample = () => {} } = this.#deps;
    const name = place.server === null ? place.driver : `${place.driver} ${place.server}`;
    const edge = make(place);
    const isHere = (named: EdgePlace): boolean => named.driver === place.driver && named.server === place.server;
    const router = new Router({ store, targets, edge, clock, log, base: base(place), isHere });
    const onReturn = (): void => {
      router.forget();
      void router.sync().catch((error: unknown) => log.warn("edge.not-ready", { reason: reasonOf(error) }));
    };
    const counts = new EdgeCounts({ edge, clock, log, onReturn, onSample: (sample) => onSample(name, sample) });
    counts.open();
    // It comes up while the first release that needs it is being started.
    void router.sync().catch((error: unknown) => log.warn("edge.not-ready", { reason: reasonOf(error) }));
    return { place, edge, router, counts };
  }
}

async function allOf(sites: readonly EdgeSite[], work: (site: EdgeSite) => Promise<void>): Promise<void> {
  const results = await Promise.allSettled(sites.map(work));
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}
