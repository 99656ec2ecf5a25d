import { self } from "../../core/actor.ts";
import type { EnvironmentName, ReleaseId } from "../../core/ids.ts";
import type { EnvironmentSpec, ScaleSpec, ServiceSpec } from "../../core/product/spec.ts";
import { instancesNow } from "../../core/scale/count.ts";
import { afterDecision, decideScale, type ScaleDecision, type TargetReading } from "../../core/scale/decide.ts";
import { parseScaleTarget, targetQuery } from "../../core/scale/target.ts";
import type { ScaleRow } from "../../ports/tables.ts";
import { openDeployments } from "../deploy/open.ts";
import { appendHistory } from "../history.ts";
import { releaseView } from "../release/read.ts";
import { Rounds } from "../rounds.ts";
import { Troubles } from "../troubles.ts";
import type { World } from "../world.ts";
import { admit } from "./admit.ts";
import { heldOf, pastOf, scaleRows } from "./held.ts";
import type { ScaleStanding } from "./standings.ts";

/** How often it is looked. */
const lookMs = 1_000;

type Place = {
  readonly product: string;
  readonly environment: EnvironmentName;
  readonly release: ReleaseId;
  readonly spec: EnvironmentSpec;
  readonly rows: readonly ScaleRow[];
  /** Why nothing may be changed in the whole environment. */
  readonly busy: string | null;
};

type Scaled = ServiceSpec & { readonly scale: ScaleSpec };

type Begun = {
  readonly service: Scaled;
  readonly count: number;
  readonly decision: ScaleDecision;
  readonly row: ScaleRow | undefined;
};

/** Looks at every service that scales, and begins what is decided. One error stops nothing but itself. */
export class Scaler {
  readonly #world: World;
  readonly #rounds: Rounds;
  readonly #troubles: Troubles;

  constructor(world: World) {
    this.#world = world;
    this.#rounds = new Rounds(world.clock, lookMs, () => this.#troubles.guarded("scale", () => this.#look()));
    this.#troubles = new Troubles(this.#rounds.signal, (what, reason) =>
      world.log.warn("scale.trouble", { what, reason }),
    );
  }

  open(): void {
    this.#rounds.open();
  }

  close(): Promise<void> {
    return this.#rounds.close();
  }

  async #look(): Promise<void> {
    const { store, scalings } = this.#world;
    const environments = await store.db
      .selectFrom("environment")
      .select(["product", "name", "live_release_id"])
      .where("live_release_id", "is not", null)
      .orderBy("name")
      .execute();
    const seen = new Set<string>();
    for (const { product, name: environment, live_release_id: release } of environments) {
      if (release === null) continue;
      const { spec } = await releaseView(store.db, release, environment);
      const scaled = Object.values<ServiceSpec>(spec.services).filter((service) => service.scale !== undefined);
      if (scaled.length === 0) continue;
      const place = await this.#placeOf({ product, environment, release, spec });
      for (const service of scaled) {
        const key = `${environment}/${release}/${service.name}`;
        seen.add(key);
        await this.#troubles.guarded(key, () => this.#lookAt(key, place, service as Scaled));
      }
    }
    for (const key of scalings.keys()) if (!seen.has(key)) scalings.delete(key);
  }

  async #placeOf(at: Pick<Place, "product" | "environment" | "release" | "spec">): Promise<Place> {
    const { db } = this.#world.store;
    const [open] = await openDeployments(db, at);
    const rows = await scaleRows(db, at);
    const under = rows.find(({ operation }) => operation !== null);
    const busy =
      open !== undefined
        ? `${open.id} is under way`
        : under !== undefined
          ? `${under.service} is being brought to ${under.wanted}`
          : null;
    return { ...at, rows, busy };
  }

  async #lookAt(key: string, place: Place, service: Scaled): Promise<void> {
    const { metrics, scalings, clock } = this.#world;
    const row = place.rows.find((each) => each.service === service.name);
    const count = instancesNow(place.spec, service, row === undefined ? undefined : heldOf(row));
    const now = metrics.time.now();
    const before = scalings.get(key);
    const since = before?.count === count ? before.since : now;
    const decision = decideScale({
      spec: service.scale,
      count,
      readings: this.#readings(place, service, before === undefined ? Number.POSITIVE_INFINITY : now - since),
      state: before?.decision.next ?? null,
      past: pastOf(row),
      held: whyHeld(place, row),
      now,
      wallNow: clock.now(),
    });
    const standing: ScaleStanding = {
      ...place,
      service,
      count,
      since,
      row,
      decision,
      suggested: before?.suggested ?? null,
    };
    scalings.set(key, standing);
    if (decision.do === "hold") {
      const isQuiet = decision.next !== null && decision.next.up === null && decision.next.down === null;
      if (isQuiet) scalings.set(key, { ...standing, suggested: null });
    } else if (service.scale.suggest) await this.#suggest(key, standing);
    else await this.#begin(place, { service, count, decision, row });
  }

  #readings({ environment, release, spec }: Place, service: Scaled, sinceMs: number): TargetReading[] {
    const declared = (spec.metrics ?? []).map(({ name }) => name);
    return service.scale.targets.flatMap((line) => {
      const parsed = parseScaleTarget(line, declared);
      // A release of another version may say what this one does not understand: it says nothing then.
      if (parsed.is === "wrong") {
        this.#troubles.say(`${environment}/${service.name} ${line}`, parsed.why);
        return [];
      }
      const { target } = parsed;
      const query = targetQuery(target, { environment, release, service: service.name }, sinceMs);
      return [{ target, measured: this.#world.metrics.measure(query) }];
    });
  }

  async #begin(place: Place, { service, count, decision, row }: Begun): Promise<void> {
    const { store, changes, log, clock } = this.#world;
    const { product, environment, release } = place;
    const admitted = await store.db.transaction().execute((trx) =>
      admit(this.#world, trx, {
        product,
        environment,
        service: service.name,
        onlyOf: { release, count },
        to: () => decision.to,
        mode: "auto",
        past: afterDecision(service.scale, pastOf(row), decision, clock.now()),
        actor: self,
        reason: () => decision.reason,
      }),
    );
    // What has come in between is seen by the next look.
    if (admitted.is === "refused") return;
    log.info("service.scaling", { environment, service: service.name, reason: decision.reason });
    await admitted.go();
    changes.announce();
  }

  /** Once for as long as it would do the same. */
  async #suggest(key: string, standing: ScaleStanding): Promise<void> {
    const { store, changes, scalings, clock } = this.#world;
    const { product, environment, release, service, decision } = standing;
    if (standing.suggested === decision.to) return;
    await store.db.transaction().execute((trx) =>
      appendHistory(trx, {
        at: clock.now(),
        product,
        environment,
        release,
        event: "service.scale-suggested",
        actor: self,
        reason: `${service.name} ${decision.reason} (only suggested)`,
      }),
    );
    scalings.set(key, { ...standing, suggested: decision.to });
    changes.announce();
  }
}

function whyHeld({ busy }: Place, row: ScaleRow | undefined): string | null {
  if (busy !== null) return busy;
  return row?.mode === "hand" ? `set by ${row.actor} (${row.reason})` : null;
}
