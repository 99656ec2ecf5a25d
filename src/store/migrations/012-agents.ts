import type { Migration } from "./migration.ts";

/** Agents whose tokens were taken back: those of a later generation hold. */
export const agents: Migration = {
  number: 12,
  name: "agents",
  statements: ({ schema }) => [
    schema
      .createTable("agent_revocation")
      .addColumn("product", "text", (is) => is.notNull())
      .addColumn("agent", "text", (is) => is.notNull())
      .addColumn("generation", "integer", (is) => is.notNull())
      .addColumn("revoked_at", "bigint", (is) => is.notNull())
      .addColumn("revoked_by", "text", (is) => is.notNull())
      .addColumn("reason", "text", (is) => is.notNull())
      .addPrimaryKeyConstraint("agent_revocation_pk", ["product", "agent"])
      .compile(),
  ],
};
