import type { EpochMs } from "../../core/ids.ts";
import { linkedSignal } from "../../lib/linked-signal.ts";
import { Troubles } from "../troubles.ts";
import type { World } from "../world.ts";
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
  readonly #stop = new AbortController();
  #done: Promise<void> = Promise.resolve();
  readonly #troubles: Troubles;

  constructor(world: World) {
    this.#world = world;
    this.#troubles = new Troubles(this.#stop.signal, (what, reason) =>
      world.log.warn("gates.not-looked-at", { what, reason }),
    );
  }

  open(): void {
    this.#done = this.#run();
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error("the control plane is closing"));
    await this.#done;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    const { changes, clock } = this.#world;
    let waits = false;
    while (!signal.aborted) {
      const over = new AbortController();
      const either = linkedSignal([signal, over.signal]);
      // Taken before the store is read: what changes meanwhile is looked at again.
      const changed = changes
        .next(either.signal, waits ? "any" : "gated")
        .then(() => clock.sleep(calmMs, either.signal))
        .catch(() => {});
      const look = await this.#look();
      // Before it was known that something waits, only that was listened for.
      const isDeaf = look.waits && !waits;
      waits = look.waits;
      const waitMs = isDeaf ? 0 : Math.max(0, Math.min(lookMs, look.at === null ? lookMs : look.at - clock.now()));
      await Promise.race([changed, clock.sleep(waitMs, either.signal).catch(() => {})]);
      over.abort(decided);
      either.release();
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

/** Made once: a reason that is made costs a stack each time. */
const decided = new Error("this look is over");
