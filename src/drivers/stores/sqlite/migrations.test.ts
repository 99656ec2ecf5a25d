import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DummyDriver, Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler, sql } from "kysely";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import type { Db } from "../../../ports/store.ts";
import type { Database } from "../../../ports/tables.ts";
import { checksum } from "../../../store/migrate.ts";
import { goldenRows } from "../../../store/migrations/golden.ts";
import { migrations } from "../../../store/migrations/list.ts";
import type { Migration } from "../../../store/migrations/migration.ts";
import { openSqliteStore } from "./index.ts";

let directory = "";
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "slipway-store-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
});

/** Does not compile when `ports/tables.ts` has another table or column. */
const columns: { readonly [Table in keyof Database]: Readonly<Record<keyof Database[Table], true>> } = {
  run: {
    id: true,
    product: true,
    repository: true,
    commit_hash: true,
    dirty: true,
    phase: true,
    reason: true,
    error: true,
    release_id: true,
    created_at: true,
    created_by: true,
    ended_at: true,
  },
  release: {
    id: true,
    product: true,
    number: true,
    version: true,
    commit_hash: true,
    dirty: true,
    subject: true,
    author: true,
    branch: true,
    config_digest: true,
    config: true,
    artifacts: true,
    commits: true,
    created_at: true,
    created_by: true,
    pinned: true,
    pruned_at: true,
  },
  run_request: { run_id: true, event: true, asked: true },
  run_step: {
    run_id: true,
    number: true,
    name: true,
    spec: true,
    phase: true,
    reason: true,
    attempt: true,
    outcome: true,
    started_at: true,
    ended_at: true,
  },
  metric_series: { id: true, metric: true, labels: true, columns: true, created_at: true },
  metric_chunk: { series_id: true, slot_ms: true, start_at: true, slots: true },
  secret: {
    product: true,
    environment: true,
    name: true,
    version: true,
    sealed: true,
    fingerprint: true,
    created_at: true,
    created_by: true,
  },
  gated: {
    deployment_id: true,
    compared_with: true,
    when_busy: true,
    override_reason: true,
    override_budget_reason: true,
  },
  approval: { id: true, deployment_id: true, actor: true, reason: true, live_id: true, created_at: true },
  trigger_config: {
    product: true,
    repository: true,
    settings: true,
    applied_at: true,
    applied_by: true,
    polled_at: true,
    poll_error: true,
  },
  trigger_event: {
    id: true,
    number: true,
    product: true,
    source: true,
    delivery: true,
    digest: true,
    event: true,
    begin: true,
    phase: true,
    reason: true,
    run_id: true,
    release_id: true,
    deployment_id: true,
    received_at: true,
    ended_at: true,
  },
  preview: {
    product: true,
    name: true,
    template: true,
    ref: true,
    host: true,
    phase: true,
    reason: true,
    made_at: true,
    made_by: true,
    pushed_at: true,
    asked_at: true,
    prepared: true,
    instances: true,
    instance_ms: true,
    charged_at: true,
  },
  preview_cost: { product: true, template: true, month: true, instance_ms: true },
  trigger_ref: { product: true, ref: true, before: true, after: true },
  approval_link: {
    id: true,
    deployment_id: true,
    person: true,
    created_by: true,
    created_at: true,
    expires_at: true,
    used_at: true,
  },
  forge_report: {
    subject: true,
    channel: true,
    product: true,
    place: true,
    remote_id: true,
    told: true,
    failures: true,
    since: true,
    next_at: true,
    error: true,
    over: true,
    updated_at: true,
  },
  flag_setting: {
    product: true,
    environment: true,
    flag: true,
    setting: true,
    set_at: true,
    set_by: true,
    reason: true,
  },
  agent_revocation: {
    product: true,
    agent: true,
    generation: true,
    revoked_at: true,
    revoked_by: true,
    reason: true,
  },
  scale: {
    product: true,
    environment: true,
    service: true,
    instances: true,
    wanted: true,
    operation: true,
    mode: true,
    past: true,
    actor: true,
    reason: true,
    changed_at: true,
  },
  artifact: { digest: true, bytes: true, created_at: true },
  deployment: {
    id: true,
    product: true,
    environment: true,
    release_id: true,
    stable_id: true,
    kind: true,
    phase: true,
    state: true,
    version: true,
    reason: true,
    change_log: true,
    created_at: true,
    created_by: true,
    started_at: true,
    live_at: true,
    detected_at: true,
    restored_at: true,
    ended_at: true,
  },
  history: {
    id: true,
    at: true,
    product: true,
    environment: true,
    deployment_id: true,
    release_id: true,
    event: true,
    actor: true,
    reason: true,
    evidence: true,
  },
  environment: {
    product: true,
    name: true,
    live_release_id: true,
    locked_by: true,
    locked_reason: true,
    locked_at: true,
    traffic: true,
    updated_at: true,
  },
  request: {
    id: true,
    deployment_id: true,
    kind: true,
    actor: true,
    reason: true,
    created_at: true,
    handled_at: true,
  },
  revision: {
    id: true,
    product: true,
    environment: true,
    service: true,
    release_id: true,
    role: true,
    created_at: true,
    updated_at: true,
  },
  workflow: {
    id: true,
    number: true,
    kind: true,
    status: true,
    lock_key: true,
    input: true,
    output: true,
    error: true,
    cancel_reason: true,
    created_at: true,
    started_at: true,
    ended_at: true,
  },
  workflow_step: {
    workflow_id: true,
    seq: true,
    name: true,
    kind: true,
    status: true,
    attempts: true,
    output: true,
    error: true,
    due_at: true,
    started_at: true,
    ended_at: true,
  },
  workflow_signal: {
    id: true,
    workflow_id: true,
    topic: true,
    key: true,
    payload: true,
    created_at: true,
    consumed_seq: true,
  },
  workflow_schedule: {
    name: true,
    cron: true,
    time_zone: true,
    kind: true,
    input: true,
    next_at: true,
    last_at: true,
  },
};

test("the schema has exactly the tables and columns of the port", async () => {
  const store = await openSqliteStore({ directory });
  const found = await store.db.introspection.getTables();
  await store.close();

  const tables = found.filter(({ name }) => name !== "schema_migration" && name !== "sqlite_sequence");
  const names = (of: readonly { readonly name: string }[]): string[] => of.map(({ name }) => name).toSorted();
  expect(names(tables)).toEqual(Object.keys(columns).toSorted());
  for (const table of tables) {
    expect(names(table.columns), table.name).toEqual(Object.keys(columns[table.name as keyof Database]).toSorted());
  }
});

test("a released schema never changes", () => {
  const sums = migrations.map(
    (migration) => `${migration.number} ${migration.name} ${checksum(compiler, "sqlite", migration)}`,
  );
  expect(sums).toMatchInlineSnapshot(`
    [
      "1 spine 692d93b3b9dc50d934b50a76f6e681bfea1f7ae9a9a97559060c57bcd68d5ac2",
      "2 metrics 53e8da642c4a61347e4c0b290a984403cd27fb8105285526a8141440157bde81",
      "3 secrets b8deaf794f50914b755d1f5f5e2d98bd0e7a3d43eaf7cc4872f3fea4cbd89b60",
      "4 pipeline 2c9f849727e7dc430b57a3ad07145b6e4a17a71dd2813a62aacca16bd192115c",
      "5 gates a0e951c3fc62f309011b3db87f0b229e9faec585aad646e65fceb14aed7edd0d",
      "6 scale 24a40fc05023ab9625bb6977b491e6fb9503d0058a871c89f98d8a9c6f00c03b",
      "7 triggers 6e5da90a4016c7072269b4f62f1db234cbd09c16fd81ccc4a2619c66685ad732",
      "8 forge 01223d47fda606634616d17d1cdc936aa61b7e3d286226ca107737b8736fd532",
      "9 previews a85a109946b3b460c019e38f21224098cad44b081de85831c62da8204a5e5bf7",
      "10 approval-links 3d405a776fe6b2faefdbd6342ada59a97a99e006c8c3b6e5893422508cc84b49",
      "11 flags 126bc903de48042e9c4be8a07a8d20eb907b57daae8cd0d00a52d03d7aa6c63d",
      "12 agents 6e1395e684b348bac43478489d9232f3eb7980531a7ea0ef2587291e4b0a1223",
      "13 budget-gate 09a6d79cb803b83bf69d7c059fcf50faab4f436cf77e4fca6d8b49739119363e",
    ]
  `);
});

test("every schema has golden rows in every table it made", () => {
  expect(Object.keys(goldenRows)).toEqual(migrations.map(({ number }) => String(number)));
  const tables = Object.values(goldenRows).flatMap((rows) => Object.keys(rows));
  expect(tables.toSorted()).toEqual(Object.keys(columns).toSorted());
});

const added: Migration = {
  number: migrations.length + 1,
  name: "test",
  statements: ({ schema }) => [
    schema
      .alterTable("artifact")
      .addColumn("note", "text", (is) => is.notNull().defaultTo("none"))
      .compile(),
  ],
};
/** The newest schema there is, and one more, so that an upgrade is tried also while there is only one. */
const known = [...migrations, added];

for (const from of migrations) {
  test(`a state of schema ${from.number} is brought up to date with its rows, and kept as it was`, async () => {
    const upTo = migrations.slice(0, from.number);
    const old = await openSqliteStore({ directory, migrations: upTo });
    for (const { number } of upTo) await insertGolden(old.db, number);
    await old.close();

    const store = await openSqliteStore({ directory, migrations: known });
    expect(await store.check()).toEqual({ ok: true, findings: [] });
    for (const [table, rows] of Object.entries(goldenRows[from.number] ?? {})) {
      const found = await store.db
        .selectFrom(table as keyof Database)
        .selectAll()
        .execute();
      expect(found, table).toEqual(rows.map((row) => expect.objectContaining(row)));
    }
    await store.close();

    const kept = `state.db.before-${from.number + 1}`;
    expect(readdirSync(directory)).toContain(kept);
    const before = await mkdtemp(join(tmpdir(), "slipway-store-"));
    onTestFinished(() => rm(before, { recursive: true, force: true }));
    const { restoreSqliteStore } = await import("./restore.ts");
    await restoreSqliteStore({ directory: before, from: join(directory, kept), migrations: upTo });
    const asItWas = await openSqliteStore({ directory: before, migrations: upTo });
    expect(await asItWas.db.selectFrom("artifact").selectAll().execute()).toEqual(goldenRows[1]?.artifact);
    await asItWas.close();
  });
}

test("a migration that fails leaves the state at the schema before it", async () => {
  const old = await openSqliteStore({ directory });
  await insertGolden(old.db, 1);
  await old.close();
  const broken: Migration = {
    ...added,
    statements: (db, dialect) => [...added.statements(db, dialect), sql`insert into nowhere values (1)`.compile(db)],
  };
  await expect(openSqliteStore({ directory, migrations: [...migrations, broken] })).rejects.toThrow("nowhere");

  const store = await openSqliteStore({ directory });
  expect(await store.db.selectFrom("artifact").selectAll().execute()).toEqual(goldenRows[1]?.artifact);
  await store.close();
});

test("a state of a newer slipway is refused by name and left as it is", async () => {
  await (await openSqliteStore({ directory, migrations: known })).close();
  await expect(openSqliteStore({ directory })).rejects.toMatchObject({
    code: "STORE_TOO_NEW",
    message: `the state has schema ${known.length} (test); this slipway knows up to ${migrations.length}`,
  });
  expect(existsSync(join(directory, `state.db.before-${known.length}`))).toBe(false);
  await (await openSqliteStore({ directory, migrations: known })).close();
});

test("a state of another build, with another schema of the same number, is refused", async () => {
  await (await openSqliteStore({ directory, migrations: known })).close();
  const other: Migration = { ...added, statements: ({ schema }) => [schema.dropTable("artifact").compile()] };
  await expect(openSqliteStore({ directory, migrations: [...migrations, other] })).rejects.toMatchObject({
    code: "STORE_DIFFERS",
  });
});

test("history is only ever added to, and of a release only the pin and the pruning change", async () => {
  const { db, close } = await openSqliteStore({ directory });
  await insertGolden(db, 1);
  const refused = async (statement: string, words: string): Promise<void> => {
    await expect(sql.raw(statement).execute(db), statement).rejects.toThrow(words);
  };
  await refused("update history set reason = 'x'", "history is never changed");
  await refused("delete from history", "history is never removed");
  await refused("insert or replace into history select * from history", "history is never removed");
  await refused("update release set config = '{}'", "a release is never changed");
  await refused("delete from release", "a release is never removed");
  await refused("insert or replace into release select * from release", "a release is never removed");
  await db.updateTable("release").set({ pinned: 0, pruned_at: 1 }).execute();

  const again = await db.selectFrom("release").selectAll().executeTakeFirstOrThrow();
  await expect(
    db
      .insertInto("release")
      .values({ ...again, id: "rel_2" as never })
      .execute(),
  ).rejects.toThrow("UNIQUE");
  await expect(
    db
      .insertInto("release")
      .values({ ...again, id: "rel_2" as never, number: 2 })
      .execute(),
  ).resolves.toBeDefined();
  await refused("update deployment set release_id = 'rel_9'", "FOREIGN KEY");
  await close();
});

async function insertGolden(db: Db, schema: number): Promise<void> {
  for (const [table, rows] of Object.entries(goldenRows[schema] ?? {})) {
    await db
      .insertInto(table as keyof Database)
      .values(rows as never)
      .execute();
  }
}

/** Writes SQL, runs nothing. */
const compiler = new Kysely<unknown>({
  dialect: {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  },
});
