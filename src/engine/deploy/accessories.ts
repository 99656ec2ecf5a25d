import type { Deployment } from "../../core/deploy/deployment.ts";
import { waves } from "../../core/deploy/waves.ts";
import { SlipwayError } from "../../core/errors/error.ts";
import { serviceName } from "../../core/ids.ts";
import type { AccessorySpec } from "../../core/product/spec.ts";
import { formatDuration } from "../../core/product/units.ts";
import type { RevisionSpec, RevisionStatus, Target } from "../../ports/target.ts";
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
  for (const accessory of inOrder(spec.accessories)) {
    if (isBusy(world, { environment: spec.environment, name: accessory.name })) continue;
    const wanted = await accessorySpec(world, view, accessory);
    const running = await target.ensure(wanted, 1, signal);
    if (accessory.composed?.untilHealthy === true) await untilHealthy(world, { target, wanted, running }, signal);
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

/** Those that another one waits for come before it. */
function inOrder(all: Readonly<Record<string, AccessorySpec>>): readonly AccessorySpec[] {
  const nodes = Object.values(all).map(({ name, composed }) => ({
    name: serviceName(name),
    needs: (composed?.after ?? []).map(serviceName),
  }));
  return waves(nodes).flatMap((names) => names.flatMap((name) => all[name] ?? []));
}

type Awaited = { readonly target: Target; readonly wanted: RevisionSpec; readonly running: RevisionStatus };

const lookAgainMs = 200;
/** What its own check says of its time; the engine's defaults where it says nothing. */
const engineDefaults = { intervalMs: 30_000, timeoutMs: 30_000, startPeriodMs: 0, retries: 3 };

/** One that has no check of its own is taken as it is. Errors: PROBE_DEADLINE. */
async function untilHealthy(world: World, { target, wanted, running }: Awaited, signal: AbortSignal): Promise<void> {
  const check = wanted.container?.composed?.healthcheck ?? null;
  const { intervalMs, timeoutMs, startPeriodMs, retries } = engineDefaults;
  const tries = (check?.retries ?? retries) + 1;
  const withinMs =
    (check?.startPeriodMs ?? startPeriodMs) +
    tries * ((check?.intervalMs ?? intervalMs) + (check?.timeoutMs ?? timeoutMs));
  const until = world.clock.monotonicMs() + withinMs;
  let status = running;
  for (;;) {
    const health = status.instances[0]?.health;
    if (health === undefined || health === "healthy") return;
    if (world.clock.monotonicMs() > until)
      throw new SlipwayError("PROBE_DEADLINE", {
        message: `${wanted.service} was not healthy within ${formatDuration(withinMs)}, and others wait for that`,
        evidence: [["its own healthcheck says", health]],
        hint: `look at what it says: docker compose logs ${wanted.container?.composed?.service ?? wanted.service}`,
      });
    await world.clock.sleep(lookAgainMs, signal);
    status = await target.ensure(wanted, 1, signal);
  }
}
