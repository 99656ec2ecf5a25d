import type { JoinBuilder } from "kysely";
import type { Deployment } from "../../core/deploy/deployment.ts";
import { isExposed } from "../../core/deploy/traffic.ts";
import type { DeploymentId, EnvironmentName, ReleaseId } from "../../core/ids.ts";
import type { Db } from "../../ports/store.ts";
import type { Database, DeploymentRow } from "../../ports/tables.ts";

/** An environment with something live or on its way, whose rules are in force. */
export type RulePlace = {
  readonly product: string;
  readonly environment: EnvironmentName;
  /** Whose rules hold, and what is looked at: what has the traffic, which is the candidate from its first share on. */
  readonly release: ReleaseId;
  /** The deployment that brings it, until its end; null for a way back, which no rule takes back. */
  readonly underWay: DeploymentId | null;
  /** It is live because somebody went back to it. */
  readonly isWayBack: boolean;
};

/**
 * Read anew at every look. What is live and what is under way are one query: read one after the other, a deployment that ends
 * between them would leave the release before it to be looked at once more.
 */
export async function rulePlaces(db: Db): Promise<readonly RulePlace[]> {
  const rows = await db
    .selectFrom("environment")
    .leftJoin("deployment", underWay)
    .select(["environment.product", "environment.name", "environment.live_release_id as live"])
    .select(["deployment.id", "deployment.kind", "deployment.state"])
    .orderBy("environment.name")
    .orderBy("deployment.started_at", "desc")
    .execute();
  const environments = new Map<string, Row>();
  for (const row of rows) {
    const key = `${row.product}/${row.name}`;
    if (!environments.has(key)) environments.set(key, row);
  }
  const places = await Promise.all([...environments.values()].map((row) => placeOf(db, row)));
  return places.filter((place) => place !== null);
}

/** Outside of the call, so that a store may keep the query. */
const underWay = (join: JoinBuilder<Database, "environment" | "deployment">) =>
  join
    .onRef("deployment.product", "=", "environment.product")
    .onRef("deployment.environment", "=", "environment.name")
    .on("deployment.ended_at", "is", null)
    .on("deployment.state", "!=", "");

type Row = {
  readonly product: string;
  readonly name: EnvironmentName;
  readonly live: ReleaseId | null;
  readonly id: DeploymentId | null;
  readonly kind: DeploymentRow["kind"] | null;
  readonly state: string | null;
};

async function placeOf(db: Db, { product, name: environment, live, id, kind, state }: Row): Promise<RulePlace | null> {
  if (id !== null && state !== null) {
    const deployment = JSON.parse(state) as Deployment;
    const { release } = deployment.course;
    if (isExposed(deployment)) {
      const isWayBack = kind === "rollback";
      return { product, environment, release, underWay: isWayBack ? null : id, isWayBack };
    }
  }
  if (live === null) return null;
  const last = await db
    .selectFrom("deployment")
    .select(["kind", "release_id"])
    .where("product", "=", product)
    .where("environment", "=", environment)
    .where("phase", "=", "succeeded")
    .orderBy("ended_at", "desc")
    .limit(1)
    .executeTakeFirst();
  const isWayBack = last?.kind === "rollback" && last.release_id === live;
  return { product, environment, release: live, underWay: null, isWayBack };
}
