import { expressionBuilder } from "kysely";
import type { EnvironmentName } from "../../core/ids.ts";
import type { Attempt } from "../../core/release/standing.ts";
import type { Db, Trx } from "../../ports/store.ts";
import type { Database } from "../../ports/tables.ts";

/** Every attempt of an environment that has begun, for the standing of its releases. */
export async function attemptsIn(db: Db | Trx, product: string, environment: EnvironmentName): Promise<Attempt[]> {
  const rows = await db
    .selectFrom("deployment")
    .innerJoin("release", "release.id", "deployment.release_id")
    .select([
      "deployment.release_id",
      "deployment.stable_id",
      "deployment.kind",
      "deployment.phase",
      "deployment.ended_at",
      "release.pruned_at",
    ])
    // Each deployment begins with a row of the history and ends with one, and their numbers only rise.
    .select(itsRows)
    .where("deployment.product", "=", product)
    .where("deployment.environment", "=", environment)
    .where("deployment.started_at", "is not", null)
    .execute();
  return rows.map((row) => ({
    release: row.release_id,
    phase: row.phase,
    begun: Number(row.first ?? 0),
    ended: row.ended_at === null ? null : Number(row.last ?? 0),
    tookAway: row.kind === "rollback" ? row.stable_id : null,
    kept: row.pruned_at === null,
  }));
}

const { selectFrom } = expressionBuilder<Database, "deployment">();
const { fn: ofHistory } = expressionBuilder<Database, "history">();

/** Outside of the call, so that a store may keep the query. */
const itsRows = () => [
  selectFrom("history")
    .whereRef("history.deployment_id", "=", "deployment.id")
    .select(ofHistory.min("history.id").as("first"))
    .as("first"),
  selectFrom("history")
    .whereRef("history.deployment_id", "=", "deployment.id")
    .select(ofHistory.max("history.id").as("last"))
    .as("last"),
];
