import type { EdgeTarget, RoutedService } from "../../../ports/edge.ts";

/** Half a percent each. A weight is rounded to whole slots, so a share is off by a quarter of a percent at most. */
export const slotCount = 200;
/** Where a request goes when its first try failed. */
export const spareCount = 16;

/**
 * Coprime with `slotCount` and near its golden section: any 200 requests in a row hit each slot once, and any shorter run is
 * spread evenly over the targets.
 */
const step = 123;

export type Slots = {
  /** `slotCount` addresses, or none when nobody is there to answer. */
  readonly first: readonly string[];
  /** `spareCount` addresses of the side that a client chooses, or none; absent where none can choose. */
  readonly chosen?: { readonly candidate: readonly string[]; readonly stable: readonly string[] };
  /** `spareCount` addresses, or none. */
  readonly spare: readonly string[];
  /** `fallback`: the spare ones are another release, so a lost request may be repeated there, not only a failed connection. */
  readonly spareIs: "fallback" | "neighbour";
};

/** What Caddy does with a service's requests. `empty`: nobody is there to answer. */
export type Mode = "live" | "maintenance" | "hold" | "empty";

/**
 * The slots of a service. The candidate, which is listed first, fills the buckets from 0 up, so a growing weight only adds to
 * its slots: who is bound to one of them never goes back.
 */
export function slotsOf({ targets, optIn }: RoutedService): Slots {
  const shares = sharesOf(targets);
  const buckets = targets.flatMap((target, index) =>
    Array.from({ length: shares[index] ?? 0 }, (_, place) => addressAt(target, place)),
  );
  const fallbacks = addressesOf(targets.filter((target) => target.fallback));
  const neighbours = addressesOf(targets.filter((target) => target.weight > 0));
  const sides = targets.filter(({ weight, instances }) => weight > 0 && instances.length > 0);
  const side = (target: EdgeTarget | undefined) =>
    inTurn(target === undefined ? fallbacks : addressesOf([target]), spareCount);
  return {
    ...(optIn === undefined ? {} : { chosen: { candidate: side(sides[0]), stable: side(sides.at(-1)) } }),
    // When nothing has a share, the fallback is all there is.
    first: spread(buckets.length > 0 ? buckets : inTurn(fallbacks, slotCount)),
    spare: inTurn(fallbacks.length > 0 ? fallbacks : neighbours, spareCount),
    spareIs: fallbacks.length > 0 ? "fallback" : "neighbour",
  };
}

export function modeOf(service: RoutedService, slots: Slots, held: boolean): Mode {
  if (service.mode === "maintenance") return "maintenance";
  if (held) return "hold";
  return slots.first.length === 0 ? "empty" : "live";
}

/** Whole slots for each target, by the largest remainders; what has a weight has at least one. */
export function sharesOf(targets: readonly EdgeTarget[]): number[] {
  const live = targets.map((target) => (target.instances.length > 0 ? target.weight : 0));
  const total = live.reduce((sum, weight) => sum + weight, 0);
  if (total === 0) return targets.map(() => 0);
  const exact = live.map((weight) => (weight * slotCount) / total);
  const shares = exact.map((share) => (share > 0 ? Math.max(1, Math.floor(share)) : 0));
  const order = exact
    .map((share, index) => ({ index, rest: share - (shares[index] ?? 0) }))
    .sort((a, b) => b.rest - a.rest);
  let left = slotCount - shares.reduce((sum, share) => sum + share, 0);
  for (let turn = 0; left > 0; turn = (turn + 1) % order.length) {
    const { index } = order[turn] ?? { index: 0 };
    if ((exact[index] ?? 0) === 0) continue;
    shares[index] = (shares[index] ?? 0) + 1;
    left -= 1;
  }
  // Many tiny weights were each rounded up to one slot: the largest gives.
  while (left < 0) {
    const largest = shares.indexOf(Math.max(...shares));
    shares[largest] = (shares[largest] ?? 0) - 1;
    left += 1;
  }
  return shares;
}

/** Slot `i` holds bucket `i × step`: neighbours in the rotation are far apart in weight. */
function spread(buckets: readonly string[]): string[] {
  if (buckets.length === 0) return [];
  return Array.from({ length: slotCount }, (_, slot) => buckets[(slot * step) % slotCount] ?? "");
}

function addressAt({ instances }: EdgeTarget, place: number): string {
  return instances[place % instances.length]?.address ?? "";
}

function inTurn(addresses: readonly string[], count: number): string[] {
  if (addresses.length === 0) return [];
  return Array.from({ length: count }, (_, index) => addresses[index % addresses.length] ?? "");
}

function addressesOf(targets: readonly EdgeTarget[]): string[] {
  return targets.flatMap((target) => target.instances.map((instance) => instance.address));
}
