import { execFileSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { copyFile, mkdtemp, rm, truncate } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "kysely";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import type { Digest } from "../../../core/ids.ts";
import type { Store } from "../../../ports/store.ts";
import { fillDisk, smallDisk } from "../../../testing/engine/small-disk.ts";
import { openSqliteStore } from "./index.ts";
import { restoreSqliteStore } from "./restore.ts";

let directory = "";
let file = "";
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "slipway-store-"));
  file = join(directory, "state.db");
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
});

const addArtifacts = async (store: Store, from: number, count: number): Promise<void> => {
  const rows = Array.from({ length: count }, (_, at) => ({ digest: digest(from + at), bytes: 1, created_at: 1 }));
  await store.db.insertInto("artifact").values(rows).execute();
};
const artifacts = async (store: Store): Promise<number> =>
  (
    await store.db
      .selectFrom("artifact")
      .select(({ fn }) => fn.countAll<number>().as("count"))
      .executeTakeFirstOrThrow()
  ).count;
const digest = (n: number): Digest => `sha256:${n}-${"x".repeat(200)}`;
const mode = (path: string): number => statSync(path).mode & 0o777;

test("what is written unsynced survives a kill as a whole, and what comes after it is flushed", async () => {
  const store = await openSqliteStore({ directory });
  const synchronous = async (db: Store["db"]): Promise<unknown> =>
    Object.values((await sql.raw("pragma synchronous").execute(db)).rows[0] as object)[0];
  await store.unsynced(async (trx) => {
    await addArtifacts({ ...store, db: trx }, 0, 2);
    expect(await synchronous(trx)).toBe(1);
  });
  const failing = store.unsynced(async (trx) => {
    await addArtifacts({ ...store, db: trx }, 2, 2);
    throw new Error("refused");
  });
  // It waits for its turn: what others write is never left unflushed.
  const besides = synchronous(store.db);
  await expect(failing).rejects.toThrow("refused");
  expect([await besides, await synchronous(store.db), await artifacts(store)]).toEqual([2, 2, 2]);
  await store.flushed();

  const left = join(directory, "left");
  mkdirSync(left);
  for (const name of ["state.db", "state.db-wal"]) await copyFile(join(directory, name), join(left, name));
  await store.close();
  const again = await openSqliteStore({ directory: left });
  expect(await artifacts(again)).toBe(2);
  await again.close();
});

test("what was written is there when the store is opened again, for the owner only", async () => {
  const inside = join(directory, "made/here");
  const store = await openSqliteStore({ directory: inside });
  await addArtifacts(store, 0, 3);
  const pragmas = ["journal_mode", "synchronous", "foreign_keys"].map((name) =>
    sql.raw(`pragma ${name}`).execute(store.db),
  );
  expect((await Promise.all(pragmas)).map(({ rows }) => Object.values(rows[0] as object)[0])).toEqual(["wal", 2, 1]);
  for (const name of ["state.db", "state.db-wal", "engine.lock", "engine.owner.json"]) {
    expect(mode(join(inside, name)), name).toBe(0o600);
  }
  expect(mode(inside)).toBe(0o700);
  await store.close();

  const again = await openSqliteStore({ directory: inside });
  expect(await artifacts(again)).toBe(3);
  await again.close();
});

test("a failed transaction leaves nothing, and its error is the one that was thrown", async () => {
  const store = await openSqliteStore({ directory });
  const failing = store.db.transaction().execute(async (trx) => {
    await trx
      .insertInto("artifact")
      .values({ digest: digest(1), bytes: 1, created_at: 1 })
      .execute();
    throw new Error("the reason");
  });
  await expect(failing).rejects.toThrow("the reason");
  expect(await artifacts(store)).toBe(0);
  await store.close();
});

test("a second opening is refused while the first lives, also in the same process, and is told who holds it", async () => {
  const store = await openSqliteStore({ directory, clock: { now: () => Date.parse("2026-11-21T10:00:00Z") } });
  for (let attempt = 0; attempt < 2; attempt++) {
    await expect(openSqliteStore({ directory })).rejects.toMatchObject({
      code: "STORE_LOCKED",
      message: `the state directory ${directory} is in use`,
      evidence: [["held by", `process ${process.pid} on ${hostname()}, since 2026-11-21T10:00:00.000Z`]],
    });
  }
  await expect(restoreSqliteStore({ directory, from: file })).rejects.toMatchObject({ code: "STORE_LOCKED" });
  await addArtifacts(store, 0, 1);
  await store.close();
  await (await openSqliteStore({ directory })).close();
});

test("a failed opening lets go of the lock", async () => {
  writeFileSync(file, "not a database".repeat(1_000));
  await expect(openSqliteStore({ directory })).rejects.toMatchObject({ code: "STORE_CORRUPT" });
  await rm(file);
  await (await openSqliteStore({ directory })).close();
});

describe("a state file that is not sound is refused and left untouched:", () => {
  const damages: Record<string, () => Promise<void>> = {
    garbage: async () => writeFileSync(file, "garbage ".repeat(5_000)),
    "an empty file": async () => writeFileSync(file, ""),
    "a truncated file": async () => await truncate(file, 40_000),
    "a page overwritten in the middle": async () => overwrite(file, 3 * 4_096, 4_096),
    "another program's database": async () => {
      await rm(file);
      execFileSync(process.execPath, ["-e", makeForeign, file]);
    },
    "the log without its file": async () => {
      writeFileSync(`${file}-wal`, "x".repeat(100));
      await rm(file);
    },
  };
  for (const [damage, inflict] of Object.entries(damages)) {
    test(damage, async () => {
      const store = await openSqliteStore({ directory });
      await addArtifacts(store, 0, 500);
      await store.close();
      await inflict();
      const before = existsSync(file) ? readFileSync(file) : null;

      await expect(openSqliteStore({ directory })).rejects.toMatchObject({
        code: "STORE_CORRUPT",
        message: expect.stringContaining(file),
        hint: expect.stringContaining("slipway state restore"),
      });
      expect(existsSync(file) ? readFileSync(file).equals(before ?? Buffer.of()) : null).toBe(
        before === null ? null : true,
      );
    });
  }
});

test("check finds broken references and broken rules", async () => {
  const store = await openSqliteStore({ directory, invariants: async () => ["a rule is broken"] });
  expect(await store.check()).toEqual({ ok: false, findings: ["a rule is broken"] });
  await sql`pragma foreign_keys = off`.execute(store.db);
  await sql`insert into workflow_step values ('nobody', 0, 'n', 'step', 'done', 1, null, null, null, 1, 1)`.execute(
    store.db,
  );
  expect((await store.check()).findings).toContain("workflow_step row 1 refers to a workflow that does not exist");
  await store.close();
});

describe("backup and restore:", () => {
  test("a backup is taken while work goes on, holds one moment, and can be restored", async () => {
    const store = await openSqliteStore({ directory });
    const backup = join(directory, "copy.db");
    const writing = Promise.all(Array.from({ length: 50 }, (_, at) => addArtifacts(store, at * 10, 10)));
    await store.backup(backup);
    await writing;
    expect(mode(backup)).toBe(0o600);
    await expect(store.backup(backup)).rejects.toMatchObject({ code: "USAGE" });
    await store.close();

    const { replaced } = await restoreSqliteStore({ directory, from: backup, clock: { now: () => 42 } });
    expect(replaced).toBe(`${file}.replaced-42`);
    const restored = await openSqliteStore({ directory });
    const count = await artifacts(restored);
    expect(count % 10).toBe(0);
    expect(count).toBeLessThanOrEqual(500);
    expect((await restored.check()).ok).toBe(true);
    await restored.close();

    await restoreSqliteStore({ directory, from: `${file}.replaced-42`, clock: { now: () => 43 } });
    const back = await openSqliteStore({ directory });
    expect(await artifacts(back)).toBe(500);
    await back.close();
  });

  test("a broken state can be replaced, and is kept with its log", async () => {
    const store = await openSqliteStore({ directory });
    await addArtifacts(store, 0, 10);
    const backup = join(directory, "copy.db");
    await store.backup(backup);
    await store.close();
    writeFileSync(file, "garbage");
    writeFileSync(`${file}-wal`, "log");
    await restoreSqliteStore({ directory, from: backup, clock: { now: () => 42 } });

    const restored = await openSqliteStore({ directory });
    expect(await artifacts(restored)).toBe(10);
    await restored.close();
    expect(readFileSync(`${file}.replaced-42`, "utf8")).toBe("garbage");
    expect(readFileSync(`${file}.replaced-42-wal`, "utf8")).toBe("log");
  });

  test("into an empty directory there is nothing to replace", async () => {
    const store = await openSqliteStore({ directory });
    const backup = join(directory, "copy.db");
    await store.backup(backup);
    await store.close();
    const elsewhere = join(directory, "elsewhere");
    expect(await restoreSqliteStore({ directory: elsewhere, from: backup })).toEqual({ replaced: null });
    await (await openSqliteStore({ directory: elsewhere })).close();
  });

  test("what is not a backup is refused with what was seen, and the state stays", async () => {
    const store = await openSqliteStore({ directory });
    await addArtifacts(store, 0, 500);
    await store.backup(join(directory, "good.db"));
    await store.close();
    const bad = join(directory, "bad.db");
    const damages: Record<string, () => Promise<void>> = {
      "there is no such file": async () => {},
      "the file is empty": async () => writeFileSync(bad, ""),
      "file is not a database": async () => writeFileSync(bad, "garbage".repeat(1_000)),
      "Tree ": async () => {
        await copyFile(join(directory, "good.db"), bad);
        overwrite(bad, 3 * 4_096, 4_096);
      },
      "it is in use or was not closed": async () => {
        await copyFile(join(directory, "good.db"), bad);
        writeFileSync(`${bad}-wal`, "x");
      },
    };
    for (const [found, make] of Object.entries(damages)) {
      await make();
      await expect(restoreSqliteStore({ directory, from: bad }), found).rejects.toMatchObject({
        code: "BACKUP_INVALID",
        evidence: [["found", expect.stringContaining(found)]],
      });
    }
    expect(readdirSync(directory).filter((name) => name.includes("restoring") || name.includes("replaced"))).toEqual(
      [],
    );
    const again = await openSqliteStore({ directory });
    expect(await artifacts(again)).toBe(500);
    await again.close();
  });
});

describe("a full disk", () => {
  test("undoes the whole transaction, says so, and work goes on when there is space", async ({ skip }) => {
    const disk = await smallDisk(directory, skip);
    const store = await openSqliteStore({ directory: disk });
    await addArtifacts(store, 0, 10);
    const filler = fillDisk(disk);
    const large = store.db.transaction().execute(async (trx) => {
      for (let at = 0; at < 400; at++) {
        const rows = Array.from({ length: 50 }, (_, n) => ({
          digest: digest(1_000 + at * 50 + n),
          bytes: 1,
          created_at: 1,
        }));
        await trx.insertInto("artifact").values(rows).execute();
      }
    });
    await expect(large).rejects.toMatchObject({ code: "DISK_FULL", retryable: true });
    expect(await artifacts(store)).toBe(10);
    await expect(store.backup(join(disk, "copy.db"))).rejects.toMatchObject({ code: "DISK_FULL" });
    expect(existsSync(join(disk, "copy.db"))).toBe(false);

    await rm(filler);
    await addArtifacts(store, 10, 10);
    expect(await artifacts(store)).toBe(20);
    expect((await store.check()).ok).toBe(true);
    await store.close();
  });

  test("at the making of a store is said, and the next opening makes it", async ({ skip }) => {
    const disk = await smallDisk(directory, skip);
    const filler = fillDisk(disk);
    await expect(openSqliteStore({ directory: disk })).rejects.toMatchObject({ code: "DISK_FULL" });
    await rm(filler);
    await (await openSqliteStore({ directory: disk })).close();
  });
});

function overwrite(path: string, position: number, bytes: number): void {
  const handle = openSync(path, "r+");
  writeSync(handle, Buffer.alloc(bytes, 0xa5), 0, bytes, position);
  closeSync(handle);
}

const makeForeign = `
  const { DatabaseSync } = process.getBuiltinModule("node:sqlite") ?? require("@photostructure/sqlite");
  new DatabaseSync(process.argv[1]).exec("create table theirs (a)");
`;
