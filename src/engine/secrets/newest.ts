import type { EnvironmentName } from "../../core/ids.ts";
import type { Secret } from "../../core/secret.ts";
import type { World } from "../world.ts";

/** The newest value of a secret, or null when it is not set. Errors: SECRET_UNREADABLE. */
export async function newestSecret(
  { store, vault }: Pick<World, "store" | "vault">,
  at: { readonly product: string; readonly environment: EnvironmentName; readonly name: string },
): Promise<Secret | null> {
  const row = await store.db
    .selectFrom("secret")
    .selectAll()
    .where("product", "=", at.product)
    .where("environment", "=", at.environment)
    .where("name", "=", at.name)
    .orderBy("version", "desc")
    .executeTakeFirst();
  if (row?.sealed == null || row.fingerprint === "") return null;
  return vault.open(row.sealed, { ...at, version: row.version });
}
