import type { Approval } from "../../core/gates/approval.ts";
import type { GateInput, Policy } from "../../core/gates/decide.ts";
import { authorsOf } from "../../core/gates/person.ts";
import { policiesOf } from "../../core/gates/policy.ts";
import type { DeploymentId, EnvironmentName, ReleaseId } from "../../core/ids.ts";
import type { Commit } from "../../core/release/commit.ts";
import type { Db, Trx } from "../../ports/store.ts";
import type { DeploymentRow } from "../../ports/tables.ts";
import { openDeployments } from "../deploy/open.ts";
import { findEnvironment } from "../environment.ts";
import { loadTestsOf } from "../pipeline/load.ts";
import { releaseFacts, releaseView } from "../release/read.ts";
import type { World } from "../world.ts";
import { beforeOf } from "./before.ts";

/** Everything that the gates of a deployment look at, as it is in the store at this instant. */
export async function gateInput(
  world: Pick<World, "standings" | "seenChecks" | "seenBudgets" | "seenConditions">,
  db: Trx | Db,
  row: DeploymentRow,
): Promise<GateInput> {
  const { product, environment } = row;
  const { spec } = await releaseView(db, row.release_id, environment);
  const place = await findEnvironment(db, { product, environment });
  const live = place?.live_release_id ?? null;
  const { promoteFrom } = spec;
  const loadTests =
    promoteFrom === null
      ? []
      : await loadTestsOf(db, {
          product,
          environment: promoteFrom,
          release: row.release_id,
          steps: spec.loadTests ?? [],
        });
  return {
    asked: {
      at: row.created_at,
      release: row.release_id,
      live,
      authors: await authorsIn(db, row),
    },
    policies: await policiesIn(db, { release: row.release_id, environment, live }),
    approvals: await approvalsOf(db, row.id),
    override: await overrideOf(db, row),
    budgets: world.seenBudgets.of({ product, environment }),
    conditions: world.seenConditions.of({ product, environment }),
    overrideBudget: await overrideOf(db, row, "override_budget_reason"),
    before:
      promoteFrom === null
        ? null
        : await beforeOf(world, db, { product, environment: promoteFrom, release: row.release_id }),
    loadTests,
    checks: world.seenChecks.of(product, (await releaseFacts(db, row.release_id)).commit_hash),
    locked: place?.locked_by == null ? null : { by: place.locked_by, reason: place.locked_reason ?? "" },
    ahead: (await openDeployments(db, { product, environment })).map(({ id }) => id),
  };
}

/** Whose work it is: those who asked for it, made the release and wrote its commits. */
export async function authorsIn(db: Trx | Db, row: DeploymentRow): Promise<readonly string[]> {
  const release = await releaseFacts(db, row.release_id);
  return [row.created_by, release.created_by, release.author, ...authorsOf(JSON.parse(row.change_log) as Commit[])];
}

/** Whose gates a release has to pass there. None: it begins as it always did. */
export async function policiesIn(
  db: Trx | Db,
  at: { readonly release: ReleaseId; readonly environment: EnvironmentName; readonly live: ReleaseId | null },
): Promise<readonly Policy[]> {
  const { environment, live } = at;
  const release = await releaseView(db, at.release, environment);
  return policiesOf(release, live === null ? null : await releaseView(db, live, environment));
}

/** Why windows and freezes, or the gate of a budget, are passed by, and by whom; null: they hold. */
export async function overrideOf(
  db: Trx | Db,
  { id, created_by }: DeploymentRow,
  column: "override_reason" | "override_budget_reason" = "override_reason",
): Promise<GateInput["override"]> {
  const found = await db.selectFrom("gated").select(column).where("deployment_id", "=", id).executeTakeFirst();
  const reason = found?.[column] ?? null;
  return reason === null ? null : { by: created_by, reason };
}

async function approvalsOf(db: Trx | Db, id: DeploymentId): Promise<readonly Approval[]> {
  const rows = await db
    .selectFrom("approval")
    .selectAll()
    .where("deployment_id", "=", id)
    .orderBy("created_at")
    .orderBy("id")
    .execute();
  return rows.map(({ actor, reason, created_at, live_id }) => ({ by: actor, at: created_at, reason, live: live_id }));
}
