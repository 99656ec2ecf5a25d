import {
  type CompiledQuery,
  type DatabaseConnection,
  type Driver,
  Kysely,
  type QueryResult,
  type SqliteDatabase,
  SqliteDialect,
} from "kysely";
import { SlipwayError } from "../../core/errors/error.ts";
import { type Connection, connect, forKysely } from "../../drivers/stores/sqlite/connection.ts";
import { dialectOf } from "../../drivers/stores/sqlite/driver.ts";
import type { Store } from "../../ports/store.ts";
import type { Database, HistoryRow } from "../../ports/tables.ts";
import { keepingQueries, keptQueries } from "../../store/kept-queries.ts";
import { migrations } from "../../store/migrations/list.ts";
import { type Life, never } from "./life.ts";
import { Readings } from "./readings.ts";

/** What a disk may do to a store. `commit`: what was written is undone when it is to be kept. `all`: nothing can be read either. */
export type StoreTrouble = "commit" | "all" | null;

export type Noted = Omit<HistoryRow, "id">;

/**
 * The real schema in a SQLite of its own, in memory; it outlives the control planes that use it. Tells of every row of the
 * history when it has been committed, as that is what has happened.
 */
export class SimDatabase {
  readonly connection: Connection;
  readonly #database: SqliteDatabase;
  readonly #readings = new Readings();
  /** Control planes are begun anew by the hundred here, and ask the same. */
  readonly #queries = keptQueries();
  trouble: StoreTrouble = null;
  onHistory: (row: Noted) => void = () => {};

  private constructor(connection: Connection) {
    this.connection = connection;
    this.#database = forKysely(connection, ":memory:");
  }

  static async open(): Promise<SimDatabase> {
    const connection = await connect(":memory:");
    // The journal is in memory too: what a power loss does is not simulated.
    connection.exec("pragma synchronous = off; pragma journal_mode = memory; pragma foreign_keys = on");
    connection.exec("pragma recursive_triggers = on; pragma temp_store = memory; pragma cache_size = -20000");
    connection.exec(await schema());
    return new SimDatabase(connection);
  }

  /** Empty again, for the next world: to open one, and to prepare its statements, costs as much as several deployments. */
  reset(): void {
    this.undo();
    const tables = this.rows<{ name: string }>("select name from sqlite_master where type = 'table'");
    const deletes = tables.map(({ name }) => `delete from ${name};`);
    // Every row goes, so none is left that refers to another.
    this.connection.exec(`pragma foreign_keys = off; ${deletes.join(" ")} pragma foreign_keys = on;`);
    this.#readings.forget();
    this.trouble = null;
  }

  /** The store as one control plane has it open. */
  storeOf(life: Life): Store {
    const driver = new SimDriver(life, this);
    life.onDeath(() => {
      // The kernel closes its file, and SQLite undoes what was not committed.
      this.undo();
    });
    const db = keepingQueries(
      new Kysely<Database>({ dialect: dialectOf(driver) }),
      (query) => driver.run(query),
      (query) => driver.runInTransaction(query),
      this.#queries,
    );
    return {
      name: "simulated",
      db,
      unsynced: (write) => db.transaction().execute(write),
      flushed: async () => {},
      check: async () => ({ ok: true, findings: [] }),
      backup: () => Promise.reject(new Error("a simulated store is not copied")),
      close: async () => {},
    };
  }

  /** Rows as they are, past every fault; not for the control plane. */
  rows<T>(sql: string, ...values: (string | number | null)[]): T[] {
    return this.read(sql, values) as T[];
  }

  /** Writes a row, past every fault. */
  insert(table: string, row: Readonly<Record<string, string | number | null>>): void {
    const names = Object.keys(row);
    const marks = names.map(() => "?").join(", ");
    this.write(`insert into ${table} (${names.join(", ")}) values (${marks})`, Object.values(row));
  }

  isReader(sql: string): boolean {
    return this.#database.prepare(sql).reader;
  }

  /** The rows that a statement gives; it may also write. */
  read(sql: string, values: readonly unknown[]): readonly unknown[] {
    return this.#readings.rows(sql, values, () => {
      this.#readings.wrote(sql);
      return this.#database.prepare(sql).all(values) as Readonly<Record<string, unknown>>[];
    });
  }

  write(
    sql: string,
    values: readonly unknown[],
  ): { readonly changes: number | bigint; readonly lastInsertRowid: number | bigint } {
    this.#readings.wrote(sql);
    return this.#database.prepare(sql).run(values);
  }

  command(command: "begin" | "commit" | "rollback"): void {
    this.#database.prepare(command).run([]);
    if (command === "rollback") this.#readings.forget();
  }

  /** What is not committed is as if it had never been written. */
  undo(): void {
    if (!this.connection.isTransaction) return;
    this.connection.exec("rollback");
    this.#readings.forget();
  }

  /** Resolves when no control plane is in the middle of a transaction: what is read then is what was committed. */
  async settled(): Promise<void> {
    while (this.connection.isTransaction) await Promise.resolve();
  }

  close(): void {
    this.connection.close();
  }
}

/** The triggers that forbid to remove rows are left out, for `reset`; that no row is missing is counted at the end of each world. */
async function schema(): Promise<string> {
  const db = new Kysely<unknown>({
    dialect: new SqliteDialect({ database: forKysely(await connect(":memory:"), ":memory:") }),
  });
  const statements = migrations.flatMap((migration) => migration.statements(db, "sqlite"));
  await db.destroy();
  return statements
    .filter(({ sql }) => !/before delete on/.test(sql))
    .map(({ sql }) => `${sql};`)
    .join("\n");
}

/** Kysely's SQLite driver, one connection behind a mutex, with the deaths and troubles of this world. */
class SimDriver implements Driver {
  readonly #connection: SimConnection;
  readonly #waiting: (() => void)[] = [];
  #taken = false;

  constructor(life: Life, database: SimDatabase) {
    this.#connection = new SimConnection(life, database);
  }

  async init(): Promise<void> {}

  async acquireConnection(): Promise<DatabaseConnection> {
    if (this.#taken) await new Promise<void>((resolve) => void this.#waiting.push(resolve));
    this.#taken = true;
    return this.#connection;
  }

  beginTransaction(): Promise<void> {
    return this.#connection.run("begin");
  }

  commitTransaction(): Promise<void> {
    return this.#connection.run("commit");
  }

  rollbackTransaction(): Promise<void> {
    return this.#connection.run("rollback");
  }

  /** A query by itself: what it does it does at once, so nobody else can want the connection meanwhile. */
  async run<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    if (!this.#taken) return this.#connection.executeQuery(query);
    await this.acquireConnection();
    try {
      return await this.#connection.executeQuery(query);
    } finally {
      this.#free();
    }
  }

  /** A query in the transaction that has the connection. */
  runInTransaction<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    return this.#connection.executeQuery(query);
  }

  async releaseConnection(): Promise<void> {
    this.#free();
  }

  #free(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#taken = false;
    else next();
  }

  async destroy(): Promise<void> {}
}

class SimConnection implements DatabaseConnection {
  readonly #life: Life;
  readonly #database: SimDatabase;
  #uncommitted: Noted[] = [];
  #inTransaction = false;

  constructor(life: Life, database: SimDatabase) {
    this.#life = life;
    this.#database = database;
  }

  async run(command: "begin" | "commit" | "rollback"): Promise<void> {
    if (!this.#life.touch()) return never();
    const { trouble } = this.#database;
    if (command !== "rollback" && (trouble === "all" || (trouble === "commit" && command === "commit"))) throw failed();
    this.#database.command(command);
    this.#inTransaction = command === "begin";
    const written = this.#uncommitted.splice(0);
    if (command === "commit") for (const row of written) this.#database.onHistory(row);
    if (!this.#life.touch()) return never();
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    if (!this.#life.touch()) return never();
    if (this.#database.trouble === "all") throw failed();
    if (this.#database.isReader(sql)) {
      const rows = this.#database.read(sql, parameters) as R[];
      return this.#life.touch() ? { rows } : never();
    }
    // A write outside of a transaction is one by itself.
    if (!this.#inTransaction && this.#database.trouble === "commit") throw failed();
    const { changes, lastInsertRowid } = this.#database.write(sql, parameters);
    if (sql.startsWith(historyInsert)) this.#note(sql, parameters);
    if (!this.#life.touch()) return never();
    return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
  }

  // biome-ignore lint/correctness/useYield: nothing is streamed from this store
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error("a simulated store does not stream");
  }

  #note(sql: string, parameters: readonly unknown[]): void {
    const row = Object.fromEntries(columnsOf(sql).map((name, index) => [name, parameters[index]])) as Noted;
    if (this.#inTransaction) this.#uncommitted.push(row);
    else this.#database.onHistory(row);
  }
}

const historyInsert = 'insert into "history"';

const columns = new Map<string, readonly string[]>();

function columnsOf(sql: string): readonly string[] {
  const known = columns.get(sql);
  if (known !== undefined) return known;
  const read = sql
    .slice(sql.indexOf("(") + 1, sql.indexOf(")"))
    .split(", ")
    .map((name) => name.slice(1, -1));
  columns.set(sql, read);
  return read;
}

function failed(): SlipwayError {
  return new SlipwayError("STORE_FAILED", { message: "the simulated disk does not answer" });
}
