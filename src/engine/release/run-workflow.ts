import { createHash, randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { OnConflictBuilder } from "kysely";
import { isSlipwayError, type WireError } from "../../core/errors/error.ts";
import {
  type Digest,
  type EpochMs,
  type Json,
  type ReleaseId,
  type RunId,
  releaseId,
  runId,
  type ServiceName,
} from "../../core/ids.ts";
import { canonicalJson } from "../../core/product/canonical.ts";
import type { EnvironmentSpec } from "../../core/product/spec.ts";
import {
  accessoryKey,
  type ReleaseArtifacts,
  type ReleasedImage,
  type ServiceArtifacts,
  writeArtifacts,
} from "../../core/release/artifacts.ts";
import type { Commit } from "../../core/release/commit.ts";
import { nextVersion } from "../../core/release/version.ts";
import { resultOf } from "../../lib/result-of.ts";
import type { Workflow } from "../../ports/engine.ts";
import type { Trx } from "../../ports/store.ts";
import type { Database, ReleaseRow, RunRow } from "../../ports/tables.ts";
import { appendHistory } from "../history.ts";
import { askedOf } from "../pipeline/asked.ts";
import { filesOf } from "../pipeline/cache/files.ts";
import { passPipeline } from "../pipeline/pass.ts";
import { planSteps, type RunPlan } from "../pipeline/plan-steps.ts";
import { tidyRun } from "../pipeline/sweep.ts";
import type { World } from "../world.ts";
import { buildService, checkOut, checkOutAgain } from "./build.ts";
import { workspaceOf } from "./build-log.ts";
import { readProductConfig, releaseConfigOf, servicesOf, targetsOf } from "./config.ts";
import { accessoryImages, findImage, imagePlaces, isPacked, registriesOf } from "./images.ts";
import { checkImages, makeImage } from "./make-image.ts";
import type { ReleaseConfig } from "./read.ts";

export const runKind = "run.v3";

/** Commits that a release names at most; more are counted by git, not by us. */
const maxCommits = 200;

/** From a commit to a release: check out, take it through its pipeline, build and pack each service, record. What it made is immutable. */
export function runWorkflow(world: World): Workflow<{ readonly run: string }, Json> {
  return async (ctx, input) => {
    const id = runId(input.run);
    const run = await ctx.tx("begin", (trx) =>
      moveRun(trx, id, { phase: "building", reason: "checking out" }, world.clock.now()),
    );
    world.changes.announce();
    const workspace = workspaceOf(world, id);
    try {
      const prepared = await ctx.step("check out", async ({ signal }) => {
        // At once: what is known of the commit is not needed to write its files. Both have ended before anything is tidied up.
        const what = { repository: run.repository, hash: run.commit_hash, dirty: run.dirty === 1 };
        const [found, written] = await Promise.allSettled([
          world.source.resolve(run.repository, run.commit_hash),
          checkOut(world, workspace, what, signal),
        ]);
        const checkout = resultOf(found);
        resultOf(written);
        const directory = join(workspace.source, checkout.prefix);
        const config = await readProductConfig(world, { directory, workingTree: run.repository }, run.product);
        const asked = await askedOf(world.store.db, id);
        const plan = await planSteps(config, asked, {
          directory,
          prefix: checkout.prefix,
          branch: checkout.branch,
          top: workspace.source,
          readStack: world.readStack,
          dirty: run.dirty === 1,
          released: () => releaseConfigOf(world, config),
          changed: () => changedSinceRelease(world, run),
        });
        if (plan?.steps.some(({ step }) => step.inputs !== null))
          await writeFile(
            workspace.files,
            (await filesOf(workspace.source, ["."])).map((path) => `${path}\0`).join(""),
          );
        const branch = asked.branch ?? checkout.branch;
        const released = await releaseConfigOf(world, config);
        const files = { source: workspace.source, prefix: checkout.prefix };
        if (asked.release) await checkImages(world, { ...files, config: released }, signal);
        return { checkout: { ...checkout, branch }, config: released, plan, asked };
      });
      // What was prepared before there were pipelines has none.
      if (prepared.plan) {
        const { plan, asked } = prepared;
        const { untouched } = await passPipeline(world, ctx, {
          run: id,
          plan,
          cache: asked.cache,
          passed: async (trx) => {
            const reason = passedText(plan);
            if (!asked.release) await moveRun(trx, id, { phase: "succeeded", reason }, world.clock.now());
          },
        });
        if (!asked.release) {
          await ctx.step("tidy up", () => tidyRun(world, id));
          return null;
        }
        if (!untouched)
          await ctx.step("check out again", async ({ signal }) => {
            const what = { repository: run.repository, hash: prepared.checkout.hash, dirty: run.dirty === 1 };
            await checkOutAgain(world, workspace, what, signal);
            return null;
          });
      }
      const artifacts: Record<string, ServiceArtifacts> = {};
      const packed: Packed[] = [];
      const made = new Map<ServiceName, ReleasedImage>();
      const making = async (what: string): Promise<void> => {
        await ctx.tx(`build ${what}`, (trx) =>
          moveRun(trx, id, { phase: "building", reason: `building ${what}` }, world.clock.now()),
        );
        world.changes.announce();
      };
      const { checkout, config } = prepared;
      const commit = {
        ...checkout.commit,
        branch: checkout.branch,
        dirty: run.dirty === 1,
        // What was prepared before there were requests has none.
        nightlyAt: prepared.asked?.event === "schedule" ? run.created_at : null,
      };
      const { repository } = run;
      for (const service of servicesOf(config)) {
        await making(service.name);
        // The image first: a build of the directory leaves things in the checkout.
        const image =
          imagePlaces(config, service.name).length === 0
            ? null
            : await ctx.step(`image ${service.name}`, ({ signal }) =>
                makeImage(
                  world,
                  { workspace, prefix: checkout.prefix, config, service, repository, run: id, commit, made },
                  signal,
                ),
              );
        const directory = isPacked(config, service.name)
          ? await ctx.step(`pack ${service.name}`, ({ signal }) =>
              buildService(world, { workspace, product: checkout.prefix, service, commit: run.commit_hash }, signal),
            )
          : null;
        if (directory !== null) packed.push(directory);
        if (image !== null) made.set(service.name, image);
        artifacts[service.name] = { directory: directory?.digest ?? null, image };
      }
      for (const [name, reference] of accessoryImages(config)) {
        await making(name);
        const image = await ctx.step(`image ${name}`, ({ signal }) =>
          accessoryImage(world, { name, reference, config }, signal),
        );
        artifacts[accessoryKey(name)] = { directory: null, image };
      }
      const commits = await ctx.step("read commits", async () => {
        const last = await lastRelease(world, run.product);
        return world.source.commits(
          run.repository,
          { from: last?.commit_hash ?? null, to: run.commit_hash },
          maxCommits,
        );
      });
      // Not in the journal: what it answers is of no account once the release is recorded.
      const highest = await world.targets.highestNumber(targetsOf(config));
      const release = await ctx.tx("record release", (trx) =>
        recordRelease(trx, {
          run,
          highest,
          text: canonicalJson(prepared.config),
          checkout: prepared.checkout,
          artifacts,
          packed,
          commits,
          now: world.clock.now(),
        }),
      );
      world.changes.announce();
      await ctx.step("tidy up", () => tidyRun(world, id));
      return release;
    } catch (error) {
      if (!isSlipwayError(error)) throw error;
      const wire = error.toJSON();
      await ctx.tx("fail", (trx) =>
        moveRun(trx, id, { phase: "failed", reason: error.message, error: wire }, world.clock.now()),
      );
      world.changes.announce();
      await ctx.step("tidy up", () => tidyRun(world, id));
      return null;
    }
  };
}

function passedText({ steps }: RunPlan): string {
  const skipped = steps.filter((step) => step.skipped !== null).length;
  const count = steps.length - skipped;
  return `${count} ${count === 1 ? "step has" : "steps have"} passed${skipped === 0 ? "" : `, ${skipped} left out`}`;
}

/** Null: everything, also where the release's commit is not here any more. */
async function changedSinceRelease(world: World, run: RunRow): Promise<readonly string[] | null> {
  const last = await lastRelease(world, run.product);
  if (last === undefined || run.dirty === 1) return null;
  return world.source.changedPaths(run.repository, { from: last.commit_hash, to: run.commit_hash });
}

type Accessory = { readonly name: string; readonly reference: string; readonly config: ReleaseConfig };

/**
 * One of a Compose project runs already more often than not, and is used as it is: a registry that does not have its image, or is away,
 * must not stand in the way. Where it has to be made after all, the image is missed then.
 */
async function accessoryImage(
  world: World,
  { name, reference, config }: Accessory,
  signal: AbortSignal,
): Promise<ReleasedImage | null> {
  const isComposed = Object.values<EnvironmentSpec>(config.environments).every(
    ({ accessories }) => accessories[name] === undefined || accessories[name].composed !== undefined,
  );
  try {
    return await findImage(world, reference, registriesOf(config), signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!isComposed || !isSlipwayError(error)) throw error;
    world.log.warn("image.not-found", { accessory: name, image: reference, reason: error.message });
    return null;
  }
}

type Move = {
  readonly phase: RunRow["phase"];
  readonly reason: string;
  readonly error?: WireError;
  readonly release?: ReleaseId;
};

async function moveRun(trx: Trx, id: RunId, move: Move, now: EpochMs): Promise<RunRow> {
  const ended = move.phase === "succeeded" || move.phase === "failed";
  await trx
    .updateTable("run")
    .set({
      phase: move.phase,
      reason: move.reason,
      error: move.error === undefined ? null : JSON.stringify(move.error),
      release_id: move.release ?? null,
      ended_at: ended ? now : null,
    })
    .where("id", "=", id)
    .execute();
  return trx.selectFrom("run").selectAll().where("id", "=", id).executeTakeFirstOrThrow();
}

function lastRelease(world: World, product: string) {
  return world.store.db
    .selectFrom("release")
    .select(["commit_hash", "version"])
    .where("product", "=", product)
    .where("dirty", "=", 0)
    .orderBy("number", "desc")
    .executeTakeFirst();
}

type Packed = { readonly digest: Digest; readonly bytes: number };

type NewRelease = {
  readonly run: RunRow;
  /** Its number is above this one, and above those of all releases that are recorded. */
  readonly highest: number;
  /** The config as canonical JSON: what is digested and kept. */
  readonly text: string;
  readonly checkout: { readonly branch: string | null; readonly commit: Commit; readonly tags: readonly string[] };
  readonly artifacts: ReleaseArtifacts;
  readonly packed: readonly Packed[];
  readonly commits: readonly Commit[];
  readonly now: EpochMs;
};

async function recordRelease(
  trx: Trx,
  { run, highest, text, checkout, artifacts, packed, commits, now }: NewRelease,
): Promise<ReleaseId> {
  const last = await trx
    .selectFrom("release")
    .select(["number"])
    .where("product", "=", run.product)
    .orderBy("number", "desc")
    .executeTakeFirst();
  const lastClean = await trx
    .selectFrom("release")
    .select("version")
    .where("product", "=", run.product)
    .where("dirty", "=", 0)
    .orderBy("number", "desc")
    .executeTakeFirst();
  const number = Math.max(last?.number ?? 0, highest) + 1;
  const id = releaseId(`rel_${randomBytes(6).toString("hex")}`);
  const release: ReleaseRow = {
    id,
    product: run.product,
    number,
    version: nextVersion({ tags: checkout.tags, last: lastClean?.version ?? null, commits, dirty: run.dirty === 1 }),
    commit_hash: run.commit_hash,
    dirty: run.dirty,
    subject: checkout.commit.subject,
    author: checkout.commit.author,
    branch: checkout.branch,
    config_digest: `sha256:${createHash("sha256").update(text).digest("hex")}`,
    config: text,
    artifacts: writeArtifacts(artifacts),
    commits: JSON.stringify(commits),
    created_at: now,
    created_by: run.created_by,
    pinned: 0,
    pruned_at: null,
  };
  for (const artifact of packed) {
    await trx
      .insertInto("artifact")
      .values({ ...artifact, created_at: now })
      .onConflict(sameArtifact)
      .execute();
  }
  await trx.insertInto("release").values(release).execute();
  await moveRun(trx, run.id, { phase: "succeeded", reason: `made r${number}`, release: id }, now);
  const reason = `r${number} ${release.version} from ${run.commit_hash.slice(0, 7)}: ${checkout.commit.subject}`;
  await appendHistory(trx, {
    at: now,
    product: run.product,
    release: id,
    event: "release.created",
    actor: run.created_by,
    reason,
  });
  return id;
}

/** Outside of the call, so that a store may keep the query. */
const sameArtifact = (known: OnConflictBuilder<Database, "artifact">) => known.column("digest").doNothing();
