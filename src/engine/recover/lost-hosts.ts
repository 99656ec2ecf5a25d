import { self } from "../../core/actor.ts";
import type { EnvironmentName, ReleaseId } from "../../core/ids.ts";
import type { DockerTargetSpec, TargetSpec } from "../../core/product/spec.ts";
import { decideLostHost, defaultLostHost, type LostHost } from "../../core/recover/lost-host.ts";
import type { HostStatus } from "../../ports/hosts.ts";
import type { Db, Trx } from "../../ports/store.ts";
import { openDeployments } from "../deploy/open.ts";
import { appendHistory } from "../history.ts";
import { releaseView } from "../release/read.ts";
import { Rounds } from "../rounds.ts";
import { scaleRows } from "../scale/held.ts";
import { Troubles } from "../troubles.ts";
import type { World } from "../world.ts";

const lookMs = 1_000;

type Place = {
  readonly product: string;
  readonly environment: EnvironmentName;
  readonly release: ReleaseId;
  readonly target: DockerTargetSpec;
  readonly hosts: readonly HostStatus[];
};

/**
 * Gives up hosts that do not answer for too long, where the config says so: from then on what is missing starts on the others, as
 * everything that is missing does. It is recorded first. One that answers again is told of, and what is one too many there is stopped.
 */
export class LostHosts {
  readonly #world: World;
  readonly #rounds: Rounds;
  readonly #troubles: Troubles;
  /** Hosts that are recorded as lost, by place: read once, because nobody else records it. */
  readonly #lost = new Map<string, ReadonlySet<string>>();

  constructor(world: World) {
    this.#world = world;
    this.#rounds = new Rounds(world.clock, lookMs, () => this.#troubles.guarded("hosts", () => this.look()));
    this.#troubles = new Troubles(this.#rounds.signal, (_, reason) => world.log.warn("hosts.not-judged", { reason }));
  }

  open(): void {
    this.#rounds.open();
  }

  close(): Promise<void> {
    return this.#rounds.close();
  }

  /** One look at everything. */
  async look(): Promise<void> {
    const { db } = this.#world.store;
    const places = await placesOf(this.#world);
    for (const place of places) {
      const lost = await this.#lostAt(place);
      for (const host of place.hosts) {
        if (host.awayForMs === null && host.askedMs !== null && lost.has(host.name)) await this.#back(place, host);
        if (host.awayForMs === null || (host.givenUp && lost.has(host.name))) continue;
        const held = await heldBy(db, places, place.target);
        const decision = decide(place, host, { held, knownLost: lost.has(host.name) });
        if (decision.do === "wait") continue;
        if (!lost.has(host.name)) await this.#record(place, host, "host.lost", decision.reason);
        this.#world.targets.giveUp(host.url);
        this.#world.changes.announce();
      }
    }
  }

  async #lostAt(place: Place): Promise<ReadonlySet<string>> {
    const known = this.#lost.get(keyOf(place));
    if (known !== undefined) return known;
    const lost = await lostBefore(this.#world.store.db, place);
    this.#lost.set(keyOf(place), lost);
    return lost;
  }

  #back(place: Place, host: HostStatus): Promise<void> {
    const reason = `host ${host.name} answers again; what is one too many there is stopped`;
    return this.#record(place, host, "host.back", reason);
  }

  async #record({ product, environment, release }: Place, host: HostStatus, event: string, reason: string) {
    const { store, clock, log, changes } = this.#world;
    const evidence = [["host", host.name] as const];
    const entry = { at: clock.now(), product, environment, release, event, actor: self, reason, evidence };
    this.#lost.delete(keyOf({ product, environment }));
    await store.db.transaction().execute((trx) => appendHistory(trx, entry));
    log.warn(event, { environment, host: host.name, reason });
    changes.announce();
  }
}

/** Hosts of an environment's target that do not answer, and what is done about them, for whoever asks. Changes nothing. */
export async function awayHosts(
  world: World,
  at: { readonly product: string; readonly environment: EnvironmentName; readonly target: TargetSpec },
): Promise<readonly { readonly host: string; readonly says: string }[]> {
  const { target } = at;
  if (target.driver !== "docker") return [];
  const hosts = world.targets.hosts(target);
  const away = hosts.filter(({ awayForMs }) => awayForMs !== null);
  if (away.length === 0) return [];
  const [open] = await openDeployments(world.store.db, at);
  const held = open === undefined ? null : `${open.id} is under way`;
  return away.map((host) => ({
    host: host.name,
    says: host.givenUp
      ? `host ${host.name} is given up until it answers; its instances run on other hosts`
      : `${decide({ target, hosts }, host, { held, knownLost: false }).reason}${target.whenAway === "skip" ? "; deployments go on without it" : ""}`,
  }));
}

function decide(
  { target, hosts }: Pick<Place, "target" | "hosts">,
  host: HostStatus,
  more: { readonly held: string | null; readonly knownLost: boolean },
): LostHost {
  return decideLostHost(host, hosts, { policy: target.lost ?? defaultLostHost, ...more });
}

/** Environments in which something is live on several hosts. */
async function placesOf({ store, targets }: World): Promise<readonly Place[]> {
  const rows = await store.db
    .selectFrom("environment")
    .select(["product", "name", "live_release_id"])
    .where("live_release_id", "is not", null)
    .execute();
  const places: Place[] = [];
  for (const { product, name: environment, live_release_id: release } of rows) {
    if (release === null) continue;
    const { target } = (await releaseView(store.db, release, environment)).spec;
    if (target.driver !== "docker" || target.hosts.length < 2) continue;
    places.push({ product, environment, release, target, hosts: targets.hosts(target) });
  }
  return places;
}

const keyOf = ({ product, environment }: Pick<Place, "product" | "environment">): string => `${product}/${environment}`;

/** What is under way in any environment that has a host of this target: nothing is moved under its feet. */
async function heldBy(db: Db, places: readonly Place[], { hosts }: DockerTargetSpec): Promise<string | null> {
  const urls = new Set(hosts.map(({ url }) => url));
  for (const place of places) {
    if (!place.target.hosts.some(({ url }) => urls.has(url))) continue;
    const [open] = await openDeployments(db, place);
    if (open !== undefined) return `${open.id} is under way in ${place.environment}`;
    const scaled = (await scaleRows(db, place)).find(({ operation }) => operation !== null);
    if (scaled !== undefined) return `${scaled.service} is being scaled in ${place.environment}`;
  }
  return null;
}

/** Hosts that have been given up here and were not heard of since, also by a control plane before this one. */
async function lostBefore(db: Db | Trx, { product, environment }: Place): Promise<ReadonlySet<string>> {
  const rows = await db
    .selectFrom("history")
    .select(["event", "evidence"])
    .where("product", "=", product)
    .where("environment", "=", environment)
    .where("event", "in", ["host.lost", "host.back"])
    .orderBy("id")
    .execute();
  const lost = new Set<string>();
  for (const { event, evidence } of rows) {
    const host = new Map(JSON.parse(evidence) as [string, string][]).get("host") ?? "";
    if (event === "host.lost") lost.add(host);
    else lost.delete(host);
  }
  return lost;
}
