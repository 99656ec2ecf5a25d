import type { Migration } from "./migration.ts";

/** Environments of branches and pull requests, and what they have cost. */
export const previews: Migration = {
  number: 9,
  name: "previews",
  statements: ({ schema }) => [
    schema
      .createTable("preview")
      .addColumn("product", "text", (is) => is.notNull())
      .addColumn("name", "text", (is) => is.notNull())
      .addColumn("template", "text", (is) => is.notNull())
      .addColumn("ref", "text", (is) => is.notNull())
      .addColumn("host", "text", (is) => is.notNull())
      .addColumn("phase", "text", (is) => is.notNull())
      .addColumn("reason", "text", (is) => is.notNull())
      .addColumn("made_at", "bigint", (is) => is.notNull())
      .addColumn("made_by", "text", (is) => is.notNull())
      .addColumn("pushed_at", "bigint", (is) => is.notNull())
      .addColumn("asked_at", "bigint")
      .addColumn("prepared", "text")
      .addColumn("instances", "integer", (is) => is.notNull())
      .addColumn("instance_ms", "bigint", (is) => is.notNull())
      .addColumn("charged_at", "bigint", (is) => is.notNull())
      .addPrimaryKeyConstraint("preview_key", ["product", "name"])
      .compile(),
    schema
      .createTable("preview_cost")
      .addColumn("product", "text", (is) => is.notNull())
      .addColumn("template", "text", (is) => is.notNull())
      .addColumn("month", "text", (is) => is.notNull())
      .addColumn("instance_ms", "bigint", (is) => is.notNull())
      .addPrimaryKeyConstraint("preview_cost_key", ["product", "template", "month"])
      .compile(),
  ],
};
