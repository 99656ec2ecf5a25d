import { isSlipwayError, SlipwayError } from "../../core/errors/error.ts";
import type { DeploymentId, EnvironmentName, EpochMs, ReleaseId } from "../../core/ids.ts";
import { type Attempt, rollbackTarget, standingOf } from "../../core/release/standing.ts";
import type { Db } from "../../ports/store.ts";
import type { DeploymentRow } from "../../ports/tables.ts";
import { gatedDeployments, openDeployments } from "../deploy/open.ts";
import { findEnvironment } from "../environment.ts";
import { releaseRow } from "../release/read.ts";
import type { World } from "../world.ts";
import { ask } from "./ask.ts";
import { attemptsIn } from "./attempts.ts";
import { startDeployment } from "./start-deployment.ts";

export type Rollback = {
  readonly product: string;
  readonly environment: EnvironmentName;
  /** Null: the last good release before the live one that is kept. */
  readonly to: ReleaseId | null;
  /** Also to a release that failed here. */
  readonly force: boolean;
  /**
   * Only while this one is live and nothing is under way: what was seen of it is no reason to take away what came after it, nor
   * to call off what may be the remedy. For those who ask without looking, such as a rule.
   */
  readonly onlyFrom?: ReleaseId;
  /** When it was asked for: what has gone back since then is the answer, so that who has lost it may ask again. */
  readonly askedAt?: EpochMs;
  readonly actor: string;
  readonly reason: string;
};

/**
 * Takes the environment back. While a deployment is under way, going back means calling it off, with all that wait behind it:
 * its traffic returns to stable. A rollback under way is the one that is asked for. Otherwise a deployment of the last good
 * release, with its own config, begins. Errors: NOTHING_TO_ROLL_BACK, RELEASE_KNOWN_BAD, UNKNOWN_RELEASE, ARTIFACT_MISSING; with
 * `onlyFrom` also DEPLOYMENT_IN_PROGRESS.
 */
export async function rollback(world: World, input: Rollback): Promise<DeploymentId> {
  const { db } = world.store;
  const answered = input.askedAt === undefined ? null : await wentBackSince(db, input, input.askedAt);
  if (answered !== null) return answered;
  if (input.to === null && input.onlyFrom === undefined) {
    const open = await openDeployments(db, input);
    const [under] = open;
    if (under !== undefined) await callOff(world, input, await gatedDeployments(db, input));
    if (under?.kind === "rollback" || (under !== undefined && (await callOff(world, input, open)))) return under.id;
  }
  const attempts = await attemptsIn(db, input.product, input.environment);
  const environment = await findEnvironment(db, input);
  if (input.onlyFrom !== undefined) await mustBeLive(db, input.onlyFrom, environment?.live_release_id ?? null);
  const live = environment?.live_release_id ?? null;
  const release = input.to ?? rollbackTarget(live, attempts);
  if (release === null) throw await nowhere(db, input, { live, attempts });
  const standing = standingOf(release, attempts);
  const { number } = await releaseRow(db, release);
  if (standing === "untried") {
    throw new SlipwayError("NOTHING_TO_ROLL_BACK", {
      message: `r${number} has never succeeded in ${input.environment}, so there is no going back to it`,
      hint: `run: slipway deploy --env ${input.environment} --release r${number}`,
    });
  }
  if (!input.force && standing === "bad") {
    throw new SlipwayError("RELEASE_KNOWN_BAD", {
      message: `r${number} failed in ${input.environment} the last time it was there, or a person took it away`,
      hint: `to go there all the same: slipway rollback ${input.environment} --to r${number} --force`,
    });
  }
  return startDeployment(world, {
    environment: input.environment,
    release,
    kind: "rollback",
    actor: input.actor,
    reason: input.reason,
    whenBusy: input.onlyFrom === undefined ? "replace" : "refuse",
  });
}

/** What going back would mean now: calling off what is under way, or a deployment of the last good release. */
export type WayBack = { readonly callsOff: DeploymentId } | { readonly release: ReleaseId };

/** What `rollback` would do, if it were asked now. Changes nothing. Errors: NOTHING_TO_ROLL_BACK. */
export async function wayBack(
  { store: { db } }: World,
  at: { readonly product: string; readonly environment: EnvironmentName },
): Promise<WayBack> {
  const [under] = await openDeployments(db, at);
  if (under !== undefined) return { callsOff: under.id };
  const attempts = await attemptsIn(db, at.product, at.environment);
  const live = (await findEnvironment(db, at))?.live_release_id ?? null;
  const release = rollbackTarget(live, attempts);
  if (release === null) throw await nowhere(db, at, { live, attempts });
  return { release };
}

/**
 * The newest deployment, where it went back, or was called off, after that moment: asked again, the release before would be taken away as
 * well. Null: nothing did.
 */
async function wentBackSince(
  db: Db,
  { product, environment, to }: Rollback,
  askedAt: EpochMs,
): Promise<DeploymentId | null> {
  const newest = await db
    .selectFrom("deployment")
    .select(["id", "kind", "phase", "release_id", "created_at", "ended_at"])
    .where("product", "=", product)
    .where("environment", "=", environment)
    .where("started_at", "is not", null)
    .orderBy("created_at", "desc")
    .orderBy("id", "desc")
    .executeTakeFirst();
  if (newest === undefined || newest.ended_at === null || newest.ended_at < askedAt) return null;
  if (to !== null) return newest.kind === "rollback" && newest.release_id === to ? newest.id : null;
  const isBack = newest.kind === "rollback" || newest.phase === "rolled-back" || newest.phase === "cancelled";
  return isBack ? newest.id : null;
}

/** Nothing is left to go back to: there never was, or it has been so long ago that it was pruned. */
async function nowhere(
  db: Db,
  { environment }: Pick<Rollback, "environment">,
  { live, attempts }: { readonly live: ReleaseId | null; readonly attempts: readonly Attempt[] },
): Promise<SlipwayError> {
  const pruned = rollbackTarget(
    live,
    attempts.map((attempt) => ({ ...attempt, kept: true })),
  );
  if (pruned === null)
    return new SlipwayError("NOTHING_TO_ROLL_BACK", { message: `no earlier release has succeeded in ${environment}` });
  const { number, commit_hash } = await releaseRow(db, pruned);
  return new SlipwayError("NOTHING_TO_ROLL_BACK", {
    message: `r${number}, which was good in ${environment}, was pruned, and no other that is good there is kept`,
    hint: `make it again from its commit: slipway deploy --env ${environment} --commit ${commit_hash.slice(0, 12)}; to keep more, raise retention.releases`,
  });
}

async function mustBeLive(db: Db, wanted: ReleaseId, live: ReleaseId | null): Promise<void> {
  if (live === wanted) return;
  const { number } = await releaseRow(db, wanted);
  throw new SlipwayError("NOTHING_TO_ROLL_BACK", { message: `r${number} is not live any more` });
}

/** The last that came is called off first, so that none of them has its turn meanwhile. False when the first has just ended. */
async function callOff(world: World, { actor, reason }: Rollback, open: readonly DeploymentRow[]): Promise<boolean> {
  let calledOff = false;
  for (const { id } of open.toReversed()) {
    calledOff = await ask(world, { deployment: id, kind: "cancel", actor, reason }).then(
      () => true,
      (error: unknown) => {
        if (isSlipwayError(error) && error.code === "NOT_CANCELLABLE") return false;
        throw error;
      },
    );
  }
  return calledOff;
}
