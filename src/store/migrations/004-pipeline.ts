import type { Migration } from "./migration.ts";

/** What a run was asked to do, and the steps of its pipeline. */
export const pipeline: Migration = {
  number: 4,
  name: "pipeline",
  statements: ({ schema }) => [
    schema
      .createTable("run_request")
      .addColumn("run_id", "text", (is) => is.primaryKey().notNull().references("run.id"))
      .addColumn("event", "text", (is) => is.notNull())
      .addColumn("asked", "text", (is) => is.notNull())
      .compile(),
    schema
      .createTable("run_step")
      .addColumn("run_id", "text", (is) => is.notNull().references("run.id"))
      .addColumn("number", "integer", (is) => is.notNull())
      .addColumn("name", "text", (is) => is.notNull())
      .addColumn("spec", "text", (is) => is.notNull())
      .addColumn("phase", "text", (is) => is.notNull())
      .addColumn("reason", "text", (is) => is.notNull())
      .addColumn("attempt", "integer", (is) => is.notNull())
      .addColumn("outcome", "text")
      .addColumn("started_at", "bigint")
      .addColumn("ended_at", "bigint")
      .addPrimaryKeyConstraint("run_step_key", ["run_id", "number"])
      .compile(),
  ],
};
