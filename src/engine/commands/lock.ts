import { noTraffic } from "../../core/deploy/traffic.ts";
import { SlipwayError } from "../../core/errors/error.ts";
import type { EnvironmentName } from "../../core/ids.ts";
import type { Trx } from "../../ports/store.ts";
import { findEnvironment } from "../environment.ts";
import { appendHistory } from "../history.ts";
import { viewOf } from "../release/read.ts";
import type { World } from "../world.ts";

export type Lock = {
  readonly product: string;
  readonly environment: EnvironmentName;
  readonly actor: string;
  readonly reason: string;
};

/**
 * Keeps new deployments and promotions out until it is unlocked. What is under way goes on; a rollback passes.
 * Errors: ENVIRONMENT_LOCKED, UNKNOWN_ENVIRONMENT.
 */
export async function lock(world: World, { product, environment, actor, reason }: Lock): Promise<void> {
  const now = world.clock.now();
  await world.store.db.transaction().execute(async (trx) => {
    const before = await findEnvironment(trx, { product, environment });
    if (before?.locked_by != null) {
      throw new SlipwayError("ENVIRONMENT_LOCKED", {
        message: `${environment} is locked by ${before.locked_by}: ${before.locked_reason}`,
      });
    }
    if (before === undefined) await mustBeKnown(trx, product, environment);
    const locked = { locked_by: actor, locked_reason: reason, locked_at: now };
    await trx
      .insertInto("environment")
      .values({
        product,
        name: environment,
        live_release_id: null,
        traffic: JSON.stringify(noTraffic),
        updated_at: now,
        ...locked,
      })
      .onConflict((conflict) => conflict.columns(["product", "name"]).doUpdateSet(locked))
      .execute();
    await appendHistory(trx, { at: now, product, environment, event: "environment.locked", actor, reason });
  });
  world.changes.announce();
}

/** Lets deployments in again. Does nothing when it was not locked. */
export async function unlock(world: World, { product, environment, actor, reason }: Lock): Promise<void> {
  const now = world.clock.now();
  await world.store.db.transaction().execute(async (trx) => {
    const result = await trx
      .updateTable("environment")
      .set({ locked_by: null, locked_reason: null, locked_at: null })
      .where("product", "=", product)
      .where("name", "=", environment)
      .where("locked_by", "is not", null)
      .executeTakeFirst();
    if (result.numUpdatedRows === 0n) return;
    await appendHistory(trx, { at: now, product, environment, event: "environment.unlocked", actor, reason });
  });
  world.changes.announce();
}

/** A lock with a typing error would hold nobody. Before the first release nobody can know better. */
async function mustBeKnown(trx: Trx, product: string, environment: EnvironmentName): Promise<void> {
  const newest = await trx
    .selectFrom("release")
    .selectAll()
    .where("product", "=", product)
    .orderBy("number", "desc")
    .executeTakeFirst();
  if (newest !== undefined) viewOf(newest, environment);
}
