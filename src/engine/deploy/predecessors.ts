import type { Deployment } from "../../core/deploy/deployment.ts";
import { type Takeover, takeoverOf } from "../../core/deploy/takeover.ts";
import { reasonOf } from "../../core/errors/error.ts";
import type { ServiceName } from "../../core/ids.ts";
import type { EnvironmentSpec } from "../../core/product/spec.ts";
import type { Predecessor, Predecessors } from "../../ports/target.ts";
import { releaseView } from "../release/read.ts";
import type { EdgeSite } from "../traffic/sites.ts";
import type { World } from "../world.ts";

type Course = Deployment["course"];

/** The other hand in which a product may be: what docker compose runs of it. Null where there is none that could be. */
async function present(world: World, course: Course, signal: AbortSignal) {
  const { spec } = await releaseView(world.store.db, course.release, course.environment);
  const { compose, target, previews } = spec;
  const predecessors = target.driver === "process" ? undefined : world.targets.of(target).predecessors;
  if (compose === undefined || previews !== undefined || predecessors === undefined) return null;
  const found = takeoverOf(spec, await predecessors.look(compose.project, signal));
  return { spec, project: compose.project, predecessors, found };
}

/** What docker compose runs of these services and what cannot be in two hands is stopped. Safe to repeat. */
export async function stopPredecessorsFirst(
  world: World,
  course: Course,
  services: readonly ServiceName[],
  signal: AbortSignal,
): Promise<void> {
  const there = await present(world, course, signal);
  const mine = (there?.found.stopFirst ?? []).filter(({ service }) => services.includes(service));
  if (there !== null)
    await stop(
      world,
      there,
      mine.map(({ found }) => found),
      signal,
    );
}

/** What lets go of a port has no requests any more: it need not be given long. */
const endMs = 2_000;

/** Brings the edge to what is recorded; a port that it needs and that docker compose has goes over to it. Safe to repeat. */
export async function switchOver(world: World, course: Course, site: EdgeSite, signal: AbortSignal): Promise<void> {
  const there = await present(world, course, signal);
  const handOver = there?.found.handOver ?? [];
  if (there === null || handOver.length === 0) await site.router.sync();
  else {
    const containers = handOver.map(({ found }) => found);
    log(world, there, containers, "port.taken-over");
    const ports = handOver.map(({ port }) => port);
    await site.router.takeOver(ports, () => there.predecessors.letGo(containers, signal));
    await there.predecessors.stop(containers, endMs, signal);
  }
}

/** Workers of docker compose, for ours run. What cannot be stopped now is tried again at the end. Safe to repeat. */
export async function stopWorkersBefore(world: World, course: Course, signal: AbortSignal): Promise<void> {
  try {
    const there = await present(world, course, signal);
    if (there !== null) await stop(world, there, there.found.atSwitch, signal);
  } catch (error) {
    signal.throwIfAborted();
    world.log.warn("predecessor.left", { deployment: course.id, reason: reasonOf(error) });
  }
}

/** All that is left of docker compose's and that ours stands for. Safe to repeat. */
export async function retirePredecessors(world: World, course: Course, signal: AbortSignal): Promise<void> {
  const there = await present(world, course, signal);
  if (there === null) return;
  const { atEnd, atSwitch } = there.found;
  await stop(world, there, [...atEnd, ...atSwitch], signal);
  there.predecessors.settle(there.project);
}

/** Those that were stopped for a release that came to nothing run again. Safe to repeat. */
export async function predecessorsAgain(world: World, course: Course, signal: AbortSignal): Promise<void> {
  const there = await present(world, course, signal);
  await there?.predecessors.startAgain(there.project, signal);
}

type There = {
  readonly spec: EnvironmentSpec;
  readonly project: string;
  readonly predecessors: Predecessors;
  readonly found: Takeover<Predecessor>;
};

async function stop(world: World, there: There, all: readonly Predecessor[], signal: AbortSignal): Promise<void> {
  if (all.length === 0) return;
  log(world, there, all, "predecessor.stopped");
  await there.predecessors.stop(all, graceOf(there.spec), signal);
}

function log(world: World, { spec, project }: There, all: readonly Predecessor[], event: string): void {
  for (const { name } of all) world.log.info(event, { environment: spec.environment, project, container: name });
}

/** The longest of any: whoever needs less has ended before. */
function graceOf({ services }: EnvironmentSpec): number {
  return Math.max(0, ...Object.values(services).map(({ stopGraceMs }) => stopGraceMs));
}
