import type { Migration } from "./migration.ts";

/** What begins runs by itself, what was heard, and where refs stood when they were last heard of. */
export const triggers: Migration = {
  number: 7,
  name: "triggers",
  statements: ({ schema }) => [
    schema
      .createTable("trigger_config")
      .addColumn("product", "text", (is) => is.primaryKey().notNull())
      .addColumn("repository", "text", (is) => is.notNull())
      .addColumn("settings", "text", (is) => is.notNull())
      .addColumn("applied_at", "bigint", (is) => is.notNull())
      .addColumn("applied_by", "text", (is) => is.notNull())
      .addColumn("polled_at", "bigint")
      .addColumn("poll_error", "text")
      .compile(),
    schema
      .createTable("trigger_event")
      .addColumn("id", "text", (is) => is.primaryKey().notNull())
      .addColumn("number", "integer", (is) => is.notNull())
      .addColumn("product", "text", (is) => is.notNull())
      .addColumn("source", "text", (is) => is.notNull())
      .addColumn("delivery", "text", (is) => is.notNull())
      .addColumn("digest", "text")
      .addColumn("event", "text", (is) => is.notNull())
      .addColumn("begin", "text")
      .addColumn("phase", "text", (is) => is.notNull())
      .addColumn("reason", "text", (is) => is.notNull())
      .addColumn("run_id", "text")
      .addColumn("release_id", "text")
      .addColumn("deployment_id", "text")
      .addColumn("received_at", "bigint", (is) => is.notNull())
      .addColumn("ended_at", "bigint")
      .addUniqueConstraint("trigger_event_number", ["product", "number"])
      .addUniqueConstraint("trigger_event_delivery", ["product", "source", "delivery"])
      .addUniqueConstraint("trigger_event_digest", ["product", "source", "digest"])
      .compile(),
    schema
      .createTable("trigger_ref")
      .addColumn("product", "text", (is) => is.notNull())
      .addColumn("ref", "text", (is) => is.notNull())
      .addColumn("before", "text")
      .addColumn("after", "text", (is) => is.notNull())
      .addPrimaryKeyConstraint("trigger_ref_key", ["product", "ref"])
      .compile(),
  ],
};
