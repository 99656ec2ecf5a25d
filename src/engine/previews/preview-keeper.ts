import { reasonOf } from "../../core/errors/error.ts";
import { overAge } from "../../core/previews/decide.ts";
import type { PreviewsSpec } from "../../core/product/previews-spec.ts";
import type { PreviewRow } from "../../ports/tables.ts";
import { Rounds } from "../rounds.ts";
import { findSettings } from "../triggers/settings.ts";
import type { World } from "../world.ts";
import { endPreview, startLostRemoval } from "./remove.ts";
import { charge, previewOf } from "./rows.ts";

const lookMs = 2_000;
/** What runs is charged so often, besides every change of how much that is. */
const chargeMs = 60_000;
/** Who the history names when nobody asked. */
const self = "slipway";

/** Looks after the previews: those that are too old go, what runs is charged, and a removal that was cut short goes on. */
export class PreviewKeeper {
  readonly #world: World;
  readonly #rounds: Rounds;
  #lastTrouble = "";

  constructor(world: World) {
    this.#world = world;
    this.#rounds = new Rounds(world.clock, lookMs, () => this.#look());
  }

  open(): void {
    this.#rounds.open();
  }

  close(): Promise<void> {
    return this.#rounds.close();
  }

  async #look(): Promise<void> {
    const { store, log } = this.#world;
    try {
      const rows = await store.db.selectFrom("preview").selectAll().execute();
      if (rows.length === 0) return;
      const running = await this.#instances();
      for (const row of rows) await this.#lookAt(row, running.get(row.name) ?? 0);
      this.#lastTrouble = "";
    } catch (error) {
      const trouble = reasonOf(error);
      // The same trouble again is not news.
      if (!this.#rounds.signal.aborted && trouble !== this.#lastTrouble) log.warn("previews.look", { reason: trouble });
      this.#lastTrouble = trouble;
    }
  }

  async #instances(): Promise<ReadonlyMap<string, number>> {
    const counts = new Map<string, number>();
    for (const { environment, instances } of await this.#world.targets.observe({})) {
      const up = instances.filter(({ state }) => state !== "stopped" && state !== "exited").length;
      counts.set(environment, (counts.get(environment) ?? 0) + up);
    }
    return counts;
  }

  async #lookAt(row: PreviewRow, instances: number): Promise<void> {
    const { store, clock } = this.#world;
    const now = clock.now();
    if (row.phase === "removing") return startLostRemoval(this.#world, row);
    if (instances !== row.instances || (row.instances > 0 && now - row.charged_at >= chargeMs))
      await store.db.transaction().execute((trx) => charge(trx, row, now, instances));
    const policy = await this.#policy(row);
    if (policy === null) return;
    const reason = overAge(previewOf(row), policy, now);
    if (reason !== null)
      await endPreview(this.#world, { product: row.product, environment: row.name, actor: self, reason });
  }

  async #policy({ product, template }: PreviewRow): Promise<PreviewsSpec | null> {
    return (await findSettings(this.#world.store.db, product))?.settings.templates[template] ?? null;
  }
}
