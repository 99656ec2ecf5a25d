import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteDriver,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";
import { type Connection, forKysely } from "./connection.ts";

/** Kysely's driver of one connection, which also takes queries that are compiled already. Usable once Kysely has asked it for the first time. */
export class KeptConnection extends SqliteDriver {
  #connection: DatabaseConnection | null = null;

  constructor(connection: Connection, file: string) {
    super({
      database: forKysely(connection, file),
      onCreateConnection: async (made) => {
        this.#connection = made;
      },
    });
  }

  /** By itself: waits until no transaction is open. */
  async run(query: CompiledQuery): Promise<QueryResult<unknown>> {
    const connection = await this.acquireConnection();
    try {
      return await connection.executeQuery(query);
    } finally {
      await this.releaseConnection();
    }
  }

  /** Only for who has a transaction open: as a part of it. */
  async runInTransaction(query: CompiledQuery): Promise<QueryResult<unknown>> {
    if (this.#connection === null) throw new Error("no transaction is open");
    return this.#connection.executeQuery(query);
  }
}

/** The SQLite dialect with this driver. */
export function dialectOf(driver: Driver): Dialect {
  return {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => driver,
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}
