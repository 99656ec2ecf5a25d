import type { EnvironmentName, EpochMs, ReleaseId, ServiceName } from "../../core/ids.ts";
import type { ServiceSpec } from "../../core/product/spec.ts";
import { instancesNow, limitsText } from "../../core/scale/count.ts";
import type { ScaleDecision } from "../../core/scale/decide.ts";
import type { ScaleRow } from "../../ports/tables.ts";
import { releaseView } from "../release/read.ts";
import type { World } from "../world.ts";
import { heldOf, scaleRows } from "./held.ts";

/** What was decided of a service in the last look. */
export type ScaleStanding = {
  readonly product: string;
  readonly environment: EnvironmentName;
  readonly release: ReleaseId;
  readonly service: ServiceSpec;
  readonly count: number;
  /** Since when there have been as many, by the time of measurements, as far as this control plane knows. */
  readonly since: EpochMs;
  readonly row: ScaleRow | undefined;
  readonly decision: ScaleDecision;
  /** What was suggested last, and is still so. */
  readonly suggested: number | null;
};

/** By environment, release and service. Written by whoever looks, read by whoever asks. */
export type ScaleStandings = Map<string, ScaleStanding>;

/** How a service that goes on running is scaled, for whoever asks. */
export type ScaleReading = {
  readonly environment: EnvironmentName;
  readonly service: ServiceName;
  readonly release: ReleaseId;
  readonly instances: number;
  /** What it is being brought to; null at rest. */
  readonly wanted: number | null;
  /** `1–3`, `by hand`; null where the config says one number. */
  readonly limits: string | null;
  readonly targets: readonly string[];
  /** What was decided in the last look, in a sentence; null where nobody decides. */
  readonly decision: string | null;
  /** Of the last change; null before the first. */
  readonly changed: { readonly at: EpochMs; readonly by: string; readonly reason: string } | null;
};

/** Of every live service, by environment and name. Changes nothing. */
export async function scaleReadings(
  { store, scalings }: Pick<World, "store" | "scalings">,
  where: { readonly product?: string; readonly environment?: EnvironmentName },
): Promise<readonly ScaleReading[]> {
  let query = store.db.selectFrom("environment").select(["product", "name", "live_release_id"]).orderBy("name");
  if (where.product !== undefined) query = query.where("product", "=", where.product);
  if (where.environment !== undefined) query = query.where("name", "=", where.environment);
  const readings: ScaleReading[] = [];
  for (const { product, name: environment, live_release_id: release } of await query.execute()) {
    if (release === null) continue;
    const view = await releaseView(store.db, release, environment);
    const rows = new Map((await scaleRows(store.db, { product, environment })).map((row) => [row.service, row]));
    for (const service of Object.values<ServiceSpec>(view.spec.services)) {
      if (service.kind === "job") continue;
      const row = rows.get(service.name);
      const held = row === undefined ? undefined : heldOf(row);
      readings.push({
        environment,
        service: service.name,
        release,
        instances: instancesNow(view.spec, service, held),
        wanted: row?.wanted ?? null,
        limits: limitsText(service, held),
        targets: service.scale?.targets ?? [],
        decision: scalings.get(`${environment}/${release}/${service.name}`)?.decision.reason ?? null,
        changed: row === undefined ? null : { at: row.changed_at, by: row.actor, reason: row.reason },
      });
    }
  }
  return readings;
}
