import type { SqliteDatabase, SqliteStatement } from "kysely";
import { storeError } from "./errors.ts";

/** The part of node:sqlite that we use; `@photostructure/sqlite` has the same. */
export type Connection = {
  exec(sql: string): void;
  prepare(sql: string): Statement;
  close(): void;
  readonly isTransaction: boolean;
};

type Value = null | number | bigint | string | Uint8Array;

type Statement = {
  all(...values: Value[]): Record<string, Value>[];
  run(...values: Value[]): { changes: number | bigint; lastInsertRowid: number | bigint };
  columns(): unknown[];
};

type Sqlite = {
  DatabaseSync: new (file: string, options: { readOnly: boolean }) => Connection;
  StatementSync: { prototype: object };
};

/** Statements are few and written in the code; the limit only guards against SQL with values in its text. */
const maxKeptStatements = 500;

/** Opens the file. Errors: STORE_CORRUPT, STORE_FAILED, DISK_FULL. */
export async function connect(file: string, options: { readonly readOnly?: boolean } = {}): Promise<Connection> {
  const { DatabaseSync } = await sqliteModule();
  return translated(file, () => new DatabaseSync(file, { readOnly: options.readOnly ?? false }));
}

/**
 * `node:sqlite` where it has all that is needed (Node 22.16), else the package with the same interface. Asked for by
 * `getBuiltinModule`, because an import of a module that is missing cannot be caught by every bundler and loader.
 */
async function sqliteModule(): Promise<Sqlite> {
  const builtin = quietly(() => process.getBuiltinModule?.("node:sqlite")) as Sqlite | undefined;
  if (builtin !== undefined && "columns" in builtin.StatementSync.prototype) return builtin;
  return (await import("@photostructure/sqlite")) as unknown as Sqlite;
}

/** Node 22 warns that the module is experimental, once, on the terminal of a person who cannot do anything about it. */
function quietly<T>(load: () => T): T {
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return load();
  } finally {
    process.emitWarning = emitWarning;
  }
}

/**
 * The connection as Kysely's SQLite dialect wants it, with failures in our words. Statements are kept prepared.
 *
 * `@photostructure/sqlite` 1.2.1 can only finalize a statement by the garbage collector (node:sqlite does at the close): a
 * closed connection may keep its file open until then, harmlessly, except that a file which it has open in WAL mode must
 * not be renamed and opened again by the same process. So files that are to be renamed are never in WAL mode.
 */
export function forKysely(connection: Connection, file: string): SqliteDatabase {
  const kept = new Map<string, SqliteStatement>();
  return {
    close: () => connection.close(),
    prepare: (sql) => {
      // Kysely rolls back after every failure; after some (disk full) SQLite has done so itself, and that must not mask them.
      if (sql === "rollback" && !connection.isTransaction) return nothing;
      const known = kept.get(sql);
      if (known !== undefined) return known;
      // One process, one writer: the write lock at once spares every transaction the upgrade to it, which may fail.
      const statement = translated(file, () => connection.prepare(sql === "begin" ? "begin immediate" : sql));
      const prepared: SqliteStatement = {
        reader: statement.columns().length > 0,
        all: (values) => translated(file, () => statement.all(...values.map(bindable))),
        run: (values) => translated(file, () => statement.run(...values.map(bindable))),
        iterate: (values) => translated(file, () => statement.all(...values.map(bindable)))[Symbol.iterator](),
      };
      if (kept.size < maxKeptStatements) kept.set(sql, prepared);
      return prepared;
    },
  };
}

export function translated<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw storeError(error, file);
  }
}

const nothing: SqliteStatement = {
  reader: false,
  all: () => [],
  run: () => ({ changes: 0, lastInsertRowid: 0 }),
  iterate: () => [][Symbol.iterator](),
};

function bindable(value: unknown): Value {
  if (value === undefined || value === null) return null;
  if (typeof value === "boolean") return value ? 1 : 0;
  return value as Value;
}
