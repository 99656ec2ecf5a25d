import { isSlipwayError, reasonOf } from "../../core/errors/error.ts";
import type { RevisionId } from "../../core/ids.ts";
import type { RevisionStatus } from "../../ports/target.ts";
import { releaseView } from "../release/read.ts";
import type { World } from "../world.ts";

/** Beside the grace of what is stopped. */
const limitMs = 60_000;
/** Of what is of no release that is known; its own is with its target. */
const strangeGraceMs = 120_000;

/** What still runs, and why it could not be stopped. */
export type Left = { readonly revision: RevisionId; readonly reason: string };

/**
 * Stops every container of the product, accessories too, and those of releases that the store does not know, and keeps it: nothing is
 * lost, and the next control plane starts what is live again. Answers with what still runs, because its host is away or its engine
 * refuses; that is left as it is. May be repeated. Processes end with their supervisor. Errors: STORE_FAILED.
 */
export async function stopContainers(world: World): Promise<readonly Left[]> {
  const reasons = new Map<RevisionId, string>();
  await Promise.all(
    (await containersUp(world)).map(async (status) => {
      try {
        await stopContainersOf(world, status);
      } catch (error) {
        reasons.set(status.id, reasonOf(error));
      }
    }),
  );
  // What counts is what runs now, whatever each stop has said.
  const left = (await containersUp(world)).map(({ id }) => {
    return { revision: id, reason: reasons.get(id) ?? "it was stopped, and runs again" };
  });
  for (const { revision, reason } of left) world.log.warn("revision.left", { revision, reason });
  return left;
}

async function containersUp({ targets }: World): Promise<readonly RevisionStatus[]> {
  return (await targets.stoppable({})).filter(({ wanted }) => wanted > 0);
}

/** Stops what runs of a revision or an accessory and keeps it, where it does not end with the supervisor. Safe to repeat. */
export async function stopContainersOf(world: World, status: RevisionStatus): Promise<void> {
  await world.targets.stop(status.id, AbortSignal.timeout(limitMs + (await graceOf(world, status))));
}

async function graceOf({ store }: World, { release, environment, service }: RevisionStatus): Promise<number> {
  try {
    const { services, accessories } = (await releaseView(store.db, release, environment)).spec;
    return (services[service] ?? accessories[service])?.stopGraceMs ?? strangeGraceMs;
  } catch (error) {
    // The state was lost, or is an older copy.
    if (isSlipwayError(error) && (error.code === "UNKNOWN_RELEASE" || error.code === "UNKNOWN_ENVIRONMENT"))
      return strangeGraceMs;
    throw error;
  }
}
