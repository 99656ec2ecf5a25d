import { SlipwayError } from "../../core/errors/error.ts";
import type { DeploymentId, EnvironmentName, ReleaseId } from "../../core/ids.ts";
import { rollbackTarget, standingOf } from "../../core/release/standing.ts";
import { findEnvironment } from "../environment.ts";
import { releaseRow } from "../release/read.ts";
import type { World } from "../world.ts";
import { ask } from "./ask.ts";
import { attemptsIn } from "./attempts.ts";
import { openDeployments, startDeployment } from "./start-deployment.ts";

export type Rollback = {
  readonly product: string;
  readonly environment: EnvironmentName;
  /** Null: the last good release before the live one. */
  readonly to: ReleaseId | null;
  /** Also to a release that failed here. */
  readonly force: boolean;
  readonly actor: string;
  readonly reason: string;
};

/**
 * Takes the environment back. While a deployment is under way, going back means calling that off: its traffic returns to
 * stable. Otherwise a deployment of the last good release, with its own config, begins. Errors: NOTHING_TO_ROLL_BACK,
 * RELEASE_KNOWN_BAD, UNKNOWN_RELEASE, ARTIFACT_MISSING.
 */
export async function rollback(world: World, input: Rollback): Promise<DeploymentId> {
  const { db } = world.store;
  const [under] = await openDeployments(db, input.product, input.environment);
  if (under !== undefined && input.to === null) {
    await ask(world, { deployment: under.id, kind: "cancel", actor: input.actor, reason: input.reason });
    return under.id;
  }
  const attempts = await attemptsIn(db, input.product, input.environment);
  const environment = await findEnvironment(db, input);
  const release = input.to ?? rollbackTarget(environment?.live_release_id ?? null, attempts);
  if (release === null) {
    throw new SlipwayError("NOTHING_TO_ROLL_BACK", {
      message: `no earlier release has succeeded in ${input.environment}`,
    });
  }
  if (!input.force && standingOf(release, attempts) === "bad") {
    const { number } = await releaseRow(db, release);
    throw new SlipwayError("RELEASE_KNOWN_BAD", {
      message: `r${number} failed in ${input.environment} the last time it was there`,
    });
  }
  return startDeployment(world, {
    environment: input.environment,
    release,
    kind: "rollback",
    actor: input.actor,
    reason: input.reason,
    whenBusy: "replace",
  });
}
