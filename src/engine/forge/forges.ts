import type { ReportSettings, TriggerSettings } from "../../core/triggers/settings.ts";
import type { Forge } from "../../ports/forge.ts";
import type { TriggerConfigRow } from "../../ports/tables.ts";
import { newestSecret } from "../secrets/newest.ts";
import { findSettings, triggersPlace } from "../triggers/settings.ts";
import type { World } from "../world.ts";

export type OpenedForge = {
  readonly forge: Forge;
  readonly report: ReportSettings;
  readonly settings: TriggerSettings;
  readonly row: TriggerConfigRow;
};

/** The forges of the triggers in force. One is opened once as long as its settings are the same: it may hold a token. */
export class Forges {
  readonly #world: Pick<World, "store" | "vault" | "openForge">;
  readonly #open = new Map<string, { readonly of: string; readonly forge: Forge }>();

  constructor(world: Pick<World, "store" | "vault" | "openForge">) {
    this.#world = world;
  }

  /** Null: no triggers are in force, or they name no forge. */
  async of(product: string): Promise<OpenedForge | null> {
    const found = await findSettings(this.#world.store.db, product);
    const report = found?.settings.report ?? null;
    if (found === null || report === null) return null;
    const of = JSON.stringify(report);
    const known = this.#open.get(product);
    if (known?.of === of) return { ...found, report, forge: known.forge };
    const at = { product, environment: triggersPlace, name: report.token };
    const forge = this.#world.openForge(report, () => newestSecret(this.#world, at));
    this.#open.set(product, { of, forge });
    return { ...found, report, forge };
  }
}
