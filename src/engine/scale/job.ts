import type { EnvironmentName, Json, ReleaseId, ServiceName } from "../../core/ids.ts";
import type { Db } from "../../ports/store.ts";
import type { ScaleRow } from "../../ports/tables.ts";
import { findEnvironment } from "../environment.ts";

/** Carries its version: work in flight goes on with the code that began it. */
export const scaleKind = "scale.v1";

/** What is brought about, as it was recorded when it was decided. */
export type ScaleJob = {
  readonly operation: string;
  readonly product: string;
  readonly environment: EnvironmentName;
  readonly service: ServiceName;
  readonly release: ReleaseId;
  readonly from: number;
  readonly to: number;
  /** Who had a say before: they have it again where nothing comes of this. */
  readonly modeBefore: ScaleRow["mode"];
  readonly actor: string;
};

/** As one with the environment's deployments: never two of them at a time. */
export function scaleWorkflowOf(job: ScaleJob) {
  return [scaleKind, job.operation, job as Json, { lockKey: `${job.product}/${job.environment}` }] as const;
}

/** The job of an operation that is recorded, for who finds it without a workflow. Null where nothing is live any more. */
export async function lostJob(db: Db, row: ScaleRow): Promise<ScaleJob | null> {
  const { product, environment, service, operation, wanted, instances, mode, actor } = row;
  const release = (await findEnvironment(db, row))?.live_release_id ?? null;
  if (operation === null || wanted === null || release === null) return null;
  // Of one that takes some away it is only known how many stay.
  const from = instances === wanted ? wanted + 1 : instances;
  return { operation, product, environment, service, release, from, to: wanted, modeBefore: mode, actor };
}
