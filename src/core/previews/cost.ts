import type { EpochMs } from "../ids.ts";
import type { PreviewsSpec } from "../product/previews-spec.ts";

const hourMs = 3_600_000;

/** What the previews of a template have run in this month. */
export type Spent = { readonly instanceMs: number };

/** `2026-11`, of UTC. */
export function monthOf(at: EpochMs): string {
  return new Date(at).toISOString().slice(0, 7);
}

/** What so many instance milliseconds cost; null where nobody reckons. */
export function costOf(instanceMs: number, { cost }: Pick<PreviewsSpec, "cost">): number | null {
  return cost === null ? null : (instanceMs / hourMs) * cost.instanceHour;
}

/** Why no more may be spent in this month, or null. */
export function capReached(policy: Pick<PreviewsSpec, "cost">, { instanceMs }: Spent): string | null {
  const cost = costOf(instanceMs, policy);
  if (cost === null || policy.cost === null || cost < policy.cost.perMonth) return null;
  return `previews have cost ${money(cost)} of ${money(policy.cost.perMonth)} in this month`;
}

export function money(amount: number): string {
  return amount.toFixed(2);
}

/** What ran between two times, by the months that it is paid in. */
export function byMonth(instances: number, from: EpochMs, to: EpochMs): ReadonlyMap<string, number> {
  const all = new Map<string, number>();
  for (let at = from; at < to; ) {
    const date = new Date(at);
    const next = Math.min(to, Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1));
    all.set(monthOf(at), (next - at) * instances);
    at = next;
  }
  return all;
}
