import type { Traffic, TrafficTarget } from "../../core/deploy/traffic.ts";
import type { RevisionId } from "../../core/ids.ts";
import type { Trx } from "../../ports/store.ts";
import type { EnvironmentRow } from "../../ports/tables.ts";

/** Records how many of a revision's instances take requests. Does nothing where it takes none. Safe to repeat. */
export async function limitTraffic(
  trx: Trx,
  { product, name, traffic: text }: Pick<EnvironmentRow, "product" | "name" | "traffic">,
  { revision, instances, now }: { readonly revision: RevisionId; readonly instances: number; readonly now: number },
): Promise<void> {
  const traffic = JSON.parse(text) as Traffic;
  const services = Object.fromEntries(
    Object.entries<readonly TrafficTarget[]>(traffic.services).map(([service, targets]) => [
      service,
      targets.map((target) => (target.revision === revision ? { ...target, instances } : target)),
    ]),
  );
  await trx
    .updateTable("environment")
    .set({ traffic: JSON.stringify({ ...traffic, services }), updated_at: now })
    .where("product", "=", product)
    .where("name", "=", name)
    .execute();
}
