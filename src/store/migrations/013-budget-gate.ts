import type { Migration } from "./migration.ts";

/** Why somebody has passed the gate of an error budget. */
export const budgetGate: Migration = {
  number: 13,
  name: "budget-gate",
  statements: ({ schema }) => [schema.alterTable("gated").addColumn("override_budget_reason", "text").compile()],
};
