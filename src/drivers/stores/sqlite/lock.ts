import { rm } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import type { Evidence } from "../../../core/errors/error.ts";
import { SlipwayError } from "../../../core/errors/error.ts";
import type { EpochMs } from "../../../core/ids.ts";
import { readJsonFile, writeJsonFile } from "../../../lib/json-file.ts";
import { connect } from "./connection.ts";
import { isBusy, storeError } from "./errors.ts";
import { createPrivate } from "./private-file.ts";

export type StoreLock = { release(): Promise<void> };

type Owner = { readonly pid: number; readonly host: string; readonly since: string };

/**
 * Makes this process the only one that uses the state directory, until `release` or its death: the lock is SQLite's own
 * on a second, empty database, so the kernel frees it even after kill -9. No code may open `engine.lock` besides this:
 * closing any descriptor of a file drops a process's POSIX locks on it (fcntl(2)).
 * Errors: STORE_LOCKED, with who holds it.
 */
export async function lockDirectory(directory: string, now: EpochMs): Promise<StoreLock> {
  const file = join(directory, "engine.lock");
  const ownerFile = join(directory, "engine.owner.json");
  try {
    createPrivate(file);
    const connection = await connect(file);
    try {
      connection.exec("pragma busy_timeout = 0; begin exclusive");
      const owner: Owner = { pid: process.pid, host: hostname(), since: new Date(now).toISOString() };
      await writeJsonFile(ownerFile, owner);
    } catch (error) {
      connection.close();
      throw error;
    }
    return {
      release: async () => {
        await rm(ownerFile, { force: true });
        connection.close();
      },
    };
  } catch (error) {
    if (isBusy(error)) throw locked(directory, await whoHolds(ownerFile), error);
    throw storeError(error, file);
  }
}

function locked(directory: string, holder: Owner | null, cause: unknown): SlipwayError {
  const heldBy: Evidence =
    holder === null
      ? ["held by", "a process that has not said who it is"]
      : ["held by", `process ${holder.pid} on ${holder.host}, since ${holder.since}`];
  return new SlipwayError("STORE_LOCKED", {
    message: `the state directory ${directory} is in use`,
    evidence: [heldBy],
    cause,
  });
}

/** A broken file only costs the evidence. */
async function whoHolds(ownerFile: string): Promise<Owner | null> {
  return await readJsonFile<Owner>(ownerFile).catch(() => null);
}
