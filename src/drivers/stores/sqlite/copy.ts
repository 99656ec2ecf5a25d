import { rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname } from "node:path";
import { type QueryExecutorProvider, sql } from "kysely";
import { isSlipwayError, SlipwayError } from "../../../core/errors/error.ts";
import { createPrivate } from "./private-file.ts";

/**
 * A consistent copy, readable by its owner only and on disk when this returns. Work that comes meanwhile waits for it.
 * Never overwrites. Errors: USAGE when the file exists, DISK_FULL, STORE_FAILED.
 */
export async function copyState(db: QueryExecutorProvider, file: string): Promise<void> {
  if (!createPrivate(file)) {
    throw new SlipwayError("USAGE", { message: `${file} exists`, hint: "name a file that does not exist yet" });
  }
  try {
    await sql`vacuum into ${file}`.execute(db);
    await syncToDisk(file);
  } catch (error) {
    rmSync(file, { force: true });
    if (!isSlipwayError(error)) throw error;
    const { code, evidence, cause } = error;
    throw new SlipwayError(code, { message: `could not copy the state to ${file}`, evidence, cause });
  }
}

/** The content and the name. SQLite does not do it for the target of VACUUM INTO. */
export async function syncToDisk(file: string): Promise<void> {
  for (const path of [file, dirname(file)]) {
    const handle = await open(path, "r");
    await handle.sync().finally(() => handle.close());
  }
}
