import type { Migration } from "./migration.ts";

/** Values that are not in git, each enciphered with a key that is not in the store. */
export const secrets: Migration = {
  number: 3,
  name: "secrets",
  statements: ({ schema }) => [
    schema
      .createTable("secret")
      .addColumn("product", "text", (is) => is.notNull())
      .addColumn("environment", "text", (is) => is.notNull())
      .addColumn("name", "text", (is) => is.notNull())
      .addColumn("version", "integer", (is) => is.notNull())
      .addColumn("sealed", "text")
      .addColumn("fingerprint", "text", (is) => is.notNull())
      .addColumn("created_at", "bigint", (is) => is.notNull())
      .addColumn("created_by", "text", (is) => is.notNull())
      .addPrimaryKeyConstraint("secret_key", ["product", "environment", "name", "version"])
      .compile(),
  ],
};
