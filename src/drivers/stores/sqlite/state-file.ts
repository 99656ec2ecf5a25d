import { statSync } from "node:fs";
import { CompiledQuery, Kysely, sql } from "kysely";
import { keepingQueries } from "../../../store/kept-queries.ts";
import { appliedMigrations, pendingMigrations } from "../../../store/migrate.ts";
import type { Migration } from "../../../store/migrations/migration.ts";
import { connect } from "./connection.ts";
import { dialectOf, KeptConnection } from "./driver.ts";
import { corruptStore } from "./errors.ts";

/** A whole check reads the whole file; above this only its head and schema are read when a store is opened. */
const maxCheckedAtOpenBytes = 128 * 1024 * 1024;

const maxFindings = 10;

/** How a state is kept: on disk when a commit returns; references checked; REPLACE refused where DELETE is. */
const pragmas = [
  "busy_timeout = 5000",
  "synchronous = full",
  "foreign_keys = on",
  "recursive_triggers = on",
  "journal_size_limit = 67108864",
];

/** Opens the file for reading and writing; `delete` for one that is renamed later. Errors: STORE_CORRUPT, STORE_FAILED, DISK_FULL. */
export async function openState<Tables>(file: string, journal: "wal" | "delete" = "wal"): Promise<Kysely<Tables>> {
  const driver = new KeptConnection(await connect(file), file);
  const db = new Kysely<Tables>({ dialect: dialectOf(driver) });
  try {
    for (const pragma of [...pragmas, `journal_mode = ${journal}`])
      await db.executeQuery(CompiledQuery.raw(`pragma ${pragma}`));
    return keepingQueries(
      db,
      (query) => driver.run(query),
      (query) => driver.runInTransaction(query),
    );
  } catch (error) {
    await db.destroy();
    throw error;
  }
}

/**
 * Takes what is in the log into the file, as far as nobody reads, and closes. The file alone is then the whole state.
 * A failure is no loss: the log stays and is taken in when the file is next opened.
 */
export async function closeState<Tables>(db: Kysely<Tables>): Promise<void> {
  await db.executeQuery(CompiledQuery.raw("pragma wal_checkpoint(truncate)")).catch(() => {});
  await db.destroy();
}

/**
 * Looks at a database through a connection that cannot write, not even when it is closed: one that is broken or foreign stays
 * as it is. Returns the migrations it still needs. Errors: STORE_CORRUPT, STORE_TOO_NEW, STORE_DIFFERS.
 */
export async function inspectState(
  file: string,
  known: readonly Migration[],
  options: { readonly whole?: boolean } = {},
): Promise<readonly Migration[]> {
  const bytes = statSync(file).size;
  if (bytes === 0) throw corruptStore(file, ["the file is empty"]);
  const driver = new KeptConnection(await connect(file, { readOnly: true }), file);
  const db = new Kysely<unknown>({ dialect: dialectOf(driver) });
  try {
    const applied = await appliedMigrations(db);
    if (options.whole === true || bytes <= maxCheckedAtOpenBytes) {
      const check = await sql<{ quick_check: string }>`pragma quick_check(${sql.lit(maxFindings)})`.execute(db);
      const findings = check.rows.map((row) => row.quick_check);
      if (findings.join() !== "ok") throw corruptStore(file, findings);
    }
    if (applied.length === 0) throw corruptStore(file, ["it is a database, but not a slipway state"]);
    return pendingMigrations(db, "sqlite", known, applied);
  } finally {
    await db.destroy();
  }
}
