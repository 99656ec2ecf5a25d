import type { ReleaseView } from "../../core/deploy/course.ts";
import type { EnvironmentName } from "../../core/ids.ts";
import type { ServiceSpec } from "../../core/product/spec.ts";
import { type Held, type HeldCounts, instancesNow } from "../../core/scale/count.ts";
import { noPast, type ScalePast } from "../../core/scale/decide.ts";
import type { Db, Trx } from "../../ports/store.ts";
import type { ScaleRow } from "../../ports/tables.ts";

type At = { readonly product: string; readonly environment: EnvironmentName };

/** What the services of an environment have been brought to. */
export function scaleRows(db: Db | Trx, { product, environment }: At): Promise<ScaleRow[]> {
  return db
    .selectFrom("scale")
    .selectAll()
    .where("product", "=", product)
    .where("environment", "=", environment)
    .orderBy("service")
    .execute();
}

/** The same as counts: those that take work, also while that is being changed. */
export async function heldCounts(db: Db | Trx, at: At): Promise<HeldCounts> {
  return heldIn(await scaleRows(db, at));
}

export function heldIn(rows: readonly ScaleRow[]): HeldCounts {
  return new Map(rows.map((row) => [row.service, heldOf(row)]));
}

export function heldOf({ instances, mode }: ScaleRow): Held {
  return { instances, mode };
}

export function pastOf(row: ScaleRow | undefined): ScalePast {
  return row === undefined ? noPast : (JSON.parse(row.past) as ScalePast);
}

/** Whether a number of instances is being changed there: what begins now would not know what it begins with. */
export function isScaling(rows: readonly ScaleRow[]): boolean {
  return rows.some(({ operation }) => operation !== null);
}

/** How many instances of a live service should run; null while that is being changed. */
export async function restingCount(db: Db, { spec }: ReleaseView, service: ServiceSpec): Promise<number | null> {
  const row = (await scaleRows(db, spec)).find((each) => each.service === service.name);
  if (row === undefined) return instancesNow(spec, service, undefined);
  return row.operation === null ? instancesNow(spec, service, heldOf(row)) : null;
}
