import { existsSync, rmSync, statSync } from "node:fs";
import { rename } from "node:fs/promises";
import type { Kysely } from "kysely";
import { applyMigration } from "../../../store/migrate.ts";
import type { Migration } from "../../../store/migrations/migration.ts";
import { copyState, syncToDisk } from "./copy.ts";
import { corruptStore } from "./errors.ts";
import { createPrivate } from "./private-file.ts";
import { closeState, inspectState, openState } from "./state-file.ts";

/**
 * Makes the state file, or brings an older one to the newest schema, keeping a copy of how it was. The caller holds the
 * lock. Errors: STORE_CORRUPT, STORE_TOO_NEW, STORE_DIFFERS, with the file untouched.
 */
export async function bringUpToDate(file: string, migrations: readonly Migration[], now: number): Promise<void> {
  const lost = `${file}-wal`;
  if (existsSync(file)) await upgrade(file, migrations, now);
  // Starting afresh over the traces of a state whose main file is gone would hide the loss.
  else if (existsSync(lost) && statSync(lost).size > 0) throw corruptStore(file, [`it is missing, but ${lost} exists`]);
  else await create(file, migrations, now);
}

/** Under another name until its schema is whole: a `state.db` that is empty or has no schema was never made by us. */
async function create(file: string, migrations: readonly Migration[], now: number): Promise<void> {
  const making = `${file}.creating`;
  for (const part of [making, `${making}-journal`]) rmSync(part, { force: true });
  createPrivate(making);
  const db = await openState<unknown>(making, "delete");
  try {
    for (const migration of migrations) await applyMigration(db, "sqlite", migration, now);
  } finally {
    await db.destroy();
  }
  await rename(making, file);
  await syncToDisk(file);
}

async function upgrade(file: string, migrations: readonly Migration[], now: number): Promise<void> {
  const pending = await inspectState(file, migrations);
  const first = pending[0];
  if (first === undefined) return;
  const db = await openState<unknown>(file);
  try {
    await keepCopy(db, `${file}.before-${first.number}`);
    for (const migration of pending) await applyMigration(db, "sqlite", migration, now);
  } finally {
    await closeState(db);
  }
}

/** Replaces one that was left by an upgrade that did not finish: it is of the same state. */
async function keepCopy(db: Kysely<unknown>, kept: string): Promise<void> {
  const copying = `${kept}.copying`;
  rmSync(copying, { force: true });
  await copyState(db, copying);
  await rename(copying, kept);
  await syncToDisk(kept);
}
