import type { Migration } from "./migration.ts";

/** How many instances services have been brought to. */
export const scale: Migration = {
  number: 6,
  name: "scale",
  statements: ({ schema }) => [
    schema
      .createTable("scale")
      .addColumn("product", "text", (is) => is.notNull())
      .addColumn("environment", "text", (is) => is.notNull())
      .addColumn("service", "text", (is) => is.notNull())
      .addColumn("instances", "integer", (is) => is.notNull())
      .addColumn("wanted", "integer")
      .addColumn("operation", "text")
      .addColumn("mode", "text", (is) => is.notNull())
      .addColumn("past", "text", (is) => is.notNull())
      .addColumn("actor", "text", (is) => is.notNull())
      .addColumn("reason", "text", (is) => is.notNull())
      .addColumn("changed_at", "bigint", (is) => is.notNull())
      .addPrimaryKeyConstraint("scale_key", ["product", "environment", "service"])
      .compile(),
  ],
};
