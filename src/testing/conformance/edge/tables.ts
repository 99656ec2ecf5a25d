import { instanceId, type ReleaseId, type RevisionId, revisionId } from "../../../core/ids.ts";
import type { EdgeConfig, EdgeTarget, Route, RoutedService, RoutePolicy, RouteTable } from "../../../ports/edge.ts";
import type { Backend } from "./backend.ts";
import { type Door, doorAt } from "./client.ts";

export const openPolicy: RoutePolicy = {
  redirectToHttps: false,
  redirectHosts: {},
  headers: {},
  cors: null,
  allowLists: [],
  rateLimit: null,
  bodyBytes: null,
};

export const testLimits: EdgeConfig["limits"] = {
  headerBytes: 16_384,
  bodyBytes: 1_000_000,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  idleTimeoutMs: 30_000,
  upstreamTimeoutMs: 10_000,
  connectTimeoutMs: 1000,
  maxConnections: 2000,
};

export function configOn(door: Door, changes: Partial<EdgeConfig> = {}): EdgeConfig {
  return {
    listeners: [{ name: "web", ...doorAt(door), tls: null }],
    trustedProxies: [],
    limits: testLimits,
    accessLog: null,
    ...changes,
  };
}

/** A revision named after its backends' label: `a` is `rev_a` of `rel_a`. */
export function target(
  backends: Backend | readonly Backend[],
  weight: number,
  changes: Partial<EdgeTarget> = {},
): EdgeTarget {
  const all = Array.isArray(backends) ? (backends as readonly Backend[]) : [backends as Backend];
  const revision = revisionOf(all[0]?.label ?? "none");
  return {
    revision,
    release: `rel_${all[0]?.label ?? "none"}` as ReleaseId,
    weight,
    fallback: false,
    instances: all.map(({ address }, index) => ({ id: instanceId(revision, index), address })),
    ...changes,
  };
}

export const revisionOf = (label: string): RevisionId => revisionId(`rev_${label}`);

export function route(changes: Partial<Route> = {}): Route {
  return { listener: "web", host: null, pathPrefix: "/", strip: false, service: "web", policy: openPolicy, ...changes };
}

/** Everything goes to the service `web`. */
export function table(
  generation: number,
  targets: readonly EdgeTarget[],
  changes: Partial<RoutedService> & { readonly routes?: readonly Route[] } = {},
): RouteTable {
  const { routes = [route()], ...service } = changes;
  return { generation, routes, services: { web: { targets, sticky: null, mode: "live", ...service } } };
}
