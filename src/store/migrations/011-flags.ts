import type { Migration } from "./migration.ts";

/** What somebody has set of a flag, over the config. */
export const flags: Migration = {
  number: 11,
  name: "flags",
  statements: ({ schema }) => [
    schema
      .createTable("flag_setting")
      .addColumn("product", "text", (is) => is.notNull())
      .addColumn("environment", "text", (is) => is.notNull())
      .addColumn("flag", "text", (is) => is.notNull())
      .addColumn("setting", "text", (is) => is.notNull())
      .addColumn("set_at", "bigint", (is) => is.notNull())
      .addColumn("set_by", "text", (is) => is.notNull())
      .addColumn("reason", "text", (is) => is.notNull())
      .addPrimaryKeyConstraint("flag_setting_pk", ["product", "environment", "flag"])
      .compile(),
  ],
};
