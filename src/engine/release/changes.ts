import type { DeploymentId, EnvironmentName } from "../../core/ids.ts";
import type { Commit } from "../../core/release/commit.ts";
import type { ReleaseRow } from "../../ports/tables.ts";
import type { World } from "../world.ts";
import { releaseRow } from "./read.ts";

const maxCommits = 200;

/** The commits that would come into the environment with this release; from git where the repository is still there. */
export async function changesFor(
  world: World,
  release: ReleaseRow,
  environment: EnvironmentName,
): Promise<readonly Commit[]> {
  const live = await world.store.db
    .selectFrom("environment")
    .innerJoin("release", "release.id", "environment.live_release_id")
    .select("release.commit_hash")
    .where("environment.product", "=", release.product)
    .where("environment.name", "=", environment)
    .executeTakeFirst();
  return changesSince(world, release, live?.commit_hash ?? null);
}

/** Records the commits that came with a deployment, since what was live when it began. Safe to repeat. */
export async function noteChanges(world: World, id: DeploymentId): Promise<void> {
  const { db } = world.store;
  const { kind, release_id, stable_id } = await db
    .selectFrom("deployment")
    .select(["kind", "release_id", "stable_id"])
    .where("id", "=", id)
    .executeTakeFirstOrThrow();
  if (kind === "rollback") return;
  const stable = stable_id === null ? null : await releaseRow(db, stable_id);
  const commits = await changesSince(world, await releaseRow(db, release_id), stable?.commit_hash ?? null);
  await db
    .updateTable("deployment")
    .set({ change_log: JSON.stringify(commits) })
    .where("id", "=", id)
    .execute();
}

async function changesSince(world: World, release: ReleaseRow, live: string | null): Promise<readonly Commit[]> {
  const known = JSON.parse(release.commits) as Commit[];
  const { db } = world.store;
  const run = await db.selectFrom("run").select("repository").where("release_id", "=", release.id).executeTakeFirst();
  if (run === undefined) return known;
  return world.source.commits(run.repository, { from: live, to: release.commit_hash }, maxCommits).catch(() => known);
}
