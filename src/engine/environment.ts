import type { EnvironmentName } from "../core/ids.ts";
import type { Db, Trx } from "../ports/store.ts";
import type { EnvironmentRow } from "../ports/tables.ts";

/** The row of an environment; undefined before anything was deployed to it, or locked there. */
export function findEnvironment(
  db: Db | Trx,
  at: { readonly product: string; readonly environment: EnvironmentName },
): Promise<EnvironmentRow | undefined> {
  return db
    .selectFrom("environment")
    .selectAll()
    .where("product", "=", at.product)
    .where("name", "=", at.environment)
    .executeTakeFirst();
}
