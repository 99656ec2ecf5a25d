import type { Deployment } from "../../core/deploy/deployment.ts";
import { releaseView } from "../release/read.ts";
import type { World } from "../world.ts";
import { accessorySpec } from "./revision-spec.ts";

/**
 * Has every accessory of the environment running before anything that needs it. One that runs with another config goes on as it is:
 * data is at stake, so it is replaced only when a person asks for that. It is no part of the release, and stays when that is taken back.
 */
export async function ensureAccessories(
  world: World,
  course: Pick<Deployment["course"], "release" | "environment">,
  signal: AbortSignal,
): Promise<void> {
  const view = await releaseView(world.store.db, course.release, course.environment);
  const { spec } = view;
  if (spec.target.driver === "process") return;
  const target = world.targets.of(spec.target);
  for (const accessory of Object.values(spec.accessories)) {
    const wanted = await accessorySpec(world, view, accessory);
    const running = await target.ensure(wanted, 1, signal);
    if (running.configDigest === wanted.configDigest) continue;
    world.log.warn("accessory.kept", {
      accessory: accessory.name,
      environment: spec.environment,
      revision: running.id,
    });
  }
}
