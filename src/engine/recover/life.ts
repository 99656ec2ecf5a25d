import type { Deployment } from "../../core/deploy/deployment.ts";
import type { EnvironmentName, EpochMs, InstanceId, ReleaseId, RevisionId, ServiceName } from "../../core/ids.ts";
import { type Hold, holdOf } from "../../core/recover/healing.ts";
import type { Db, Trx } from "../../ports/store.ts";
import { releaseView } from "../release/read.ts";

/** One process of an instance, from its start to its end. */
export type Life = {
  readonly product: string;
  readonly environment: EnvironmentName;
  readonly service: ServiceName;
  readonly release: ReleaseId;
  readonly revision: RevisionId;
  readonly instance: InstanceId;
  /** `instance 2`, `instance 2 on host frankfurt`. */
  readonly which: string;
  readonly startedAt: EpochMs;
};

export const lifeOf = ({ instance, startedAt }: Pick<Life, "instance" | "startedAt">): string =>
  `${instance}@${startedAt}`;

/** Whose the revision is at this moment. */
export async function holdNow(
  db: Db | Trx,
  { product, environment, revision }: Pick<Life, "product" | "environment" | "revision">,
): Promise<Hold> {
  const row = await db
    .selectFrom("deployment")
    .select(["state", "release_id"])
    .where("product", "=", product)
    .where("environment", "=", environment)
    .where("ended_at", "is", null)
    .where("state", "!=", "")
    .executeTakeFirst();
  if (row === undefined) return { is: "free" };
  const { spec } = await releaseView(db, row.release_id, environment);
  return holdOf(JSON.parse(row.state) as Deployment, revision, { judged: spec.rollout.rules.healthLost });
}
