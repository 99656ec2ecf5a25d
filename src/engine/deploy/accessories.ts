import type { Deployment } from "../../core/deploy/deployment.ts";
import type { RevisionStatus } from "../../ports/target.ts";
import { isBusy } from "../accessories/busy.ts";
import { specThatRuns, type Wanted } from "../accessories/state.ts";
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
    if (isBusy(world, { environment: spec.environment, name: accessory.name })) continue;
    const wanted = await accessorySpec(world, view, accessory);
    const running = await target.ensure(wanted, 1, signal);
    if (running.configDigest === wanted.configDigest) continue;
    if (running.wanted === 0) await startAsItWas(world, running, { release: view.id, spec, accessory }, signal);
    world.log.warn("accessory.kept", {
      accessory: accessory.name,
      environment: spec.environment,
      revision: running.id,
    });
  }
}

/** It is kept, and stands stopped: by `down --all`, or by a control plane that died while it was replacing it. */
async function startAsItWas(world: World, there: RevisionStatus, wanted: Wanted, signal: AbortSignal): Promise<void> {
  await world.targets.of(wanted.spec.target).ensure(await specThatRuns(world, there, wanted), 1, signal);
}
