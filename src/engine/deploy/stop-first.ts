import type { Course, Deployment } from "../../core/deploy/deployment.ts";
import { holdMs, isStopFirst, maxHeld } from "../../core/deploy/stop-first.ts";
import { trafficOf } from "../../core/deploy/traffic.ts";
import { reasonOf } from "../../core/errors/error.ts";
import type { EpochMs, ReleaseId, RevisionId, ServiceName } from "../../core/ids.ts";
import type { Edge } from "../../ports/edge.ts";
import type { RevisionStatus } from "../../ports/target.ts";
import { releaseView } from "../release/read.ts";
import type { EdgeSite } from "../traffic/sites.ts";
import { serviceKey } from "../traffic/table.ts";
import type { World } from "../world.ts";
import { allDone, stop } from "./sides.ts";

/** Samples come at least so often, so what one of them counts is no older: before that, a request may be in flight unseen. */
const countedWithinMs = 250;

/** The side of a service that is to run next, alone. */
type Side = { readonly service: ServiceName; readonly release: ReleaseId; readonly revision: RevisionId };

/**
 * The service's requests wait at the edge from now on, until `releaseRequests` or the time is over. Does nothing where it has no
 * traffic, or the edge cannot hold. Safe to repeat. Errors: EDGE_*.
 */
export async function holdRequests(
  world: World,
  deployment: Deployment,
  side: Pick<Side, "service" | "release">,
): Promise<Held | null> {
  const { db } = world.store;
  const { course } = deployment;
  const { routesOf, services } = trafficOf(deployment);
  const targets = services[side.service];
  if (routesOf === null || targets === undefined) return null;
  const inForce = await releaseView(db, routesOf, course.environment);
  const { edge, counts } = world.edges.of(inForce.spec.edge);
  const coming = (await releaseView(db, side.release, course.environment)).spec.services[side.service];
  if (!edge.can.hold || coming === undefined) return null;
  const maxMs = holdMs(coming);
  await edge.hold(serviceKey(inForce.spec, side.service), { maxMs, maxQueued: maxHeld });
  return { counts, maxMs, since: world.clock.now(), revisions: targets.map(({ revision }) => revision) };
}

/** Requests wait, and whose they would have been. */
export type Held = {
  readonly counts: EdgeSite["counts"];
  readonly maxMs: number;
  readonly since: EpochMs;
  readonly revisions: readonly RevisionId[];
};

/**
 * Those in flight when the others began to wait end by themselves, as far as there is time: what is left has the grace of its
 * stop. An edge's drain would be over at once, for the revision still has the weight; so the counts are asked.
 */
export async function untilIdle(world: World, held: Held, drainMs: number, signal: AbortSignal): Promise<void> {
  // The other half of the time that requests may wait is for the stop.
  const limitMs = Math.min(drainMs, held.maxMs / 2);
  const over = new AbortController();
  const until = AbortSignal.any([signal, over.signal]);
  const timer = world.clock.sleep(limitMs, until).then(
    () => over.abort(),
    () => {},
  );
  try {
    for (;;) {
      const sample = await held.counts.next(until);
      const inflight = held.revisions.reduce((sum, each) => sum + (sample.revisions[each]?.inflight ?? 0), 0);
      if (inflight === 0 && sample.at >= held.since + countedWithinMs) return;
    }
  } catch {
    signal.throwIfAborted();
  } finally {
    over.abort();
    await timer;
  }
}

/** Stops whatever else of the service runs in the environment. Stable can be started again, candidates are gone. Safe to repeat. */
export async function stopOthers(
  world: World,
  course: Course,
  { service, revision }: Pick<Side, "service" | "revision">,
  signal: AbortSignal,
): Promise<void> {
  const { db } = world.store;
  const { spec } = await releaseView(db, course.release, course.environment);
  const others = await db
    .selectFrom("revision")
    .select(["id", "release_id", "role"])
    .where("product", "=", spec.product)
    .where("environment", "=", course.environment)
    .where("service", "=", service)
    .where("id", "!=", revision)
    .execute();
  const seen = await world.targets.observe({ environment: course.environment, service });
  const alive = new Set(seen.filter(isAlive).map(({ id }) => id));
  await allDone(
    others.map(async ({ id, release_id: release, role }) => {
      // Whatever was seen: it is known to have run, or may be about to, at a host that does not answer just now.
      const isOther = id === sideOf(course, service, "stable") || id === sideOf(course, service, "candidate");
      if (!isOther && !alive.has(id)) return;
      // By its id alone: a candidate that could not be made has nothing to scale.
      if (role === "candidate" || role === "removed") await world.targets.remove(id, signal);
      else await stop(world, course, { release, service }, signal);
    }),
  );
}

function sideOf({ rollouts }: Course, service: ServiceName, side: "candidate" | "stable"): RevisionId | null {
  return rollouts.find((rollout) => rollout.service === service)?.[side] ?? null;
}

function isAlive({ wanted, instances }: RevisionStatus): boolean {
  return wanted > 0 || instances.some(({ state }) => state !== "stopped" && state !== "exited");
}

/** Requests go on, by the newest table. Safe to repeat, also where nobody waits. Errors: EDGE_*. */
export async function releaseRequests(world: World, course: Course, edge: Edge): Promise<void> {
  const services = requestsOf(course);
  if (services.length === 0 || !edge.can.hold) return;
  const { spec } = await releaseView(world.store.db, course.release, course.environment);
  for (const service of services) await edge.hold(serviceKey(spec, service), null);
}

/** The same at every edge that the deployment knew, at its end. One that is away keeps nobody waiting for ever: holds end by themselves. */
export async function releaseEverywhere(world: World, course: Course): Promise<void> {
  if (requestsOf(course).length === 0) return;
  const { db } = world.store;
  const edges = new Set<Edge>();
  for (const release of [course.release, course.stable])
    if (release !== null)
      edges.add(world.edges.of((await releaseView(db, release, course.environment)).spec.edge).edge);
  for (const edge of edges) {
    await releaseRequests(world, course, edge).catch((error: unknown) =>
      world.log.warn("edge.hold-left", { deployment: course.id, edge: edge.name, reason: reasonOf(error) }),
    );
  }
}

/** Where requests may have been made to wait. */
function requestsOf({ rollouts }: Course): ServiceName[] {
  return rollouts.filter((rollout) => isStopFirst(rollout) && rollout.routed).map((rollout) => rollout.service);
}
