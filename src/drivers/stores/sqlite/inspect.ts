import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { migrations } from "../../../store/migrations/list.ts";
import { corruptStore, storeError } from "./errors.ts";
import { inspectState } from "./state-file.ts";

/**
 * Reads the whole state of a directory that no control plane has open. False when there is none yet. Changes nothing.
 * Errors: STORE_CORRUPT, STORE_TOO_NEW, STORE_DIFFERS, STORE_FAILED.
 */
export async function inspectSqliteStore(directory: string): Promise<boolean> {
  const file = join(directory, "state.db");
  if (!existsSync(file)) {
    const log = statSync(`${file}-wal`, { throwIfNoEntry: false });
    if (log !== undefined && log.size > 0) throw corruptStore(file, [`it is missing, but ${file}-wal exists`]);
    return false;
  }
  try {
    await inspectState(file, migrations, { whole: true });
    return true;
  } catch (error) {
    throw storeError(error, file);
  }
}
