import { SlipwayError } from "../../core/errors/error.ts";
import { environmentName } from "../../core/ids.ts";
import type { KnownRef } from "../../core/triggers/decide.ts";
import { refKey, type TriggerEvent } from "../../core/triggers/event.ts";
import { keptTriggers, type TriggerSettings, triggerSettings } from "../../core/triggers/settings.ts";
import type { Db, Trx } from "../../ports/store.ts";
import type { TriggerConfigRow } from "../../ports/tables.ts";
import { appendHistory } from "../history.ts";
import { readProductConfig } from "../release/config.ts";
import type { World } from "../world.ts";

/** Where secrets of webhooks are kept: beside those of the environments, and never given to a service or a step. */
export const triggersPlace = environmentName("triggers");

/** What begins with the clock. */
export const scheduleKind = "trigger-schedule.v1";

export type InForce = { readonly row: TriggerConfigRow; readonly settings: TriggerSettings };

/** The triggers in force. Errors: NOT_FOUND. */
export async function settingsOf(db: Db | Trx, product: string): Promise<InForce> {
  const found = await findSettings(db, product);
  if (found !== null) return found;
  throw new SlipwayError("NOT_FOUND", {
    message: `no triggers of ${product} are in force`,
    hint: "run: slipway triggers apply",
  });
}

export async function findSettings(db: Db | Trx, product: string): Promise<InForce | null> {
  const row = await db.selectFrom("trigger_config").selectAll().where("product", "=", product).executeTakeFirst();
  return row === undefined ? null : { row, settings: keptTriggers(row.settings) };
}

export async function knownRef(trx: Trx, product: string, event: TriggerEvent): Promise<KnownRef | null> {
  if (!("ref" in event)) return null;
  const row = await trx
    .selectFrom("trigger_ref")
    .select(["before", "after"])
    .where("product", "=", product)
    .where("ref", "=", refKey(event.ref))
    .executeTakeFirst();
  return row ?? null;
}

/**
 * Puts the triggers of the config as it stands in the working tree in force, or, where it has none, takes those in force away. Not
 * those of a pushed commit: who may push to a branch could map it to production. Safe to repeat. Errors: CONFIG_*, GIT_*.
 */
export async function applyTriggers(
  world: World,
  { product, repository, actor }: { readonly product: string; readonly repository: string; readonly actor: string },
): Promise<TriggerSettings | null> {
  await world.source.resolve(repository, "HEAD");
  const config = await readProductConfig(world, { directory: repository, workingTree: repository }, product);
  const settings = triggerSettings(config);
  const before = await findSettings(world.store.db, product);
  // First what may be refused: a cron or a time zone that is none.
  await declareSchedules(world, product, { before: before?.settings ?? null, now: settings });
  await world.store.db.transaction().execute(async (trx) => {
    if (settings === null) await trx.deleteFrom("trigger_config").where("product", "=", product).execute();
    else {
      const row: TriggerConfigRow = {
        product,
        repository,
        settings: JSON.stringify(settings),
        applied_at: world.clock.now(),
        applied_by: actor,
        polled_at: null,
        poll_error: null,
      };
      await trx
        .insertInto("trigger_config")
        .values(row)
        .onConflict((known) => known.column("product").doUpdateSet(row))
        .execute();
    }
    const event = settings === null ? "triggers.removed" : "triggers.applied";
    const reason = settings === null ? "the config has none" : `of ${repository}`;
    await appendHistory(trx, { at: world.clock.now(), product, event, actor, reason });
  });
  world.changes.announce();
  return settings;
}

async function declareSchedules(
  { engine }: Pick<World, "engine">,
  product: string,
  { before, now }: { readonly before: TriggerSettings | null; readonly now: TriggerSettings | null },
): Promise<void> {
  const kept = now?.schedules ?? [];
  for (const { name, cron, timeZone } of kept)
    await engine.schedule(scheduleName(product, name), cron, scheduleKind, { product, schedule: name }, timeZone);
  for (const { name } of before?.schedules ?? [])
    if (!kept.some((one) => one.name === name))
      await engine.schedule(scheduleName(product, name), null, scheduleKind, null);
}

const scheduleName = (product: string, name: string): string => `trigger/${product}/${name}`;
