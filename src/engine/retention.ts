import { isSlipwayError } from "../core/errors/error.ts";
import type { Digest, EnvironmentName, ReleaseId } from "../core/ids.ts";
import { builtImagesOf, directoriesOf } from "../core/release/artifacts.ts";
import { planRetention, type RetentionView, waysKept } from "../core/release/retention.ts";
import { standingOf, waysBack } from "../core/release/standing.ts";
import type { Trx } from "../ports/store.ts";
import { attemptsIn } from "./commands/attempts.ts";
import { artifactsOf, releaseView } from "./release/read.ts";
import { pruneRegistries } from "./release/registry-retention.ts";
import type { World } from "./world.ts";

/** How many of the newest releases are kept although no environment has seen them. */
const keepNewest = 3;
/** Where a config no longer says how many. */
const defaultKeep = 3;

/**
 * Prunes what nobody needs: processes and files of revisions, then artifacts. The decision is recorded before anything is
 * removed, so an interrupted prune is finished by the next. Never what a rollback needs: `core` decides that.
 */
export async function prune(world: World, product: string, signal: AbortSignal): Promise<void> {
  const pruned = await world.store.db.transaction().execute(async (trx) => {
    const plan = planRetention(await retentionView(trx, product));
    if (plan.prune.length > 0) {
      await trx.updateTable("release").set({ pruned_at: world.clock.now() }).where("id", "in", plan.prune).execute();
    }
    return plan.prune;
  });
  for (const release of pruned) world.log.info("release.pruned", { release });
  await removeRevisions(world, signal);
  await removeArtifacts(world);
  await pruneRegistries(world, product, signal);
}

async function removeRevisions(world: World, signal: AbortSignal): Promise<void> {
  const { db } = world.store;
  const left = await db
    .selectFrom("revision")
    .innerJoin("release", "release.id", "revision.release_id")
    .select("revision.id")
    .where("release.pruned_at", "is not", null)
    .where("revision.role", "!=", "removed")
    .execute();
  for (const { id } of left) {
    await world.targets.remove(id, signal);
    await db
      .updateTable("revision")
      .set({ role: "removed", updated_at: world.clock.now() })
      .where("id", "=", id)
      .execute();
  }
}

/** Also what a run that failed, or was cut short, has packed and no release has. */
async function removeArtifacts(world: World): Promise<void> {
  const { db } = world.store;
  const releases = await db.selectFrom("release").select("artifacts").where("pruned_at", "is", null).execute();
  const kept = releases.map(artifactsOf);
  const needed = new Set(kept.flatMap(directoriesOf));
  const known = await db.selectFrom("artifact").select("digest").execute();
  const all = new Set([...known.map(({ digest }) => digest), ...(await world.artifacts.kept())]);
  for (const digest of [...all].filter((each) => !needed.has(each))) {
    // What a run under way has packed is in no release yet, and may be what an old one had. The next prune finds it again.
    if (await isBuilding(world)) return;
    // One that has ended meanwhile has made a release of it.
    if (await isNeeded(world, digest)) continue;
    await world.artifacts.remove(digest);
    await db.deleteFrom("artifact").where("digest", "=", digest).execute();
  }
  if (await isBuilding(world)) return;
  await world.images.collect(kept.flatMap(builtImagesOf));
}

async function isNeeded({ store }: World, digest: Digest): Promise<boolean> {
  const releases = await store.db.selectFrom("release").select("artifacts").where("pruned_at", "is", null).execute();
  return releases.some((row) => directoriesOf(artifactsOf(row)).includes(digest));
}

async function isBuilding({ store }: World): Promise<boolean> {
  const run = await store.db.selectFrom("run").select("id").where("ended_at", "is", null).executeTakeFirst();
  return run !== undefined;
}

async function retentionView(db: Trx, product: string): Promise<RetentionView> {
  const releases = await db
    .selectFrom("release")
    .select(["id", "pinned", "artifacts"])
    .where("product", "=", product)
    .where("pruned_at", "is", null)
    .orderBy("number", "desc")
    .execute();
  const environments = await db
    .selectFrom("environment")
    .select(["name", "live_release_id"])
    .where("product", "=", product)
    .execute();
  const newest = releases[0];
  return {
    releases: releases.map((row) => {
      const artifacts = artifactsOf(row);
      return {
        id: row.id,
        pinned: row.pinned === 1,
        artifacts: [...directoriesOf(artifacts), ...builtImagesOf(artifacts)],
      };
    }),
    environments: await Promise.all(
      environments.map(async (environment) => {
        const attempts = await attemptsIn(db, product, environment.name);
        const good = attempts
          .filter((attempt) => attempt.phase === "succeeded" && standingOf(attempt.release, attempts) === "good")
          .sort((a, b) => (b.ended ?? 0) - (a.ended ?? 0))
          .map((attempt) => attempt.release);
        const keep = newest === undefined ? defaultKeep : await keepOf(db, newest.id, environment.name);
        return {
          name: environment.name,
          good: [...new Set(good)],
          inUse: await inUse(db, product, environment.name, environment.live_release_id),
          waysBack: waysBack(environment.live_release_id, attempts, waysKept(keep)),
          keep,
        };
      }),
    ),
    keepNewest,
  };
}

async function inUse(
  db: Trx,
  product: string,
  environment: EnvironmentName,
  live: ReleaseId | null,
): Promise<ReleaseId[]> {
  const running = await db
    .selectFrom("revision")
    .select("release_id")
    .where("product", "=", product)
    .where("environment", "=", environment)
    .where("role", "in", ["candidate", "stable", "warm"])
    .execute();
  const open = await db
    .selectFrom("deployment")
    .select(["release_id", "stable_id"])
    .where("product", "=", product)
    .where("environment", "=", environment)
    .where("ended_at", "is", null)
    .execute();
  const ids = [
    live,
    ...running.map((row) => row.release_id),
    ...open.flatMap((row) => [row.release_id, row.stable_id]),
  ];
  return [...new Set(ids.filter((id) => id !== null))];
}

async function keepOf(db: Trx, newest: ReleaseId, environment: EnvironmentName): Promise<number> {
  try {
    return (await releaseView(db, newest, environment)).spec.retention.releases;
  } catch (error) {
    if (!isSlipwayError(error) || error.code !== "UNKNOWN_ENVIRONMENT") throw error;
    // The environment is no longer in the config; what it had is kept like the default.
    return defaultKeep;
  }
}
