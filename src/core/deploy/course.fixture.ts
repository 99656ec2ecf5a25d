import { releaseId, revisionId, type ServiceName } from "../ids.ts";
import type { Course, Rollout } from "./deployment.ts";
import { stages } from "./stages.ts";

/** One service of a release that follows another: one instance each, with a route. */
export function rolloutOf(service: ServiceName, more: Partial<Rollout> = {}): Rollout {
  return {
    service,
    kind: "web",
    candidate: revisionId(`new-${service}`),
    candidateInstances: 1,
    stable: revisionId(`old-${service}`),
    stableInstances: 1,
    routed: true,
    ...more,
  };
}

/** Blue-green, all services in one wave, with a bake of a second. */
export function courseWith(rollouts: readonly Rollout[], more: Partial<Course> = {}): Course {
  return {
    id: "dep_1" as Course["id"],
    environment: "production" as Course["environment"],
    release: releaseId("rel_new"),
    stable: releaseId("rel_old"),
    rollouts,
    waves: [rollouts.map(({ service }) => service)],
    stages: stages(rollouts, { strategy: "blue-green", batch: 1 }),
    drainMs: 0,
    bakeMs: 1_000,
    proven: false,
    ...more,
  };
}
