import type { Reported } from "../../core/forge/report.ts";
import type { DeploymentId, EpochMs, RunId } from "../../core/ids.ts";
import type { Db } from "../../ports/store.ts";
import type { ForgeReportRow } from "../../ports/tables.ts";

export type Subject = ForgeReportRow["subject"];

const dayMs = 24 * 60 * 60_000;
/** What was begun before is not begun to be told of any more: nobody looks at that commit's page for its status. */
const newMs = 30 * dayMs;
/** What was told in full is forgotten after so long: later than it could be taken for something that nobody has been told of. */
const keptMs = 2 * newMs;

/**
 * Runs and deployments that the forge has not been told all of, oldest first: those that were begun since `from` and not a month ago, and
 * those that it has begun to be told of. What was made of a working tree is no commit, and nothing is told of it.
 */
export async function untold(
  db: Db,
  product: string,
  { from: applied, now }: { readonly from: EpochMs; readonly now: EpochMs },
): Promise<readonly Reported[]> {
  const from = Math.max(applied, now - newMs);
  const known = db.selectFrom("forge_report").select("subject").where("product", "=", product);
  const open = known.where("over", "=", 0);
  const runs = await runsIn(db)
    .where("run.product", "=", product)
    .where((is) =>
      is.or([
        is("run.id", "in", open.$castTo<{ subject: RunId }>()),
        is.and([is("run.created_at", ">=", from), is("run.id", "not in", known.$castTo<{ subject: RunId }>())]),
      ]),
    )
    .execute();
  const deployments = await deploymentsIn(db)
    .where("deployment.product", "=", product)
    .where((is) =>
      is.or([
        is("deployment.id", "in", open.$castTo<{ subject: DeploymentId }>()),
        is.and([
          is("deployment.created_at", ">=", from),
          is("deployment.id", "not in", known.$castTo<{ subject: DeploymentId }>()),
        ]),
      ]),
    )
    .execute();
  return [...runs.map(ofRun), ...deployments.map(ofDeployment)].sort((a, b) => a.createdAt - b.createdAt);
}

/** Forgets what was told in full long ago; what is still to be told stays. May be repeated. */
export async function forgetTold(db: Db, product: string, now: EpochMs): Promise<void> {
  await db
    .deleteFrom("forge_report")
    .where("product", "=", product)
    .where("over", "=", 1)
    .where("updated_at", "<", now - keptMs)
    .execute();
}

/** Those of these names that are there. */
export async function reportedOf(db: Db, subjects: readonly Subject[]): Promise<readonly Reported[]> {
  if (subjects.length === 0) return [];
  const runs = await runsIn(db)
    .where("run.id", "in", subjects as readonly RunId[])
    .execute();
  const deployments = await deploymentsIn(db)
    .where("deployment.id", "in", subjects as readonly DeploymentId[])
    .execute();
  return [...runs.map(ofRun), ...deployments.map(ofDeployment)];
}

function runsIn(db: Db) {
  return db.selectFrom("run").selectAll("run").where("run.dirty", "=", 0);
}

function deploymentsIn(db: Db) {
  return db
    .selectFrom("deployment")
    .innerJoin("release", "release.id", "deployment.release_id")
    .selectAll("deployment")
    .select("release.commit_hash")
    .where("release.dirty", "=", 0);
}

type RunOf = Awaited<ReturnType<ReturnType<typeof runsIn>["execute"]>>[number];
type DeploymentOf = Awaited<ReturnType<ReturnType<typeof deploymentsIn>["execute"]>>[number];

function ofRun({ id, product, commit_hash, phase, reason, created_at, ended_at }: RunOf): Reported {
  const at = { createdAt: created_at, startedAt: phase === "queued" ? null : created_at, endedAt: ended_at };
  return { id, product, commit: commit_hash, environment: null, phase, reason, ...at };
}

function ofDeployment(row: DeploymentOf): Reported {
  const { id, product, commit_hash, environment, phase, reason, created_at, started_at, ended_at } = row;
  const at = { createdAt: created_at, startedAt: started_at, endedAt: ended_at };
  return { id, product, commit: commit_hash, environment, phase, reason, ...at };
}
