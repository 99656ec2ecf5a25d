import { statSync } from "node:fs";
import { CompiledQuery, Kysely, SqliteDialect, sql } from "kysely";
import { type AppliedMigration, appliedMigrations } from "../../../engine/store/migrate.ts";
import { type Connection, connect, forKysely } from "./connection.ts";
import { corruptStore } from "./errors.ts";

/** A whole check reads the whole file; above this only its head and schema are read when a store is opened. */
const maxCheckedAtOpenBytes = 128 * 1024 * 1024;

const maxFindings = 10;

/** How a state is kept: on disk when a commit returns; references checked; REPLACE refused where DELETE is. */
const pragmas = [
  "busy_timeout = 5000",
  "journal_mode = wal",
  "synchronous = full",
  "foreign_keys = on",
  "recursive_triggers = on",
  "journal_size_limit = 67108864",
];

/** Opens the file for reading and writing. Errors: STORE_CORRUPT, STORE_FAILED, DISK_FULL. */
export async function openState<Tables>(file: string): Promise<Kysely<Tables>> {
  const db = new Kysely<Tables>({ dialect: dialectOf(await connect(file), file) });
  try {
    for (const pragma of pragmas) await db.executeQuery(CompiledQuery.raw(`pragma ${pragma}`));
    return db;
  } catch (error) {
    await db.destroy();
    throw error;
  }
}

/**
 * Looks at a database through a connection that cannot write, not even when it is closed: a broken file stays as it is.
 * Tells which migrations it has been through. Errors: STORE_CORRUPT.
 */
export async function inspectState(
  file: string,
  options: { readonly whole?: boolean } = {},
): Promise<readonly AppliedMigration[]> {
  const bytes = statSync(file).size;
  if (bytes === 0) throw corruptStore(file, ["the file is empty"]);
  const connection = await connect(file, { readOnly: true });
  const db = new Kysely<unknown>({ dialect: dialectOf(connection, file) });
  try {
    const applied = await appliedMigrations(db);
    if (options.whole === true || bytes <= maxCheckedAtOpenBytes) {
      const check = await sql<{ quick_check: string }>`pragma quick_check(${sql.lit(maxFindings)})`.execute(db);
      const findings = check.rows.map((row) => row.quick_check);
      if (findings.join() !== "ok") throw corruptStore(file, findings);
    }
    if (applied.length === 0) throw corruptStore(file, ["it is a database, but not a slipway state"]);
    return applied;
  } finally {
    await db.destroy();
  }
}

const dialectOf = (connection: Connection, file: string) =>
  new SqliteDialect({ database: forKysely(connection, file) });
