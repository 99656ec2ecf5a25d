import { CompiledQuery, type CreateTableBuilder, type Kysely } from "kysely";
import type { Dialect, Migration } from "./migration.ts";

/** The tables of `ports/tables.ts`: product truth and the engine's journal. */
export const spine: Migration = {
  number: 1,
  name: "spine",
  statements: (db, dialect) => [
    ...[...productTables(db, dialect), ...workflowTables(db, dialect), ...indexes(db)].map((table) => table.compile()),
    ...(dialect === "sqlite" ? sqliteGuards : []).map((guard) => CompiledQuery.raw(guard)),
  ],
};

const productTables = ({ schema }: Kysely<unknown>, dialect: Dialect) => [
  schema
    .createTable("release")
    .addColumn("id", "text", (is) => is.primaryKey().notNull())
    .addColumn("product", "text", (is) => is.notNull())
    .addColumn("number", "integer", (is) => is.notNull())
    .addColumn("version", "text", (is) => is.notNull())
    .addColumn("commit_hash", "text", (is) => is.notNull())
    .addColumn("dirty", "integer", (is) => is.notNull())
    .addColumn("subject", "text", (is) => is.notNull())
    .addColumn("author", "text", (is) => is.notNull())
    .addColumn("branch", "text")
    .addColumn("config_digest", "text", (is) => is.notNull())
    .addColumn("config", "text", (is) => is.notNull())
    .addColumn("artifacts", "text", (is) => is.notNull())
    .addColumn("commits", "text", (is) => is.notNull())
    .addColumn("created_at", "bigint", (is) => is.notNull())
    .addColumn("created_by", "text", (is) => is.notNull())
    .addColumn("pinned", "integer", (is) => is.notNull())
    .addColumn("pruned_at", "bigint")
    .addUniqueConstraint("release_number", ["product", "number"]),
  schema
    .createTable("run")
    .addColumn("id", "text", (is) => is.primaryKey().notNull())
    .addColumn("product", "text", (is) => is.notNull())
    .addColumn("repository", "text", (is) => is.notNull())
    .addColumn("commit_hash", "text", (is) => is.notNull())
    .addColumn("dirty", "integer", (is) => is.notNull())
    .addColumn("phase", "text", (is) => is.notNull())
    .addColumn("reason", "text", (is) => is.notNull())
    .addColumn("error", "text")
    .addColumn("release_id", "text", (is) => is.references("release.id"))
    .addColumn("created_at", "bigint", (is) => is.notNull())
    .addColumn("created_by", "text", (is) => is.notNull())
    .addColumn("ended_at", "bigint"),
  schema
    .createTable("artifact")
    .addColumn("digest", "text", (is) => is.primaryKey().notNull())
    .addColumn("bytes", "bigint", (is) => is.notNull())
    .addColumn("created_at", "bigint", (is) => is.notNull()),
  schema
    .createTable("deployment")
    .addColumn("id", "text", (is) => is.primaryKey().notNull())
    .addColumn("product", "text", (is) => is.notNull())
    .addColumn("environment", "text", (is) => is.notNull())
    .addColumn("release_id", "text", (is) => is.notNull().references("release.id"))
    .addColumn("stable_id", "text", (is) => is.references("release.id"))
    .addColumn("kind", "text", (is) => is.notNull())
    .addColumn("phase", "text", (is) => is.notNull())
    .addColumn("state", "text", (is) => is.notNull())
    .addColumn("version", "integer", (is) => is.notNull())
    .addColumn("reason", "text", (is) => is.notNull())
    .addColumn("change_log", "text", (is) => is.notNull())
    .addColumn("created_at", "bigint", (is) => is.notNull())
    .addColumn("created_by", "text", (is) => is.notNull())
    .addColumn("started_at", "bigint")
    .addColumn("live_at", "bigint")
    .addColumn("detected_at", "bigint")
    .addColumn("restored_at", "bigint")
    .addColumn("ended_at", "bigint"),
  numbered(schema.createTable("history"), dialect)
    .addColumn("at", "bigint", (is) => is.notNull())
    .addColumn("product", "text", (is) => is.notNull())
    .addColumn("environment", "text")
    .addColumn("deployment_id", "text", (is) => is.references("deployment.id"))
    .addColumn("release_id", "text", (is) => is.references("release.id"))
    .addColumn("event", "text", (is) => is.notNull())
    .addColumn("actor", "text", (is) => is.notNull())
    .addColumn("reason", "text", (is) => is.notNull())
    .addColumn("evidence", "text", (is) => is.notNull()),
  schema
    .createTable("environment")
    .addColumn("product", "text", (is) => is.notNull())
    .addColumn("name", "text", (is) => is.notNull())
    .addColumn("live_release_id", "text", (is) => is.references("release.id"))
    .addColumn("locked_by", "text")
    .addColumn("locked_reason", "text")
    .addColumn("locked_at", "bigint")
    .addColumn("traffic", "text", (is) => is.notNull())
    .addColumn("updated_at", "bigint", (is) => is.notNull())
    .addPrimaryKeyConstraint("environment_key", ["product", "name"]),
  schema
    .createTable("request")
    .addColumn("id", "text", (is) => is.primaryKey().notNull())
    .addColumn("deployment_id", "text", (is) => is.notNull().references("deployment.id"))
    .addColumn("kind", "text", (is) => is.notNull())
    .addColumn("actor", "text", (is) => is.notNull())
    .addColumn("reason", "text", (is) => is.notNull())
    .addColumn("created_at", "bigint", (is) => is.notNull())
    .addColumn("handled_at", "bigint"),
  schema
    .createTable("revision")
    .addColumn("id", "text", (is) => is.primaryKey().notNull())
    .addColumn("product", "text", (is) => is.notNull())
    .addColumn("environment", "text", (is) => is.notNull())
    .addColumn("service", "text", (is) => is.notNull())
    .addColumn("release_id", "text", (is) => is.notNull().references("release.id"))
    .addColumn("role", "text", (is) => is.notNull())
    .addColumn("created_at", "bigint", (is) => is.notNull())
    .addColumn("updated_at", "bigint", (is) => is.notNull()),
];

const workflowTables = ({ schema }: Kysely<unknown>, dialect: Dialect) => [
  schema
    .createTable("workflow")
    .addColumn("id", "text", (is) => is.primaryKey().notNull())
    .addColumn("number", "integer", (is) => is.notNull().unique())
    .addColumn("kind", "text", (is) => is.notNull())
    .addColumn("status", "text", (is) => is.notNull())
    .addColumn("lock_key", "text")
    .addColumn("input", "text", (is) => is.notNull())
    .addColumn("output", "text")
    .addColumn("error", "text")
    .addColumn("cancel_reason", "text")
    .addColumn("created_at", "bigint", (is) => is.notNull())
    .addColumn("started_at", "bigint")
    .addColumn("ended_at", "bigint"),
  schema
    .createTable("workflow_step")
    .addColumn("workflow_id", "text", (is) => is.notNull().references("workflow.id"))
    .addColumn("seq", "integer", (is) => is.notNull())
    .addColumn("name", "text", (is) => is.notNull())
    .addColumn("kind", "text", (is) => is.notNull())
    .addColumn("status", "text", (is) => is.notNull())
    .addColumn("attempts", "integer", (is) => is.notNull())
    .addColumn("output", "text")
    .addColumn("error", "text")
    .addColumn("due_at", "bigint")
    .addColumn("started_at", "bigint", (is) => is.notNull())
    .addColumn("ended_at", "bigint")
    .addPrimaryKeyConstraint("workflow_step_key", ["workflow_id", "seq"]),
  numbered(schema.createTable("workflow_signal"), dialect)
    .addColumn("workflow_id", "text", (is) => is.notNull().references("workflow.id"))
    .addColumn("topic", "text", (is) => is.notNull())
    .addColumn("key", "text", (is) => is.notNull())
    .addColumn("payload", "text", (is) => is.notNull())
    .addColumn("created_at", "bigint", (is) => is.notNull())
    .addColumn("consumed_seq", "integer")
    .addUniqueConstraint("workflow_signal_once", ["workflow_id", "key"]),
  schema
    .createTable("workflow_schedule")
    .addColumn("name", "text", (is) => is.primaryKey().notNull())
    .addColumn("cron", "text", (is) => is.notNull())
    .addColumn("time_zone", "text", (is) => is.notNull())
    .addColumn("kind", "text", (is) => is.notNull())
    .addColumn("input", "text", (is) => is.notNull())
    .addColumn("next_at", "bigint", (is) => is.notNull())
    .addColumn("last_at", "bigint"),
];

/** `id` given by the store, never used twice, in the order of writing. */
function numbered(table: CreateTableBuilder<string, never>, dialect: Dialect): CreateTableBuilder<string, "id"> {
  return dialect === "sqlite"
    ? table.addColumn("id", "integer", (is) => is.primaryKey().autoIncrement().notNull())
    : table.addColumn("id", "bigint", (is) => is.primaryKey().generatedAlwaysAsIdentity().notNull());
}

const indexes = ({ schema }: Kysely<unknown>) => [
  schema.createIndex("run_newest").on("run").columns(["product", "created_at"]),
  schema.createIndex("deployment_newest").on("deployment").columns(["product", "environment", "created_at"]),
  schema.createIndex("deployment_of_release").on("deployment").column("release_id"),
  schema.createIndex("deployment_under_way").on("deployment").column("ended_at"),
  schema.createIndex("history_of_environment").on("history").columns(["product", "environment", "id"]),
  schema.createIndex("history_of_deployment").on("history").column("deployment_id"),
  schema.createIndex("request_of_deployment").on("request").columns(["deployment_id", "handled_at"]),
  schema.createIndex("revision_of_environment").on("revision").columns(["product", "environment", "service"]),
  schema.createIndex("revision_of_release").on("revision").column("release_id"),
  schema.createIndex("workflow_by_status").on("workflow").columns(["status", "kind"]),
  schema.createIndex("workflow_turn").on("workflow").columns(["lock_key", "status", "number"]),
  schema.createIndex("workflow_signal_turn").on("workflow_signal").columns(["workflow_id", "topic", "consumed_seq"]),
];

/** Promises of the tables that the database itself keeps. With `recursive_triggers` on, REPLACE is refused as well. */
const sqliteGuards = [
  `create trigger history_is_not_changed before update on history
   begin select raise(abort, 'history is never changed'); end`,
  `create trigger history_is_not_removed before delete on history
   begin select raise(abort, 'history is never removed'); end`,
  `create trigger release_is_not_changed before update of id, product, number, version, commit_hash, dirty, subject,
     author, branch, config_digest, config, artifacts, commits, created_at, created_by on release
   begin select raise(abort, 'a release is never changed'); end`,
  `create trigger release_is_not_removed before delete on release
   begin select raise(abort, 'a release is never removed'); end`,
];
