import { statSync } from "node:fs";
import { CompiledQuery, Kysely, SqliteDialect, sql } from "kysely";
import { appliedMigrations, pendingMigrations } from "../../../store/migrate.ts";
import type { Migration } from "../../../store/migrations/migration.ts";
import { type Connection, connect, forKysely } from "./connection.ts";
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
  const db = new Kysely<Tables>({ dialect: dialectOf(await connect(file), file) });
  try {
    for (const pragma of [...pragmas, `journal_mode = ${journal}`])
      await db.executeQuery(CompiledQuery.raw(`pragma ${pragma}`));
    return db;
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
  const db = new Kysely<unknown>({ dialect: dialectOf(await connect(file, { readOnly: true }), file) });
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

const dialectOf = (connection: Connection, file: string) =>
  new SqliteDialect({ database: forKysely(connection, file) });
