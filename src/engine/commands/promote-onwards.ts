import { createHash } from "node:crypto";
import { self } from "../../core/actor.ts";
import type { Course } from "../../core/deploy/deployment.ts";
import { isSlipwayError, reasonOf, type SlipwayError } from "../../core/errors/error.ts";
import { deploymentId, type EnvironmentName, type ReleaseId, runId } from "../../core/ids.ts";
import type { DeploymentRow } from "../../ports/tables.ts";
import { gatedDeployments, openDeployments } from "../deploy/open.ts";
import { deploymentRow } from "../deploy/record.ts";
import { findEnvironment } from "../environment.ts";
import { appendHistory } from "../history.ts";
import { askedForRelease } from "../pipeline/asked.ts";
import { releaseFacts, releaseView } from "../release/read.ts";
import type { World } from "../world.ts";
import { startDeployment } from "./start-deployment.ts";
import { startRun } from "./start-run.ts";

/**
 * Takes the release of a deployment that has succeeded to the environments that are promoted from there by themselves, through
 * their gates, and begins the load tests that those ask for. An older promotion that nobody asked for and that still waits makes way.
 * What refuses one, and a release that is older than what is live there, is in that environment's history. Safe to repeat: what it
 * begins has names that follow from the deployment's.
 */
export async function promoteOnwards(world: World, { id, release, environment: from }: Course): Promise<void> {
  const { db } = world.store;
  const { onwards = [] } = (await releaseView(db, release, from)).spec;
  if (onwards.length === 0) return;
  const row = await deploymentRow(db, id);
  // Whoever goes back wants nothing to go on from there.
  if (row.kind === "rollback") return;
  const asked: EnvironmentName[] = [];
  for (const environment of onwards)
    await guarded(world, row, environment, async () => {
      if (await promote(world, row, environment)) asked.push(environment);
    });
  for (const environment of asked) {
    const { gates } = (await releaseView(db, row.release_id, environment)).spec;
    if (gates?.loadTest === true) return guarded(world, row, environment, () => beginLoadTests(world, row));
  }
}

/** Whether it was asked for. */
async function promote(world: World, row: DeploymentRow, environment: EnvironmentName): Promise<boolean> {
  const { db } = world.store;
  const { product } = row;
  const live = (await findEnvironment(db, { product, environment }))?.live_release_id ?? null;
  if (live === row.release_id) return false;
  const { number } = await releaseFacts(db, row.release_id);
  const newest = await newestOf(world, { product, environment, live });
  if (newest > number) {
    await note(world, row, {
      environment,
      event: "promotion.skipped",
      reason: `r${newest} is there or on its way, which is newer than r${number}; by hand: slipway promote ${environment} --release r${number}`,
    });
    return false;
  }
  await startDeployment(world, {
    id: deploymentId(`dep_${nameFrom(row.id, environment)}`),
    environment,
    release: row.release_id,
    kind: "promotion",
    actor: self,
    reason: `r${number} has succeeded in ${row.environment} (${row.id})`,
    // What is under way is somebody's, and goes to its end.
    whenBusy: "queue",
    // Nobody would ask again for it, and an older one that waits there would begin instead.
    whenLocked: "wait",
    overtakes: self,
  });
  return true;
}

/** The highest number among what is live there, is under way and waits; 0: nothing is. */
async function newestOf(
  { store: { db } }: World,
  at: { readonly product: string; readonly environment: EnvironmentName; readonly live: ReleaseId | null },
): Promise<number> {
  const waiting = [...(await openDeployments(db, at)), ...(await gatedDeployments(db, at))];
  const releases = [...waiting.map(({ release_id }) => release_id), ...(at.live === null ? [] : [at.live])];
  const numbers = await Promise.all(releases.map(async (id) => (await releaseFacts(db, id)).number));
  return Math.max(0, ...numbers);
}

/** As `slipway load-test` does, at the commit that is live. */
async function beginLoadTests(world: World, row: DeploymentRow): Promise<void> {
  const { db } = world.store;
  const run = await db
    .selectFrom("run")
    .select(["repository", "commit_hash"])
    .where("release_id", "=", row.release_id)
    .executeTakeFirst();
  if (run === undefined) return;
  await startRun(world, {
    id: runId(`run_${nameFrom(row.id, "load-test")}`),
    product: row.product,
    repository: run.repository,
    revision: run.commit_hash,
    dirty: false,
    actor: self,
    asked: { ...askedForRelease, release: false, loadTest: row.environment },
  });
}

/** Nothing of this makes the deployment that has succeeded one that has not: what goes wrong is said, and that is all. */
async function guarded(
  world: World,
  row: DeploymentRow,
  environment: EnvironmentName,
  work: () => Promise<void>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    world.log.warn("promotion.refused", { deployment: row.id, environment, reason: reasonOf(error) });
    if (isSlipwayError(error))
      await note(world, row, { environment, event: "promotion.refused", reason: saying(error) });
  }
}

const saying = ({ code, message, hint }: SlipwayError): string =>
  `${code}: ${message}${hint === undefined ? "" : `; ${hint}`}`;

/** Once for each deployment. */
async function note(
  { store, clock, changes }: World,
  { id, product, release_id }: DeploymentRow,
  {
    environment,
    event,
    reason,
  }: { readonly environment: EnvironmentName; readonly event: string; readonly reason: string },
): Promise<void> {
  await store.db.transaction().execute(async (trx) => {
    const told = await trx
      .selectFrom("history")
      .select("id")
      .where("deployment_id", "=", id)
      .where("environment", "=", environment)
      .where("event", "=", event)
      .executeTakeFirst();
    if (told !== undefined) return;
    await appendHistory(trx, {
      at: clock.now(),
      product,
      environment,
      deployment: id,
      release: release_id,
      event,
      actor: self,
      reason,
    });
  });
  changes.announce();
}

/** Of the form that ids have. */
const nameFrom = (...parts: readonly string[]): string =>
  createHash("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 12);
