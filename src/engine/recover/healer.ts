import type { RevisionId } from "../../core/ids.ts";
import { defaultHealing } from "../../core/recover/healing.ts";
import type { HostStatus } from "../../ports/hosts.ts";
import { whichInstance } from "../health/evidence.ts";
import type { InstanceReport } from "../health/health-watch.ts";
import type { HealthSource, Serving } from "../metrics/health-source.ts";
import { releaseView } from "../release/read.ts";
import { Rounds } from "../rounds.ts";
import { Troubles } from "../troubles.ts";
import type { World } from "../world.ts";
import { decideHealing } from "./decide.ts";
import { KnownLives } from "./known-lives.ts";
import { type Life, lifeOf } from "./life.ts";

const lookMs = 1_000;

type Sick = {
  readonly life: Life;
  readonly saw: string;
  readonly limit: number;
  readonly afterMs: number;
  /** What it still has for its start, where it was never healthy. */
  readonly startMs: number;
  /** Null where its target has no hosts to speak of. */
  readonly host: HostStatus | null;
};

/** `askedMs`: when its host had last answered by then. Only one that has answered since is known to be there. */
type SickSince = { readonly atMs: number; readonly askedMs: number | null };

/**
 * Has unhealthy instances of what serves restarted, one of a service at a time, and gives up where that does not help. What ended by
 * itself is its target's to start again, and of what is on a host that does not answer nobody knows how it is.
 */
export class Healer {
  readonly #world: World;
  readonly #health: Pick<HealthSource, "serving" | "report">;
  readonly #rounds: Rounds;
  readonly #troubles: Troubles;
  /** From when on each life counts as unhealthy, on the clock that nobody sets; it was so at every look since. */
  readonly #sickSince = new Map<string, SickSince>();
  readonly #known = new KnownLives();
  /** Lives about which nothing is left to decide. */
  readonly #over = new Set<string>();
  /** Services with something under way. */
  readonly #busy = new Set<string>();

  constructor(world: World, health: Pick<HealthSource, "serving" | "report">) {
    this.#world = world;
    this.#health = health;
    this.#rounds = new Rounds(world.clock, lookMs, () => this.#troubles.guarded("healing", () => this.look()));
    this.#troubles = new Troubles(this.#rounds.signal, (_, reason) => world.log.warn("healing.failed", { reason }));
  }

  open(): void {
    this.#rounds.open();
  }

  close(): Promise<void> {
    return this.#rounds.close();
  }

  /** One look at everything. */
  async look(): Promise<void> {
    const sick = await this.#sick();
    const seen = new Set(sick.map(({ life }) => lifeOf(life)));
    for (const life of this.#sickSince.keys()) if (!seen.has(life)) this.#sickSince.delete(life);
    for (const life of this.#over) if (!seen.has(life)) this.#over.delete(life);
    const now = this.#world.clock.monotonicMs();
    for (const { life, saw, limit, afterMs, startMs, host } of sick) {
      const askedMs = host?.askedMs ?? null;
      const since = this.#sickSince.get(lifeOf(life)) ?? { atMs: now + startMs, askedMs };
      this.#sickSince.set(lifeOf(life), since);
      const sickForMs = now - since.atMs;
      const at = `${life.environment}/${life.service}`;
      // A host whose cable is out is known to be away some seconds after its probes fail.
      const isUnsure = host !== null && askedMs === since.askedMs;
      const isWaiting = sickForMs < afterMs || isUnsure || this.#busy.has(at);
      if (limit === 0 || isWaiting || this.#over.has(lifeOf(life))) continue;
      const { begun, isOver } = await decideHealing(this.#world, life, { is: "unhealthy", sickForMs, saw });
      if (isOver) this.#over.add(lifeOf(life));
      if (begun === null) continue;
      this.#busy.add(at);
      void this.#world.engine
        .ended(begun, this.#rounds.signal)
        .catch((error: unknown) => this.#troubles.failed("healing", error))
        .finally(() => this.#busy.delete(at));
    }
  }

  async #sick(): Promise<Sick[]> {
    const all = this.#health.serving.flatMap((serving) =>
      this.#health.report(serving.revision).map((report) => ({ serving, report })),
    );
    this.#note(all.map(({ report }) => report));
    const found = all.filter(({ report }) => isSick(report));
    if (found.length === 0) return [];
    const rows = await this.#world.store.db.selectFrom("environment").select(["product", "name"]).execute();
    const hosts = await this.#hostsOf(found.map(({ serving }) => serving));
    return found.flatMap(({ serving, report }): Sick[] => {
      const host = hostOf(report, hosts.get(serving.revision) ?? []);
      // Its patience begins when its host is back.
      if (host !== null && host.awayForMs !== null) return [];
      const product = rows.find(({ name }) => name === serving.environment)?.product;
      const life = product === undefined ? null : lifeIn(product, serving, report);
      if (life === null) return [];
      const { healing = defaultHealing, deadlineMs } = serving.health;
      const startMs = this.#known.startLeftMs(life, { deadlineMs, nowMs: this.#world.clock.monotonicMs() });
      const saw = report.health.last?.saw ?? "nothing";
      return [{ life, saw, startMs, limit: healing.limit, afterMs: healing.afterMs, host }];
    });
  }

  async #hostsOf(all: readonly Serving[]): Promise<ReadonlyMap<RevisionId, readonly HostStatus[]>> {
    const { store, targets } = this.#world;
    const found = new Map<RevisionId, readonly HostStatus[]>();
    for (const { revision, release, environment } of all) {
      if (found.has(revision)) continue;
      found.set(revision, targets.hosts((await releaseView(store.db, release, environment)).spec.target));
    }
    return found;
  }

  #note(reports: readonly InstanceReport[]): void {
    const { clock } = this.#world;
    const [nowMs, wallMs] = [clock.monotonicMs(), clock.now()];
    for (const { status, health } of reports) {
      const { id: instance, startedAt } = status;
      if (startedAt !== null)
        this.#known.see({ instance, startedAt }, { isWell: health.is === "healthy", wallMs, nowMs });
    }
    this.#known.forget(nowMs);
  }
}

/** Of a place that is away nobody knows how it is now, and nobody could restart it. One that starts is not well yet. */
function isSick({ status, health }: InstanceReport): boolean {
  if (status.state !== "running" || status.lastSeen !== undefined) return false;
  return health.is === "unhealthy" || (health.is === "unknown" && health.last?.healthy === false);
}

/** An instance of a target with a single host does not name it. */
function hostOf({ status }: InstanceReport, hosts: readonly HostStatus[]): HostStatus | null {
  const [only] = hosts;
  if (hosts.length === 1 && only !== undefined) return only;
  return hosts.find(({ name }) => name === status.host) ?? null;
}

function lifeIn(product: string, serving: Serving, { status }: InstanceReport): Life | null {
  const { environment, service, revision, release } = serving;
  const { id: instance, startedAt } = status;
  if (startedAt === null) return null;
  return { product, environment, service, release, revision, instance, which: whichInstance(status), startedAt };
}
