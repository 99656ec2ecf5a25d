import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { CompiledQuery, sql } from "kysely";
import { reasonOf } from "../../../core/errors/error.ts";
import type { Clock } from "../../../ports/clock.ts";
import type { Db, IntegrityReport, Store, Trx } from "../../../ports/store.ts";
import type { Database } from "../../../ports/tables.ts";
import { type Invariants, storeInvariants } from "../../../store/invariants.ts";
import { migrations as allMigrations } from "../../../store/migrations/list.ts";
import type { Migration } from "../../../store/migrations/migration.ts";
import { copyState } from "./copy.ts";
import { storeError } from "./errors.ts";
import { lockDirectory } from "./lock.ts";
import { LogFlush } from "./log-flush.ts";
import { closeState, openState } from "./state-file.ts";
import { bringUpToDate } from "./upgrade.ts";

export type SqliteStoreOptions = {
  /** The state directory. Made, for the owner only, when it is missing. Holds `state.db` and the lock. */
  readonly directory: string;
  readonly clock?: Pick<Clock, "now">;
  /** What `check` also looks at. Default: the rules of the engine's tables. */
  readonly invariants?: Invariants;
  /** The schemas to know. For tests of older and newer states; default: all of this program. */
  readonly migrations?: readonly Migration[];
};

/**
 * Opens the state directory for this process alone, and brings its schema up to date; the state as it was before is kept as
 * `state.db.before-<n>`. What has been committed survives power loss. A file that is not sound is left untouched.
 * Errors: STORE_LOCKED, STORE_CORRUPT, STORE_TOO_NEW, STORE_DIFFERS, STORE_FAILED, DISK_FULL.
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const { directory, clock = Date, invariants = storeInvariants, migrations = allMigrations } = options;
  const file = join(directory, "state.db");
  await inWords(directory, async () => mkdirSync(directory, { recursive: true, mode: 0o700 }));
  const lock = await lockDirectory(directory, clock.now());
  try {
    await inWords(file, () => bringUpToDate(file, migrations, clock.now()));
    const db = await openState<Database>(file);
    const log = new LogFlush(file);
    return {
      name: "sqlite",
      db,
      unsynced: (write) => unsynced(db, write),
      flushed: () => inWords(file, () => log.flush()),
      check: () => check(db, invariants),
      backup: (to) => inWords(to, () => copyState(db, to)),
      close: async () => {
        await log.close();
        await closeState(db);
        await lock.release();
      },
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

/**
 * In WAL mode `normal` leaves out the flush of a commit and nothing else: the log stays whole, and the next full commit flushes
 * this one too. The connection is held, so no other transaction is ever committed in this mode.
 */
function unsynced<T>(db: Db, write: (trx: Trx) => Promise<T>): Promise<T> {
  return db.connection().execute(async (connection) => {
    await connection.executeQuery(withoutFlush);
    try {
      return await connection.transaction().execute(write);
    } finally {
      await connection.executeQuery(withFlush);
    }
  });
}

const withoutFlush = CompiledQuery.raw("pragma synchronous = normal");
const withFlush = CompiledQuery.raw("pragma synchronous = full");

async function check(db: Db, invariants: Invariants): Promise<IntegrityReport> {
  try {
    const integrity = await sql<{ integrity_check: string }>`pragma integrity_check`.execute(db);
    const strays = await sql<{ table: string; rowid: number; parent: string }>`pragma foreign_key_check`.execute(db);
    const findings = [
      ...integrity.rows.map((row) => row.integrity_check).filter((finding) => finding !== "ok"),
      ...strays.rows.map((row) => `${row.table} row ${row.rowid} refers to a ${row.parent} that does not exist`),
      ...(await invariants(db)),
    ];
    return { ok: findings.length === 0, findings };
  } catch (error) {
    return { ok: false, findings: [reasonOf(error)] };
  }
}

async function inWords<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw storeError(error, file);
  }
}
