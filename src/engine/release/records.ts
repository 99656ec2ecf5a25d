import type { EnvironmentName, ReleaseId } from "../../core/ids.ts";
import { metricOf } from "../../core/metric/catalogue.ts";
import type { World } from "../world.ts";

/** How a release has fared in one environment. */
export type ReleaseRecord = {
  readonly environment: EnvironmentName;
  /** Deployments that have ended or are under way there. */
  readonly deployments: number;
  /** Of them, those that took it back by themselves. */
  readonly rollbacks: number;
  /** What users asked of it since it first had a share, and how often that went wrong; null where nothing was counted, or is not kept any more. */
  readonly requests: number | null;
  readonly errors: number | null;
};

/** Measurements are kept for so long. */
const keptMs = 30 * 86_400_000;
/** Each is a query of its own; who looks at releases looks at the newest. */
const maxMeasured = 20;

/** By release, of those that were deployed; measured are the newest. Changes nothing. */
export async function releaseRecords(
  world: Pick<World, "store" | "metrics" | "clock">,
  product: string,
): Promise<ReadonlyMap<ReleaseId, readonly ReleaseRecord[]>> {
  const rows = await world.store.db
    .selectFrom("deployment")
    .select(["release_id", "environment", "phase", "started_at"])
    .where("product", "=", product)
    .where("started_at", "is not", null)
    .orderBy("created_at", "desc")
    .execute();
  const groups = new Map<string, typeof rows>();
  for (const row of rows) {
    const key = `${row.release_id} ${row.environment}`;
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  const records = new Map<ReleaseId, ReleaseRecord[]>();
  let measured = 0;
  for (const group of groups.values()) {
    const [newest] = group;
    if (newest === undefined) continue;
    const { release_id: release, environment } = newest;
    const since = Math.min(...group.map(({ started_at }) => started_at ?? Number.POSITIVE_INFINITY));
    const windowMs = Math.max(1_000, Math.min(keptMs, world.clock.now() - since));
    measured += 1;
    const seen = measured > maxMeasured ? null : await counted(world, { release, environment, windowMs });
    const record = {
      environment,
      deployments: group.length,
      rollbacks: group.filter(({ phase }) => phase === "rolled-back").length,
      requests: seen?.requests ?? null,
      errors: seen?.errors ?? null,
    };
    records.set(release, [...(records.get(release) ?? []), record]);
  }
  return records;
}

async function counted(
  { metrics }: Pick<World, "metrics">,
  at: { readonly release: ReleaseId; readonly environment: EnvironmentName; readonly windowMs: number },
): Promise<{ readonly requests: number; readonly errors: number } | null> {
  const metric = metricOf("error ratio");
  if (metric === null) throw new Error("the catalogue lacks the error ratio");
  const { release, environment, windowMs } = at;
  const found = await metrics.measureLong({ metric, labels: { environment, release }, windowMs });
  if (found.is === "unknown") return null;
  return { requests: found.count, errors: Math.round(found.value * found.count) };
}
