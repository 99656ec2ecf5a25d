import type { Kysely, Transaction } from "kysely";
import type { Database } from "./tables.ts";

export type Db = Kysely<Database>;
/** A transaction in progress. Nothing written through it is seen, or kept, before it commits. */
export type Trx = Transaction<Database>;

export type IntegrityReport = { readonly ok: boolean; readonly findings: readonly string[] };

/** Where truth is kept. One open store a state directory. */
export interface Store {
  readonly name: string;
  readonly db: Db;
  /**
   * A transaction that is not on disk when it returns: it survives the death of this process, and a loss of power only together with a
   * later one of `db`, or when `flushed` has resolved. For what may be lost, and what is done again when it was.
   */
  unsynced<T>(write: (trx: Trx) => Promise<T>): Promise<T>;
  /** Resolves when all that was committed before the call survives a loss of power. Errors: STORE_FAILED, DISK_FULL. */
  flushed(): Promise<void>;
  /** Checks the file or server itself, and foreign keys. Changes nothing. */
  check(): Promise<IntegrityReport>;
  /** Writes a consistent copy to `file`, while work goes on. Refuses to overwrite. Errors: DISK_FULL, STORE_FAILED. */
  backup(file: string): Promise<void>;
  /** Lets go of the store and its lock. */
  close(): Promise<void>;
}
