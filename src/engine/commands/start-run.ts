import { SlipwayError } from "../../core/errors/error.ts";
import { type ReleaseId, type RunId, runId } from "../../core/ids.ts";
import { laneOf } from "../../core/pipeline/lane.ts";
import type { EnvironmentSpec } from "../../core/product/spec.ts";
import { resultOf } from "../../lib/result-of.ts";
import type { RunRow } from "../../ports/tables.ts";
import { type Asked, askedForRelease, askedOf } from "../pipeline/asked.ts";
import type { ReleaseConfig } from "../release/read.ts";
import { runKind } from "../release/run-workflow.ts";
import { hasOtherSecrets } from "../secrets/secrets.ts";
import type { World } from "../world.ts";

export type StartRun = {
  readonly product: string;
  /** Directory with the config, inside a git repository on this machine. */
  readonly repository: string;
  /** Commit, branch or tag. */
  readonly revision: string;
  /** Take the working tree as it is, and mark the release `+dirty`. */
  readonly dirty: boolean;
  readonly actor: string;
  /** The name it gets; where there is a run of that name, it is answered. Default: a new one. */
  readonly id?: RunId;
  /** What of the pipeline, and why. Default: all, and a release when it has passed. */
  readonly asked?: Asked;
};

/** How many changed paths are named in a refusal. */
const shownPaths = 6;

/**
 * Begins to make a release from a commit. A commit that has one already (same product, clean, artifacts kept) is not built
 * again: that release is answered, unless other parameters are given than it has passed with. Errors: GIT_*, TREE_DIRTY.
 */
export async function startRun(
  world: World,
  input: StartRun,
): Promise<{ readonly run: RunId | null; readonly release: ReleaseId | null }> {
  const { db } = world.store;
  if (input.id !== undefined && (await isThere(world, input.id))) {
    await beginRun(world, input.id);
    return { run: input.id, release: null };
  }
  const asked = input.asked ?? askedForRelease;
  // Asked at the same time; where there is no repository, it is the commit's error that says so.
  const changed = input.dirty || input.revision !== "HEAD" ? [] : world.source.dirtyPaths(input.repository);
  const [found, paths] = await Promise.allSettled([world.source.resolve(input.repository, input.revision), changed]);
  const checkout = resultOf(found);
  if (!input.dirty) {
    mustBeClean(resultOf(paths));
    const release = asked.release ? await madeFrom(world, input, checkout.hash) : null;
    if (release !== null && (await isOfParameters(world, release, asked))) return { run: null, release };
  }
  const id = input.id ?? runId(`run_${world.newId()}`);
  const { event, ...rest } = asked;
  await db.transaction().execute(async (trx) => {
    const row: RunRow = {
      id,
      product: input.product,
      repository: input.repository,
      commit_hash: checkout.hash,
      dirty: input.dirty ? 1 : 0,
      phase: "queued",
      reason: `from ${checkout.hash.slice(0, 7)}: ${checkout.commit.subject}`,
      error: null,
      release_id: null,
      created_at: world.clock.now(),
      created_by: input.actor,
      ended_at: null,
    };
    await trx.insertInto("run").values(row).execute();
    await trx
      .insertInto("run_request")
      .values({ run_id: id, event, asked: JSON.stringify(rest) })
      .execute();
  });
  await beginRun(world, id);
  world.changes.announce();
  return { run: id, release: null };
}

async function isThere({ store }: World, id: RunId): Promise<boolean> {
  return (await store.db.selectFrom("run").select("id").where("id", "=", id).executeTakeFirst()) !== undefined;
}

/** The release that was made of a commit, clean, and is kept; and of what is not in git, where it has some of that, as it is now. */
export async function madeFrom(
  world: Pick<World, "store" | "sealed">,
  { product, repository }: { readonly product: string; readonly repository: string },
  hash: string,
): Promise<ReleaseId | null> {
  const made = await world.store.db
    .selectFrom("release")
    .select(["id", "config"])
    .where("product", "=", product)
    .where("commit_hash", "=", hash)
    .where("dirty", "=", 0)
    .where("pruned_at", "is", null)
    .orderBy("number", "desc")
    .executeTakeFirst();
  if (made === undefined) return null;
  const config = JSON.parse(made.config) as ReleaseConfig;
  // With other secrets it would be another release.
  if (await hasOtherSecrets(world.store.db, config)) return null;
  const outside = Object.values<EnvironmentSpec>(config.environments).flatMap(({ compose }) => compose?.outside ?? []);
  return outside.every(({ path, mark }) => world.sealed.markNow(repository, path) === mark) ? made.id : null;
}

/** Whoever gives parameters wants a commit that has passed with those; who gives none takes what is there. */
async function isOfParameters({ store: { db } }: World, release: ReleaseId, { parameters }: Asked): Promise<boolean> {
  if (Object.keys(parameters).length === 0) return true;
  const run = await db.selectFrom("run").select("id").where("release_id", "=", release).executeTakeFirst();
  return run !== undefined && wordsOf((await askedOf(db, run.id)).parameters) === wordsOf(parameters);
}

const wordsOf = (parameters: Asked["parameters"]): string =>
  JSON.stringify(
    Object.entries(parameters)
      .map(([name, value]) => `${name}=${value}`)
      .sort(),
  );

/** Starts the workflow of a run that is in the store, in its lane: also by the sweep, when a crash came in between. Safe to repeat. */
export async function beginRun({ store: { db }, engine }: Pick<World, "store" | "engine">, id: RunId): Promise<void> {
  const { product, commit_hash } = await db
    .selectFrom("run")
    .select(["product", "commit_hash"])
    .where("id", "=", id)
    .executeTakeFirstOrThrow();
  const { branch, release, loadTest = null } = await askedOf(db, id);
  const lockKey = laneOf({ product, ref: branch ?? commit_hash, release, loadTest });
  await engine.start(runKind, id, { run: id }, { lockKey });
}

function mustBeClean(paths: readonly string[]): void {
  if (paths.length === 0) return;
  const more = paths.length - shownPaths;
  throw new SlipwayError("TREE_DIRTY", {
    message: `the working tree differs from HEAD in ${paths.length} ${paths.length === 1 ? "path" : "paths"}`,
    evidence: [
      ...paths.slice(0, shownPaths).map((path): readonly [string, string] => ["changed", path]),
      ...(more > 0 ? [["and", `${more} more`] as const] : []),
    ],
  });
}
