import type { EpochMs } from "../../core/ids.ts";
import { Rounds } from "../rounds.ts";
import { Troubles } from "../troubles.ts";
import { untilChange } from "../until-change.ts";
import type { World } from "../world.ts";
import { refreshBudgets } from "./budgets.ts";
import { refreshConditions } from "./conditions.ts";
import { lookAtGates, refreshChanges } from "./look.ts";

/** How often gates are looked at, besides every change and every time at which one of them opens. */
const lookMs = 5_000;
/** A change is looked at this much later, with those that come meanwhile: what it makes happen goes first. */
const calmMs = 20;

/**
 * Looks at every deployment that waits at its gates, oldest first, whenever something changes and whenever a gate opens by the
 * clock. While none waits, only one that begins to is news. What waits is in the store and nowhere else, so a control plane that died in between has lost nothing.
 */
export class GateKeeper {
  readonly #world: World;
  readonly #rounds: Rounds;
  readonly #troubles: Troubles;
  /** Whether anything waited at the last look. */
  #waits = false;

  constructor(world: World) {
    this.#world = world;
    this.#rounds = new Rounds(world.clock, 0, () => this.#round());
    this.#troubles = new Troubles(this.#rounds.signal, (what, reason) =>
      world.log.warn("gates.not-looked-at", { what, reason }),
    );
  }

  open(): void {
    this.#rounds.open();
  }

  close(): Promise<void> {
    return this.#rounds.close();
  }

  async #round(): Promise<void> {
    const waited = this.#waits;
    const changed = untilChange(this.#world, this.#rounds.signal, { of: waited ? "any" : "gated", calmMs });
    try {
      const { waits, at } = await this.#look();
      this.#waits = waits;
      // Before it was known that something waits, only that was listened for.
      if (waits && !waited) return;
      const waitMs = at === null ? lookMs : Math.max(0, Math.min(lookMs, at - this.#world.clock.now()));
      // It closes.
      await changed.wait(waitMs).catch(() => {});
    } finally {
      changed.release();
    }
  }

  /** Whether anything waits, and when the next gate opens or expires by itself. */
  async #look(): Promise<{ readonly waits: boolean; readonly at: EpochMs | null }> {
    const times: EpochMs[] = [];
    const waiting = await this.#troubles.guarded("gates", () =>
      this.#world.store.db
        .selectFrom("deployment")
        .selectAll()
        .where("phase", "=", "gated")
        .orderBy("created_at")
        .execute(),
    );
    for (const row of waiting ?? []) {
      const at = await this.#troubles.guarded(row.id, async () => {
        await refreshChanges(this.#world, row);
        await refreshBudgets(this.#world, row);
        await refreshConditions(this.#world, row);
        const look = await this.#world.store.db.transaction().execute((trx) => lookAtGates(this.#world, trx, row.id));
        await look.go();
        if (look.moved) {
          this.#world.log.info("deployment.gates", { deployment: row.id, reason: look.decision?.reason });
          this.#world.changes.announce();
        }
        return look.decision?.lookAt ?? null;
      });
      if (at !== null) times.push(at);
    }
    return { waits: waiting === null || waiting.length > 0, at: times.length === 0 ? null : Math.min(...times) };
  }
}
