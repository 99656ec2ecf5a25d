import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { ReleaseView } from "../../core/deploy/course.ts";
import { type Plan, type PlanInput, planOf } from "../../core/deploy/plan.ts";
import { reasonOf } from "../../core/errors/error.ts";
import { nothingSeen } from "../../core/forge/check.ts";
import { readGates } from "../../core/gates/decide.ts";
import { policiesOf } from "../../core/gates/policy.ts";
import { type EnvironmentName, type ReleaseId, releaseId } from "../../core/ids.ts";
import { planRun } from "../../core/pipeline/plan.ts";
import { resolvePipeline } from "../../core/pipeline/resolve.ts";
import type { ProductConfig } from "../../core/product/schema.ts";
import type { EnvironmentSpec } from "../../core/product/spec.ts";
import type { ReleaseArtifacts } from "../../core/release/artifacts.ts";
import { standingOf } from "../../core/release/standing.ts";
import { nextVersion } from "../../core/release/version.ts";
import type { Checkout } from "../../ports/source.ts";
import { differencesOf, runningOf } from "../accessories/state.ts";
import { openDeployments } from "../deploy/open.ts";
import { findEnvironment } from "../environment.ts";
import { beforeOf } from "../gates/before.ts";
import { lookAtBudget } from "../gates/budgets.ts";
import { lookAtCondition } from "../gates/conditions.ts";
import { askedForRelease } from "../pipeline/asked.ts";
import { loadTestsOf } from "../pipeline/load.ts";
import { changesFor } from "../release/changes.ts";
import { readProductConfig, releaseConfigOf, targetsOf } from "../release/config.ts";
import { configOfCommit, planPrefix } from "../release/config-of-commit.ts";
import { artifactsOf, releaseRow, releaseView, viewOf } from "../release/read.ts";
import { heldCounts } from "../scale/held.ts";
import type { World } from "../world.ts";
import { attemptsIn } from "./attempts.ts";
import { madeFrom } from "./start-run.ts";

/** What deploying the release to the environment would do now. Changes nothing. Errors: UNKNOWN_RELEASE, UNKNOWN_ENVIRONMENT. */
export async function plan(
  world: World,
  at: { readonly release: ReleaseId; readonly environment: EnvironmentName },
): Promise<Plan> {
  const { db } = world.store;
  const row = await releaseRow(db, at.release);
  const artifacts = artifactsOf(row);
  const planned = planOf({
    ...(await standingNow(world, { product: row.product, environment: at.environment, release: row.id }, row)),
    release: { ...viewOf(row, at.environment), version: row.version },
    artifacts: { release: artifacts, live: await liveArtifacts(world, row.product, at.environment) },
    commits: await changesFor(world, row, at.environment),
    making: null,
    kept: row.pruned_at === null,
    gates: await gatesNow(world, at.environment, row, viewOf(row, at.environment)),
    ...(await foundOf(world, viewOf(row, at.environment).spec)),
  });
  return withKept(world, planned, { spec: viewOf(row, at.environment).spec, artifacts });
}

export type PlanSource = {
  readonly product: string;
  /** Directory with the config, inside a git repository on this machine. */
  readonly repository: string;
  /** Commit, branch or tag. */
  readonly revision: string;
  /** The working tree as it is. */
  readonly dirty: boolean;
};

/** Commits that a plan names at most. */
const maxCommits = 200;

/**
 * The same for a release that is not made yet: from the config of a commit, or of the working tree; nothing is built. A commit
 * that has a release is planned as that one. Changes nothing. Errors: GIT_*, CONFIG_*, UNKNOWN_ENVIRONMENT.
 */
export async function planSource(
  world: World,
  source: PlanSource,
  environment: EnvironmentName,
  signal: AbortSignal,
): Promise<Plan> {
  const { db } = world.store;
  const checkout = await world.source.resolve(source.repository, source.revision);
  const paths = source.revision === "HEAD" ? await world.source.dirtyPaths(source.repository) : [];
  const dirty = source.dirty && paths.length > 0;
  const made = dirty ? null : await madeFrom(world, source, checkout.hash);
  if (made !== null) return plan(world, { release: made, environment });
  const product = dirty
    ? await readProductConfig(world, { directory: source.repository, workingTree: source.repository }, source.product)
    : await configOfCommit(world, source, checkout, signal);
  const config = await releaseConfigOf(world, product);
  const highest = await world.targets.highestNumber(targetsOf(config));
  const next = await nextRelease(world, source, checkout, { dirty, highest });
  const row = { id: releaseId("rel_planned"), number: next.number, config: JSON.stringify(config) };
  const view = viewOf(row, environment);
  const at = { product: source.product, environment, release: null };
  const live = await findEnvironment(db, at);
  const from = live?.live_release_id == null ? null : (await releaseRow(db, live.live_release_id)).commit_hash;
  const planned = planOf({
    ...(await standingNow(world, at, row)),
    release: { ...view, version: next.version },
    artifacts: { release: {}, live: {} },
    commits: await world.source.commits(source.repository, { from, to: checkout.hash }, maxCommits),
    gates: await gatesNow(world, environment, { product: source.product }, view),
    making: {
      commit: checkout.hash,
      dirtyPaths: paths.length,
      wantsDirty: dirty,
      pipeline: pipelineOf(product, checkout.branch),
    },
    kept: true,
    ...(await foundOf(world, view.spec)),
  });
  return withKept(world, planned, { spec: view.spec, artifacts: null });
}

/** What goes on as it is, although the release says otherwise. A target that is away says nothing. */
async function withKept(
  world: World,
  planned: Plan,
  { spec, artifacts }: { readonly spec: EnvironmentSpec; readonly artifacts: ReleaseArtifacts | null },
): Promise<Plan> {
  const { environment, accessories, target } = spec;
  const all = Object.values(accessories);
  if (all.length === 0 || target.driver === "process") return planned;
  const running = await world.targets.present({ environment }).catch(() => []);
  const kept = await Promise.all(
    all.map(async (accessory) => {
      const { name } = accessory;
      const there = runningOf(running, { environment, name });
      const differs = there === undefined ? [] : await differencesOf(world, there, { accessory, artifacts });
      const words = `${name} goes on as it runs (${differs.join(", ")}); afterwards: slipway accessory replace ${name} -e ${environment}`;
      return differs.length === 0 ? [] : [words];
    }),
  );
  return { ...planned, warnings: [...planned.warnings, ...kept.flat()] };
}

const lookWithinMs = 10_000;

/** What docker compose runs of the project. A host that does not answer is a warning of the plan. */
async function foundOf(
  world: World,
  { compose, target, previews }: EnvironmentSpec,
): Promise<Pick<PlanInput, "found">> {
  if (compose === undefined || target.driver === "process" || previews !== undefined) return {};
  const { predecessors } = world.targets.of(target);
  if (predecessors === undefined) return {};
  try {
    return { found: await predecessors.look(compose.project, AbortSignal.timeout(lookWithinMs)) };
  } catch (error) {
    return { found: { unknown: reasonOf(error) } };
  }
}

/** Of plans that were killed in the middle: called when nobody plans yet. */
export async function sweepPlans({ runsDirectory }: Pick<World, "runsDirectory">): Promise<void> {
  const names = await readdir(runsDirectory).catch(() => []);
  const left = names.filter((name) => name.startsWith(planPrefix));
  await Promise.all(left.map((name) => rm(join(runsDirectory, name), { recursive: true, force: true })));
}

/** What the commit has to pass before a release is made of it. Which files have changed is only looked at then. */
function pipelineOf(product: ProductConfig, branch: string | null): readonly string[] {
  const pipeline = resolvePipeline(product);
  if (pipeline === null) return [];
  const { event, steps, services } = askedForRelease;
  return planRun(pipeline, { event, branch, changed: null, steps, services }).flatMap(({ step, skipped }) =>
    skipped === null ? [step.id] : [],
  );
}

/** Number and version that a release would get if it were made now. */
async function nextRelease(
  world: World,
  { product, repository }: PlanSource,
  { hash, tags }: Checkout,
  { dirty, highest }: { readonly dirty: boolean; readonly highest: number },
): Promise<{ readonly number: number; readonly version: string }> {
  const releases = world.store.db.selectFrom("release").where("product", "=", product).orderBy("number", "desc");
  const last = await releases.select("number").executeTakeFirst();
  const clean = await releases.select(["version", "commit_hash"]).where("dirty", "=", 0).executeTakeFirst();
  const range = { from: clean?.commit_hash ?? null, to: hash };
  const commits = await world.source.commits(repository, range, maxCommits);
  return {
    number: Math.max(last?.number ?? 0, highest) + 1,
    version: nextVersion({ tags, last: clean?.version ?? null, commits, dirty }),
  };
}

type At = { readonly product: string; readonly environment: EnvironmentName; readonly release: ReleaseId | null };

/** How the environment is now, and what it knows of the release. */
async function standingNow(
  world: World,
  { product, environment: name, release }: At,
  row: Parameters<typeof viewOf>[0],
): Promise<Pick<PlanInput, "live" | "standing" | "before" | "locked" | "open" | "held">> {
  const { db } = world.store;
  const environment = await findEnvironment(db, { product, environment: name });
  const liveRow = environment?.live_release_id == null ? null : await releaseRow(db, environment.live_release_id);
  const { promoteFrom } = viewOf(row, name).spec;
  const standingIn = async (place: EnvironmentName) =>
    release === null ? "untried" : standingOf(release, await attemptsIn(db, product, place));
  return {
    live: liveRow === null ? null : { ...viewOf(liveRow, name), version: liveRow.version },
    standing: await standingIn(name),
    before: promoteFrom === null ? null : await standingIn(promoteFrom),
    locked:
      environment?.locked_by == null ? null : { by: environment.locked_by, reason: environment.locked_reason ?? "" },
    open: (await openDeployments(db, { product, environment: name })).length,
    held: await heldCounts(db, { product, environment: name }),
  };
}

/** As they would stand if it were asked for now; what is locked, under way or not promoted yet is said elsewhere. */
async function gatesNow(
  world: World,
  environment: EnvironmentName,
  { product }: { readonly product: string },
  view: ReleaseView,
): Promise<NonNullable<PlanInput["gates"]>> {
  const { db } = world.store;
  const live = (await findEnvironment(db, { product, environment }))?.live_release_id ?? null;
  const policies = policiesOf(view, live === null ? null : await releaseView(db, live, environment));
  const now = world.clock.now();
  const asked = { at: now, release: view.id, live, authors: [] };
  const { promoteFrom } = view.spec;
  const before =
    promoteFrom === null ? null : await beforeOf(world, db, { product, environment: promoteFrom, release: view.id });
  const steps = view.spec.loadTests ?? [];
  const loadTests =
    promoteFrom === null ? [] : await loadTestsOf(db, { product, environment: promoteFrom, release: view.id, steps });
  const budgets = await Promise.all(
    policies.flatMap(({ gates }) =>
      gates.budget === undefined ? [] : [lookAtBudget(world, gates.budget, environment)],
    ),
  );
  const conditions = await Promise.all(
    policies.flatMap(({ gates }) =>
      (gates.conditions ?? []).map((text) => lookAtCondition(world, text, { environment, live })),
    ),
  );
  // Of a commit that nobody waits for the forge is not asked.
  const input = {
    asked,
    policies,
    before,
    loadTests,
    checks: nothingSeen,
    budgets,
    conditions,
    overrideBudget: null,
    approvals: [],
    override: null,
    locked: null,
    ahead: [],
  };
  return readGates(input, now).filter(({ gate }) => gate !== "promotion");
}

async function liveArtifacts(world: World, product: string, environment: EnvironmentName) {
  const { db } = world.store;
  const found = await findEnvironment(db, { product, environment });
  return found?.live_release_id == null ? {} : artifactsOf(await releaseRow(db, found.live_release_id));
}
