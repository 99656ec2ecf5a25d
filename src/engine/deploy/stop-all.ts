import { reasonOf } from "../../core/errors/error.ts";
import type { RevisionSpec, RevisionStatus } from "../../ports/target.ts";
import { releaseView } from "../release/read.ts";
import type { World } from "../world.ts";
import { accessorySpec, revisionSpec } from "./revision-spec.ts";

/** Beside the grace of what is stopped. */
const limitMs = 60_000;

/**
 * Stops every container of the product, accessories too, and keeps it: nothing is lost, and the next control plane starts what is live
 * again. What cannot be stopped, because its host is away, is said in the log and left as it is. Processes end with their supervisor.
 */
export async function stopContainers(world: World): Promise<void> {
  const signal = AbortSignal.timeout(limitMs);
  const all = await world.targets.observe({}).catch((error: unknown) => {
    world.log.warn("containers.left", { reason: reasonOf(error) });
    return [];
  });
  const running = all.filter(({ wanted }) => wanted > 0);
  await Promise.all(
    running.map(async (status) => {
      try {
        await stop(world, status, signal);
      } catch (error) {
        world.log.warn("revision.left", { revision: status.id, reason: reasonOf(error) });
      }
    }),
  );
}

async function stop(world: World, status: RevisionStatus, signal: AbortSignal): Promise<void> {
  const view = await releaseView(world.store.db, status.release, status.environment);
  const { target, services, accessories } = view.spec;
  if (target.driver === "process") return;
  const accessory = accessories[status.service];
  const spec: RevisionSpec | null =
    services[status.service] !== undefined
      ? await revisionSpec(world, view, status.service)
      : accessory !== undefined
        ? await accessorySpec(world, view, accessory)
        : null;
  // The one that runs, also where an accessory's config has moved on since.
  if (spec !== null) await world.targets.of(target).ensure({ ...spec, id: status.id }, 0, signal);
}
