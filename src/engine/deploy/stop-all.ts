import type { ReleaseView } from "../../core/deploy/course.ts";
import { reasonOf } from "../../core/errors/error.ts";
import type { RevisionId } from "../../core/ids.ts";
import type { RevisionSpec, RevisionStatus } from "../../ports/target.ts";
import { releaseView } from "../release/read.ts";
import type { World } from "../world.ts";
import { accessorySpec, revisionSpec } from "./revision-spec.ts";

/** Beside the grace of what is stopped. */
const limitMs = 60_000;

/** What still runs, and why it could not be stopped. */
export type Left = { readonly revision: RevisionId; readonly reason: string };

export type Up = { readonly status: RevisionStatus; readonly view: ReleaseView };

/**
 * Stops every container of the product, accessories too, and keeps it: nothing is lost, and the next control plane starts what is live
 * again. Answers with what still runs, because its host is away or its engine refuses; that is left as it is. May be repeated.
 * Processes end with their supervisor. Errors: STORE_FAILED.
 */
export async function stopContainers(world: World): Promise<readonly Left[]> {
  const reasons = new Map<RevisionId, string>();
  await Promise.all(
    (await containersUp(world)).map(async (up) => {
      try {
        await stopRevision(world, up);
      } catch (error) {
        reasons.set(up.status.id, reasonOf(error));
      }
    }),
  );
  // What counts is what runs now, whatever each stop has said.
  const left = (await containersUp(world)).map(({ status: { id } }) => {
    return { revision: id, reason: reasons.get(id) ?? "it was stopped, and runs again" };
  });
  for (const { revision, reason } of left) world.log.warn("revision.left", { revision, reason });
  return left;
}

async function containersUp(world: World): Promise<readonly Up[]> {
  const all = await world.targets.observe({});
  const up = await Promise.all(
    all
      .filter(({ wanted }) => wanted > 0)
      .map(async (status) => ({
        status,
        view: await releaseView(world.store.db, status.release, status.environment),
      })),
  );
  return up.filter(({ view }) => view.spec.target.driver !== "process");
}

/** Stops what runs of a revision or an accessory and keeps it. Safe to repeat. */
export async function stopRevision(world: World, { status, view }: Up): Promise<void> {
  const { target, services, accessories } = view.spec;
  const accessory = accessories[status.service];
  const spec: RevisionSpec | null =
    services[status.service] !== undefined
      ? await revisionSpec(world, view, status.service)
      : accessory !== undefined
        ? await accessorySpec(world, view, accessory)
        : null;
  if (spec === null) throw new Error(`its release knows no service ${status.service}`);
  const signal = AbortSignal.timeout(limitMs + spec.stopGraceMs);
  // The one that runs, also where an accessory's config has moved on since.
  await world.targets.of(target).ensure({ ...spec, id: status.id }, 0, signal);
}
