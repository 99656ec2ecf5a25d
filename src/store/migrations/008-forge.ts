import type { Migration } from "./migration.ts";

/** What the forge was told of runs and deployments, and what it still has to be told. */
export const forge: Migration = {
  number: 8,
  name: "forge",
  statements: ({ schema }) => [
    schema
      .createTable("forge_report")
      .addColumn("subject", "text", (is) => is.notNull())
      .addColumn("channel", "text", (is) => is.notNull())
      .addColumn("product", "text", (is) => is.notNull())
      .addColumn("place", "integer")
      .addColumn("remote_id", "text")
      .addColumn("told", "text")
      .addColumn("failures", "integer", (is) => is.notNull())
      .addColumn("since", "bigint")
      .addColumn("next_at", "bigint")
      .addColumn("error", "text")
      .addColumn("over", "integer", (is) => is.notNull())
      .addColumn("updated_at", "bigint", (is) => is.notNull())
      .addPrimaryKeyConstraint("forge_report_key", ["subject", "channel"])
      .compile(),
  ],
};
