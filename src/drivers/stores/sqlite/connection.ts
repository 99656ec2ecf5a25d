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
  iterate(...values: Value[]): IterableIterator<unknown>;
  columns(): unknown[];
};

type Sqlite = {
  DatabaseSync: new (file: string, options: { readOnly: boolean }) => Connection;
  StatementSync: { prototype: object };
};

/** Statements are few and written in the code; the limit only guards against SQL with values in its text. */
const maxCachedStatements = 500;

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
  const builtin = process.getBuiltinModule?.("node:sqlite") as Sqlite | undefined;
  if (builtin !== undefined && "columns" in builtin.StatementSync.prototype) return builtin;
  return (await import("@photostructure/sqlite")) as unknown as Sqlite;
}

/** The connection as Kysely's SQLite dialect wants it, with failures in our words. */
export function forKysely(connection: Connection, file: string): SqliteDatabase {
  const cache = new Map<string, SqliteStatement>();
  const prepare = (sql: string): SqliteStatement => {
    // Kysely rolls back after every failure, but SQLite has done so itself after some (disk full): that must not mask them.
    if (sql === "rollback" && !connection.isTransaction) return nothing;
    // One process, one writer: taking the write lock at once spares every transaction the upgrade that may fail.
    const statement = connection.prepare(sql === "begin" ? "begin immediate" : sql);
    return {
      reader: statement.columns().length > 0,
      all: (values) => translated(file, () => statement.all(...values.map(bindable))),
      run: (values) => translated(file, () => statement.run(...values.map(bindable))),
      iterate: (values) => statement.iterate(...values.map(bindable)),
    };
  };
  return {
    close: () => connection.close(),
    prepare: (sql) => {
      const known = cache.get(sql);
      if (known !== undefined) return known;
      const statement = translated(file, () => prepare(sql));
      if (statement !== nothing && cache.size < maxCachedStatements) cache.set(sql, statement);
      return statement;
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
