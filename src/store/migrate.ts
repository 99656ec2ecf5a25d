import { createHash } from "node:crypto";
import type { Kysely } from "kysely";
import { SlipwayError } from "../core/errors/error.ts";
import type { EpochMs } from "../core/ids.ts";
import type { Dialect, Migration } from "./migrations/migration.ts";

export type AppliedMigration = { readonly number: number; readonly name: string; readonly checksum: string };

type MigrationTable = { schema_migration: AppliedMigration & { readonly applied_at: EpochMs } };

/** What the state has been through, oldest first; nothing for a new one. Changes nothing. */
export async function appliedMigrations(db: Kysely<unknown>): Promise<readonly AppliedMigration[]> {
  const tables = await db.introspection.getTables();
  if (!tables.some((table) => table.name === "schema_migration")) return [];
  return await ledger(db)
    .selectFrom("schema_migration")
    .select(["number", "name", "checksum"])
    .orderBy("number")
    .execute();
}

/**
 * The migrations that are still to come. Refuses a state that this program cannot read. Changes nothing.
 * Errors: STORE_TOO_NEW, STORE_DIFFERS.
 */
export function pendingMigrations(
  db: Kysely<unknown>,
  dialect: Dialect,
  known: readonly Migration[],
  applied: readonly AppliedMigration[],
): readonly Migration[] {
  for (const [index, was] of applied.entries()) {
    const migration = known[index];
    if (migration === undefined) throw tooNew(known, applied);
    if (
      was.number !== migration.number ||
      was.name !== migration.name ||
      was.checksum !== checksum(db, dialect, migration)
    )
      throw differs(was, migration);
  }
  return known.slice(applied.length);
}

/** Applies one migration and records it, in one transaction: after a crash it has happened or it has not. */
export async function applyMigration(
  db: Kysely<unknown>,
  dialect: Dialect,
  migration: Migration,
  now: EpochMs,
): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await trx.schema
      .createTable("schema_migration")
      .ifNotExists()
      .addColumn("number", "integer", (is) => is.primaryKey().notNull())
      .addColumn("name", "text", (is) => is.notNull())
      .addColumn("checksum", "text", (is) => is.notNull())
      .addColumn("applied_at", "bigint", (is) => is.notNull())
      .execute();
    for (const statement of migration.statements(trx, dialect)) await trx.executeQuery(statement);
    const { number, name } = migration;
    const row = { number, name, checksum: checksum(trx, dialect, migration), applied_at: now };
    await ledger(trx).insertInto("schema_migration").values(row).execute();
  });
}

/** Of the SQL text as it is run, so that a change of a released migration is noticed wherever it came from. */
export function checksum(db: Kysely<unknown>, dialect: Dialect, migration: Migration): string {
  const text = migration.statements(db, dialect).map((statement) => statement.sql);
  return createHash("sha256").update(text.join(";\n")).digest("hex");
}

const ledger = (db: Kysely<unknown>): Kysely<MigrationTable> => db as Kysely<MigrationTable>;

function tooNew(known: readonly Migration[], applied: readonly AppliedMigration[]): SlipwayError {
  const newest = applied.at(-1);
  return new SlipwayError("STORE_TOO_NEW", {
    message: `the state has schema ${newest?.number} (${newest?.name}); this slipway knows up to ${known.length}`,
    evidence: applied.slice(known.length).map((was) => ["unknown", `${was.number} ${was.name}`] as const),
  });
}

function differs(was: AppliedMigration, migration: Migration): SlipwayError {
  return new SlipwayError("STORE_DIFFERS", {
    message: `schema ${was.number} of the state is not the one this slipway makes`,
    evidence: [
      ["in the state", `${was.number} ${was.name} ${was.checksum}`],
      ["known here", `${migration.number} ${migration.name}`],
    ],
  });
}
