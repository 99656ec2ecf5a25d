import type { CompiledRoute, ListenerRoutes, Service, Side } from "./compiled.ts";
import { isUnder } from "./path.ts";
import type { Upstream } from "./upstream.ts";

export type Choice = { readonly side: Side; readonly upstream: Upstream };

/** Longest prefix of the host's own routes, else of those for any host. */
export function chooseRoute(routes: ListenerRoutes, host: string, path: string): CompiledRoute | null {
  return longest(routes.hosts.get(host), path) ?? longest(routes.anyHost, path);
}

/** Whose turn it is. Null when nothing has a weight. */
export function chooseSide(service: Service, bucket: number): Side | null {
  const { weighted } = service;
  for (let index = 0; index < weighted.length; index += 1) {
    const side = weighted[index];
    if (side !== undefined && bucket < side.untilBucket) return side;
  }
  return weighted[weighted.length - 1] ?? null;
}

/** The side that a client asks for with this value; null where it asks for none, or there is none. */
export function chosenSide({ weighted, optIn }: Service, value: string | null): Side | null {
  if (optIn === null || value === null) return null;
  if (value === optIn.candidate) return weighted[0] ?? null;
  return value === optIn.stable ? (weighted[weighted.length - 1] ?? null) : null;
}

/**
 * The next instance to try: of the revision whose turn it is, then of the fallbacks, then, after a failed connection, of
 * any revision with a weight. Instances that could not be reached lately come after all others. Never one in `tried`.
 */
export function chooseInstance(
  service: Service,
  turn: Side | null,
  tried: readonly Upstream[],
  when: { readonly nowMs: number; readonly anyRevision: boolean },
): Choice | null {
  if (turn !== null) {
    const first = leastBusy(turn.upstreams, tried, when.nowMs);
    if (first !== null) return { side: turn, upstream: first };
  }
  const sides = when.anyRevision ? [turn, ...service.fallbacks, ...service.weighted] : [turn, ...service.fallbacks];
  return among(sides, tried, when.nowMs) ?? among(sides, tried, null);
}

function longest(routes: readonly CompiledRoute[] | undefined, path: string): CompiledRoute | null {
  if (routes === undefined) return null;
  for (let index = 0; index < routes.length; index += 1) {
    const route = routes[index];
    if (route !== undefined && isUnder(path, route.prefix)) return route;
  }
  return null;
}

function among(sides: readonly (Side | null)[], tried: readonly Upstream[], nowMs: number | null): Choice | null {
  for (const side of sides) {
    const upstream = side === null ? null : leastBusy(side.upstreams, tried, nowMs);
    if (side !== null && upstream !== null) return { side, upstream };
  }
  return null;
}

let turnOf = 0;

/** Fewest requests in flight, in turn among equals. `nowMs` null: also those left alone after a failed connection. */
function leastBusy(upstreams: readonly Upstream[], tried: readonly Upstream[], nowMs: number | null): Upstream | null {
  const count = upstreams.length;
  turnOf = (turnOf + 1) | 0;
  let best: Upstream | null = null;
  for (let index = 0; index < count; index += 1) {
    const upstream = upstreams[((turnOf >>> 0) + index) % count];
    if (upstream === undefined || (nowMs !== null && !upstream.usable(nowMs)) || tried.includes(upstream)) continue;
    if (best === null || upstream.inflight < best.inflight) best = upstream;
  }
  return best;
}
