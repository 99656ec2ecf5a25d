import { constants, existsSync, statSync } from "node:fs";
import { chmod, copyFile, link, mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { isSlipwayError, reasonOf, SlipwayError } from "../../../core/errors/error.ts";
import type { Clock } from "../../../ports/clock.ts";
import { migrations as allMigrations } from "../../../store/migrations/list.ts";
import type { Migration } from "../../../store/migrations/migration.ts";
import { syncToDisk } from "./copy.ts";
import { storeError } from "./errors.ts";
import { lockDirectory } from "./lock.ts";
import { inspectState } from "./state-file.ts";

export type RestoreOptions = {
  readonly directory: string;
  /** A file made by `backup`. It is only read. */
  readonly from: string;
  readonly clock?: Pick<Clock, "now">;
  readonly migrations?: readonly Migration[];
};

/**
 * Puts a backup in the place of the state. The replaced state is kept beside it, and its name is returned; null when there
 * was none. An older backup is brought up to date when the store is next opened. Until the last step, which is one rename,
 * the old state is in force. May be repeated. Errors: BACKUP_INVALID, STORE_TOO_NEW, STORE_LOCKED, DISK_FULL.
 */
export async function restoreSqliteStore(options: RestoreOptions): Promise<{ readonly replaced: string | null }> {
  const { directory, from, clock = Date, migrations = allMigrations } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const now = clock.now();
  const lock = await lockDirectory(directory, now);
  const file = join(directory, "state.db");
  const restoring = `${file}.restoring`;
  try {
    await rm(restoring, { force: true });
    await bringIn(from, restoring);
    await validate(restoring, from, migrations);
    const replaced = await setAside(file, `${file}.replaced-${now}`);
    await rename(restoring, file);
    await syncToDisk(file);
    return { replaced };
  } catch (error) {
    await rm(restoring, { force: true });
    throw storeError(error, file);
  } finally {
    await lock.release();
  }
}

async function bringIn(from: string, to: string): Promise<void> {
  if (!existsSync(from)) throw invalid(from, "there is no such file");
  const inUse = `${from}-wal`;
  if (existsSync(inUse) && statSync(inUse).size > 0)
    throw invalid(from, `it is in use or was not closed: ${inUse} exists`);
  await copyFile(from, to, constants.COPYFILE_EXCL);
  await chmod(to, 0o600);
  await leaveWalMode(to);
  await syncToDisk(to);
}

/**
 * A state that was copied by hand says in its head that it has a log; this copy has none, and it is about to be renamed
 * (see `forKysely`). Bytes 18 and 19 are 2 with a log, 1 without: https://www.sqlite.org/fileformat2.html, section 1.3, 2026-11.
 */
async function leaveWalMode(copy: string): Promise<void> {
  const handle = await open(copy, "r+");
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(20), 0, 20, 0);
    if (bytesRead === 20 && buffer[18] === 2 && buffer[19] === 2) await handle.write(Buffer.from([1, 1]), 0, 2, 18);
  } finally {
    await handle.close();
  }
}

/** Of our own copy: looking at a database may leave files beside it. */
async function validate(copy: string, from: string, migrations: readonly Migration[]): Promise<void> {
  try {
    await inspectState(copy, migrations, { whole: true });
  } catch (error) {
    if (!(isSlipwayError(error) && error.code === "STORE_CORRUPT")) throw error;
    const seen = error.evidence.filter(([label]) => label === "found").map(([, text]) => text);
    throw invalid(from, seen.join("; ") || reasonOf(error));
  }
}

/**
 * A second name for the old file, so that there is a `state.db` at every instant. What it had not yet taken in from its
 * log goes with it: a log must never meet another database.
 */
async function setAside(file: string, kept: string): Promise<string | null> {
  const parts = { file: existsSync(file), log: existsSync(`${file}-wal`) };
  if (parts.file) await link(file, kept);
  if (parts.log) await rename(`${file}-wal`, `${kept}-wal`);
  await rm(`${file}-shm`, { force: true });
  return parts.file || parts.log ? kept : null;
}

function invalid(from: string, why: string): SlipwayError {
  return new SlipwayError("BACKUP_INVALID", {
    message: `${from} is not a usable backup`,
    evidence: [["found", why]],
  });
}
