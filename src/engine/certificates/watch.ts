import { self } from "../../core/actor.ts";
import { standingOf } from "../../core/certificates/standing.ts";
import { type CertificateTold, certificateNews } from "../../core/certificates/watch.ts";
import { timeText } from "../../core/gates/window.ts";
import type { EnvironmentName, EpochMs, ReleaseId } from "../../core/ids.ts";
import type { Notice } from "../../core/judge/rule/notice.ts";
import type { EnvironmentSpec } from "../../core/product/spec.ts";
import type { CertificateStatus } from "../../ports/edge.ts";
import type { Db } from "../../ports/store.ts";
import { appendHistory } from "../history.ts";
import { tellPeople } from "../recover/tell.ts";
import { releaseView } from "../release/read.ts";
import { Rounds } from "../rounds.ts";
import { listenersOf } from "../traffic/listeners.ts";
import type { EdgeSite } from "../traffic/sites.ts";
import { Troubles } from "../troubles.ts";
import type { World } from "../world.ts";

/** Long enough that two looks do not meet one attempt of a renewal, short enough for certificates that live for hours. */
const lookMs = 600_000;
const sendMs = 20_000;
const toldEvent = "certificate.told";

/** An environment with something live behind an edge with TLS. */
type Place = {
  readonly product: string;
  readonly environment: EnvironmentName;
  readonly release: ReleaseId;
  readonly spec: EnvironmentSpec;
};

/** What the history says of one certificate: what it was last, since when it is not well, and what people were told last. */
type Recorded = {
  readonly is: CertificateTold;
  readonly reason: string;
  readonly since: EpochMs;
  readonly heard: CertificateTold;
};

/**
 * Looks at the certificates of every edge by itself. Each turn is in the history first, where a later control plane finds it again; then
 * everybody whom the release names as a notifier is told. Who could not be told is told at the next look. An edge that does not answer
 * says nothing of its certificates, and holds up no other.
 */
export class CertificateWatch {
  readonly #world: World;
  readonly #rounds: Rounds;
  readonly #troubles: Troubles;

  constructor(world: World) {
    this.#world = world;
    this.#rounds = new Rounds(world.clock, lookMs, () => this.#troubles.guarded("certificates", () => this.look()));
    this.#troubles = new Troubles(this.#rounds.signal, (what, reason) =>
      world.log.warn("certificates.not-watched", { what, reason }),
    );
  }

  open(): void {
    this.#rounds.open();
  }

  close(): Promise<void> {
    return this.#rounds.close();
  }

  /** One look at everything. */
  async look(): Promise<void> {
    const { edges, certificates, changes, store } = this.#world;
    const places = await placesOf(store.db);
    certificates.keep(places);
    for (const site of edges.all()) {
      const here = places.filter(({ spec: { edge } }) => isSame(edge, site.place));
      if (here.length === 0) continue;
      await this.#troubles.guarded(site.edge.name, async () => {
        const all = await site.edge.certificates();
        for (const place of here)
          await this.#lookAt(
            place,
            all.filter((one) => isOf(place, one)),
          );
      });
    }
    changes.announce();
  }

  async #lookAt(place: Place, all: readonly CertificateStatus[]): Promise<void> {
    const { certificates, clock, store } = this.#world;
    const before = new Map(certificates.of(place).map(({ hosts, is }) => [hosts.join(", "), is]));
    const recorded = await recordedOf(store.db, place);
    const now = clock.now();
    certificates.set(
      place,
      all.map((seen) => ({ hosts: seen.hosts, ...standingOf(seen, now) })),
    );
    for (const seen of all) {
      const hosts = seen.hosts.join(", ");
      const told = recorded.get(hosts)?.is ?? "well";
      const news = certificateNews({ seen, before: before.get(hosts) ?? null, told }, now);
      if (news !== null)
        await this.#record(place, hosts, { event: `certificate.${news.is}`, reason: news.reason }, seen);
    }
    for (const [hosts, { is, heard, ...more }] of await recordedOf(store.db, place))
      if (is !== heard)
        await this.#troubles.guarded(`notice of ${hosts}`, () => this.#tell(place, hosts, { is, ...more }));
  }

  async #tell(place: Place, hosts: string, { is, reason, since }: Omit<Recorded, "heard">): Promise<void> {
    const { product, environment, release, spec } = place;
    const names = Object.keys(spec.notifiers ?? {});
    if (names.length === 0) return;
    const notice: Notice = {
      is: is === "well" ? "resolved" : "fired",
      product,
      environment,
      rule: `certificate of ${hosts}`,
      text: "slipway doctor",
      severity: is === "missing" || is === "ended" ? "critical" : "warning",
      reason,
      actions: [],
      startedAt: since,
      endedAt: is === "well" ? this.#world.clock.now() : null,
    };
    const signal = AbortSignal.any([this.#rounds.signal, AbortSignal.timeout(sendMs)]);
    await tellPeople(this.#world, { release, names: null }, notice, signal);
    await this.#record(place, hosts, { event: toldEvent, reason: `told ${names.join(", ")}: ${reason}`, is });
  }

  async #record(
    { product, environment, release }: Place,
    hosts: string,
    { event, reason, is }: { readonly event: string; readonly reason: string; readonly is?: CertificateTold },
    seen?: CertificateStatus,
  ): Promise<void> {
    const { store, clock, log } = this.#world;
    const evidence = [
      ["hosts", hosts] as const,
      ...(is === undefined ? [] : [["is", is] as const]),
      ...(seen === undefined || seen.notAfter === 0
        ? []
        : ([
            ["issuer", seen.issuer],
            ["ends", timeText(seen.notAfter, "UTC")],
          ] as const)),
    ];
    const entry = { at: clock.now(), product, environment, release, event, actor: self, reason, evidence };
    await store.db.transaction().execute((trx) => appendHistory(trx, entry));
    log.info(event, { environment, hosts, reason });
  }
}

async function placesOf(db: Db): Promise<readonly Place[]> {
  const rows = await db
    .selectFrom("environment")
    .select(["product", "name", "live_release_id"])
    .where("live_release_id", "is not", null)
    .orderBy("name")
    .execute();
  const places: Place[] = [];
  for (const { product, name: environment, live_release_id: release } of rows) {
    if (release === null) continue;
    const { spec } = await releaseView(db, release, environment);
    if (spec.edge.tls !== null) places.push({ product, environment, release, spec });
  }
  return places;
}

function isSame(edge: EdgeSite["place"], place: EdgeSite["place"]): boolean {
  return edge.driver === place.driver && edge.server === place.server;
}

/** One address may speak TLS for several environments: each has its own names. */
function isOf({ spec }: Place, { listener, hosts }: CertificateStatus): boolean {
  return listenersOf(spec).some(({ name, tls }) => {
    if (name !== listener || tls === null) return false;
    const named = [...tls.certificates.flatMap((each) => each.hosts), ...(tls.acme?.hosts ?? [])];
    return hosts.some((host) => named.includes(host));
  });
}

/** By the hosts of each certificate. */
async function recordedOf(db: Db, { product, environment }: Place): Promise<ReadonlyMap<string, Recorded>> {
  const rows = await db
    .selectFrom("history")
    .select(["at", "event", "reason", "evidence"])
    .where("product", "=", product)
    .where("environment", "=", environment)
    .where("event", "like", "certificate.%")
    .orderBy("id")
    .execute();
  const found = new Map<string, Recorded>();
  for (const { at, event, reason, evidence } of rows) {
    const said = new Map(JSON.parse(evidence) as [string, string][]);
    const hosts = said.get("hosts") ?? "";
    const known = found.get(hosts) ?? { is: "well", reason: "", since: at, heard: "well" };
    if (event === toldEvent) found.set(hosts, { ...known, heard: said.get("is") as CertificateTold });
    else {
      const is = event.slice("certificate.".length) as CertificateTold;
      found.set(hosts, { ...known, is, reason, since: known.is === "well" ? at : known.since });
    }
  }
  return found;
}
