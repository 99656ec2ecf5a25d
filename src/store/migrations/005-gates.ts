import type { Migration } from "./migration.ts";

/** Deployments that wait at their gates, and who has approved them. */
export const gates: Migration = {
  number: 5,
  name: "gates",
  statements: ({ schema }) => [
    schema
      .createTable("gated")
      .addColumn("deployment_id", "text", (is) => is.primaryKey().notNull().references("deployment.id"))
      .addColumn("compared_with", "text", (is) => is.references("release.id"))
      .addColumn("when_busy", "text", (is) => is.notNull())
      .addColumn("override_reason", "text")
      .compile(),
    schema
      .createTable("approval")
      .addColumn("id", "text", (is) => is.primaryKey().notNull())
      .addColumn("deployment_id", "text", (is) => is.notNull().references("deployment.id"))
      .addColumn("actor", "text", (is) => is.notNull())
      .addColumn("reason", "text", (is) => is.notNull())
      .addColumn("live_id", "text", (is) => is.references("release.id"))
      .addColumn("created_at", "bigint", (is) => is.notNull())
      .compile(),
    schema.createIndex("approval_of_deployment").on("approval").column("deployment_id").compile(),
  ],
};
