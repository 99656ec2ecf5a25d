import { type Plan, planOf } from "../../core/deploy/plan.ts";
import type { EnvironmentName, ReleaseId } from "../../core/ids.ts";
import { standingOf } from "../../core/release/standing.ts";
import { findEnvironment } from "../environment.ts";
import { changesFor } from "../release/changes.ts";
import { artifactsOf, releaseRow, viewOf } from "../release/read.ts";
import type { World } from "../world.ts";
import { attemptsIn } from "./attempts.ts";
import { openDeployments } from "./start-deployment.ts";

/** What deploying the release to the environment would do now. Changes nothing. Errors: UNKNOWN_RELEASE, UNKNOWN_ENVIRONMENT. */
export async function plan(
  world: World,
  at: { readonly release: ReleaseId; readonly environment: EnvironmentName },
): Promise<Plan> {
  const { db } = world.store;
  const row = await releaseRow(db, at.release);
  const view = viewOf(row, at.environment);
  const environment = await findEnvironment(db, { product: row.product, environment: at.environment });
  const liveRow = environment?.live_release_id == null ? null : await releaseRow(db, environment.live_release_id);
  const { promoteFrom } = view.spec;
  return planOf({
    release: { ...view, version: row.version },
    live: liveRow === null ? null : { ...viewOf(liveRow, at.environment), version: liveRow.version },
    artifacts: { release: artifactsOf(row), live: liveRow === null ? {} : artifactsOf(liveRow) },
    commits: await changesFor(world, row, at.environment),
    standing: standingOf(row.id, await attemptsIn(db, row.product, at.environment)),
    before: promoteFrom === null ? null : standingOf(row.id, await attemptsIn(db, row.product, promoteFrom)),
    locked:
      environment?.locked_by == null ? null : { by: environment.locked_by, reason: environment.locked_reason ?? "" },
    open: (await openDeployments(db, row.product, at.environment)).length,
    kept: row.pruned_at === null,
  });
}
