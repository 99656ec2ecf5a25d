import type { Kysely } from "kysely";
import type { Dialect, Migration } from "./migration.ts";

/** The past of what was measured: which series there are, and their slots in chunks. */
export const metrics: Migration = {
  number: 2,
  name: "metrics",
  statements: (db, dialect) => [...tables(db, dialect), ...indexes(db)].map((each) => each.compile()),
};

const tables = ({ schema }: Kysely<unknown>, dialect: Dialect) => [
  (dialect === "sqlite"
    ? schema.createTable("metric_series").addColumn("id", "integer", (is) => is.primaryKey().autoIncrement().notNull())
    : schema
        .createTable("metric_series")
        .addColumn("id", "bigint", (is) => is.primaryKey().generatedAlwaysAsIdentity().notNull())
  )
    .addColumn("metric", "text", (is) => is.notNull())
    .addColumn("labels", "text", (is) => is.notNull())
    .addColumn("columns", "integer", (is) => is.notNull())
    .addColumn("created_at", "bigint", (is) => is.notNull())
    .addUniqueConstraint("metric_series_once", ["metric", "labels", "columns"]),
  schema
    .createTable("metric_chunk")
    .addColumn("series_id", "bigint", (is) => is.notNull().references("metric_series.id"))
    .addColumn("slot_ms", "integer", (is) => is.notNull())
    .addColumn("start_at", "bigint", (is) => is.notNull())
    .addColumn("slots", "text", (is) => is.notNull())
    .addPrimaryKeyConstraint("metric_chunk_key", ["series_id", "slot_ms", "start_at"]),
];

const indexes = ({ schema }: Kysely<unknown>) => [
  schema.createIndex("metric_chunk_age").on("metric_chunk").columns(["slot_ms", "start_at"]),
];
