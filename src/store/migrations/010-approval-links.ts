import type { Migration } from "./migration.ts";

/** Links by which a person may say yes or no once. */
export const approvalLinks: Migration = {
  number: 10,
  name: "approval-links",
  statements: ({ schema }) => [
    schema
      .createTable("approval_link")
      .addColumn("id", "text", (is) => is.primaryKey().notNull())
      .addColumn("deployment_id", "text", (is) => is.notNull().references("deployment.id"))
      .addColumn("person", "text", (is) => is.notNull())
      .addColumn("created_by", "text", (is) => is.notNull())
      .addColumn("created_at", "bigint", (is) => is.notNull())
      .addColumn("expires_at", "bigint", (is) => is.notNull())
      .addColumn("used_at", "bigint")
      .compile(),
  ],
};
