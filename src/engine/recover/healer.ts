import { defaultHealing } from "../../core/recover/healing.ts";
import { whichInstance } from "../health/evidence.ts";
import type { InstanceReport } from "../health/health-watch.ts";
import type { HealthSource, Serving } from "../metrics/health-source.ts";
import { Rounds } from "../rounds.ts";
import { Troubles } from "../troubles.ts";
import type { World } from "../world.ts";
import { decideHealing } from "./decide.ts";
import { type Life, lifeOf } from "./life.ts";

const lookMs = 1_000;

type Sick = {
  readonly life: Life;
  readonly saw: string;
  readonly limit: number;
  readonly afterMs: number;
  /** What it still has for its start, where it was never healthy. */
  readonly startMs: number;
};

/**
 * Has unhealthy instances of what serves restarted, one of a service at a time, and gives up where that does not help. What ended by
 * itself is its target's to start again.
 */
export class Healer {
  readonly #world: World;
  readonly #health: Pick<HealthSource, "serving" | "report">;
  readonly #rounds: Rounds;
  readonly #troubles: Troubles;
  /** From when on each life counts as unhealthy, on the clock that nobody sets; it was so at every look since. */
  readonly #sickSinceMs = new Map<string, number>();
  /** Lives that have been healthy once. */
  readonly #wasWell = new Set<string>();
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
    for (const life of this.#sickSinceMs.keys()) if (!seen.has(life)) this.#sickSinceMs.delete(life);
    for (const life of this.#over) if (!seen.has(life)) this.#over.delete(life);
    const now = this.#world.clock.monotonicMs();
    for (const { life, saw, limit, afterMs, startMs } of sick) {
      const since = this.#sickSinceMs.get(lifeOf(life)) ?? now + startMs;
      this.#sickSinceMs.set(lifeOf(life), since);
      const sickForMs = now - since;
      const at = `${life.environment}/${life.service}`;
      const isWaiting = sickForMs < afterMs || this.#busy.has(at);
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
    this.#noteWell(all.map(({ report }) => report));
    const found = all.filter(({ report }) => isSick(report));
    if (found.length === 0) return [];
    const rows = await this.#world.store.db.selectFrom("environment").select(["product", "name"]).execute();
    return found.flatMap(({ serving, report }): Sick[] => {
      const product = rows.find(({ name }) => name === serving.environment)?.product;
      const life = product === undefined ? null : lifeIn(product, serving, report);
      if (life === null) return [];
      const { healing = defaultHealing, deadlineMs } = serving.health;
      const livedMs = Math.max(0, this.#world.clock.now() - life.startedAt);
      const startMs = this.#wasWell.has(lifeOf(life)) ? 0 : Math.max(0, deadlineMs - livedMs);
      const saw = report.health.last?.saw ?? "nothing";
      return [{ life, saw, startMs, limit: healing.limit, afterMs: healing.afterMs }];
    });
  }

  #noteWell(reports: readonly InstanceReport[]): void {
    const there = new Set(reports.map(keyOf));
    for (const life of this.#wasWell) if (!there.has(life)) this.#wasWell.delete(life);
    for (const report of reports) if (report.health.is === "healthy") this.#wasWell.add(keyOf(report));
  }

  /** The same trouble again is not news. */
}

/** Of a place that is away nobody knows how it is now, and nobody could restart it. One that starts is not well yet. */
function isSick({ status, health }: InstanceReport): boolean {
  if (status.state !== "running" || status.lastSeen !== undefined) return false;
  return health.is === "unhealthy" || (health.is === "unknown" && health.last?.healthy === false);
}

const keyOf = ({ status }: InstanceReport): string => lifeOf({ instance: status.id, startedAt: status.startedAt ?? 0 });

function lifeIn(product: string, serving: Serving, { status }: InstanceReport): Life | null {
  const { environment, service, revision, release } = serving;
  const { id: instance, startedAt } = status;
  if (startedAt === null) return null;
  return { product, environment, service, release, revision, instance, which: whichInstance(status), startedAt };
}
