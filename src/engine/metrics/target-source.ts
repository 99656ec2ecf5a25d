import type { Labels } from "../../core/metric/labels.ts";
import type { InstanceStatus, RevisionStatus } from "../../ports/target.ts";
import { releaseView } from "../release/read.ts";
import type { World } from "../world.ts";
import { tooOld } from "./intervals.ts";
import type { Metrics, Taken } from "./metrics.ts";

/** How often it is looked at what instances use: a look costs a container engine some milliseconds a container. */
export const lookMs = 5_000;

export type Limits = { readonly memoryBytes: number | null; readonly cpus: number | null };

/** What instances use and how often they were started again, as `cpu`, `memory`, `memory share` and `restarts`. */
export async function lookAtTargets(
  { targets, store }: Pick<World, "targets" | "store">,
  metrics: Metrics,
): Promise<void> {
  const statuses = await targets.observe({});
  const taken: Taken[] = [];
  for (const status of statuses) taken.push(...usageOf(status, await limitsOf(store, status)));
  metrics.record(taken);
}

export function usageOf(status: RevisionStatus, limits: Limits): Taken[] {
  const { environment, service, release, id: revision } = status;
  // Of what is on a machine that is away, nothing is measured.
  return status.instances.flatMap((instance) => {
    if (instance.lastSeen !== undefined) return [];
    const labels = {
      environment,
      service,
      revision,
      release,
      instance: instance.id,
      ...(instance.host !== null && { host: instance.host }),
    };
    return samplesOf(instance, labels, limits);
  });
}

function samplesOf({ cpu, memoryBytes, restarts }: InstanceStatus, labels: Labels, limits: Limits): Taken[] {
  const holdMs = tooOld(lookMs);
  const taken: Taken[] = [{ metric: "restarts", labels, value: [restarts], holdMs }];
  if (cpu !== null) taken.push({ metric: "cpu", labels, value: cpu / (limits.cpus ?? 1), holdMs });
  if (memoryBytes === null) return taken;
  taken.push({ metric: "memory", labels, value: memoryBytes, holdMs });
  if (limits.memoryBytes !== null)
    taken.push({ metric: "memory share", labels, value: memoryBytes / limits.memoryBytes, holdMs });
  return taken;
}

/** What its release's config lets it use. */
async function limitsOf(store: World["store"], { release, environment, service }: RevisionStatus): Promise<Limits> {
  const view = await releaseView(store.db, release, environment).catch(() => null);
  const resources = view?.spec.services[service]?.resources ?? view?.spec.accessories[service]?.resources;
  return resources ?? { memoryBytes: null, cpus: null };
}
