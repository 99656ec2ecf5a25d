import type { Deployment } from "../../core/deploy/deployment.ts";
import type { DeploymentId, EnvironmentName, ReleaseId } from "../../core/ids.ts";
import type { Db } from "../../ports/store.ts";
import { canStillFail } from "../deploy/record.ts";

/** An environment with something live or on its way, whose rules are in force. */
export type RulePlace = {
  readonly product: string;
  readonly environment: EnvironmentName;
  /** Whose rules hold, and what is looked at: the candidate as soon as it has traffic, else what is live. */
  readonly release: ReleaseId;
  /** The deployment that brings it, while it can still be taken back by its own state machine. */
  readonly underWay: DeploymentId | null;
  /** It is live because somebody went back to it. */
  readonly isWayBack: boolean;
};

/** Read anew at every look: two small queries an environment. */
export async function rulePlaces(db: Db): Promise<readonly RulePlace[]> {
  const environments = await db
    .selectFrom("environment")
    .select(["product", "name", "live_release_id"])
    .orderBy("name")
    .execute();
  const places = await Promise.all(environments.map((row) => placeOf(db, row)));
  return places.filter((place) => place !== null);
}

type Row = { readonly product: string; readonly name: EnvironmentName; readonly live_release_id: ReleaseId | null };

async function placeOf(db: Db, { product, name: environment, live_release_id: live }: Row): Promise<RulePlace | null> {
  const of = db
    .selectFrom("deployment")
    .select(["id", "release_id", "kind", "state", "phase"])
    .where("product", "=", product)
    .where("environment", "=", environment)
    .limit(1);
  const open = await of
    .where("ended_at", "is", null)
    .where("state", "!=", "")
    .orderBy("started_at", "desc")
    .executeTakeFirst();
  if (open !== undefined) {
    const state = JSON.parse(open.state) as Deployment;
    if (state.shifted > 0 && canStillFail(state.phase)) {
      const isWayBack = open.kind === "rollback";
      return { product, environment, release: open.release_id, underWay: isWayBack ? null : open.id, isWayBack };
    }
  }
  if (live === null) return null;
  const last = await of.where("phase", "=", "succeeded").orderBy("ended_at", "desc").executeTakeFirst();
  const isWayBack = last?.kind === "rollback" && last.release_id === live;
  return { product, environment, release: live, underWay: null, isWayBack };
}
