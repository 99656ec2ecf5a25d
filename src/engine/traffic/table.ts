import type { Traffic, TrafficTarget } from "../../core/deploy/traffic.ts";
import type { RevisionId, ServiceName } from "../../core/ids.ts";
import { answerHeaders, redirectsToHttps } from "../../core/product/https.ts";
import type { EdgeSpec, EnvironmentSpec, ServiceSpec } from "../../core/product/spec.ts";
import type { EdgeTarget, Route, RoutedService, RoutePolicy, RouteTable } from "../../ports/edge.ts";
import type { RevisionStatus } from "../../ports/target.ts";
import { hostsOf, listenersOf } from "./listeners.ts";

/** One environment's part of the table: its recorded traffic, and the config its routes come from. */
export type EnvironmentTraffic = {
  readonly traffic: Traffic;
  readonly spec: EnvironmentSpec;
  /** Whose routes stay in force as well where the newer config has none; null when there is nothing to keep. */
  readonly kept: EnvironmentSpec | null;
  /** Nothing of it runs until somebody asks for it. */
  readonly asleep?: boolean;
};

/** The whole table, from what is recorded and what runs. Pure, so the same truth always gives the same table. */
export function routeTable(
  environments: readonly EnvironmentTraffic[],
  running: readonly RevisionStatus[],
  generation: number,
): RouteTable {
  const addresses = new Map(running.map((revision) => [revision.id, revision]));
  const services: Record<string, RoutedService> = {};
  const routes: Route[] = [];
  for (const { traffic, spec, kept, asleep = false } of environments) {
    for (const [service, targets] of Object.entries<readonly TrafficTarget[]>(traffic.services)) {
      services[serviceKey(spec, service as ServiceName)] = {
        targets: targets.map((target) => edgeTarget(target, addresses)),
        sticky: spec.edge.sticky,
        ...(spec.edge.optIn === undefined ? {} : { optIn: spec.edge.optIn }),
        mode: spec.edge.maintenance ? "maintenance" : asleep ? "asleep" : "live",
      };
    }
    const own = routesIn(spec, traffic);
    const taken = new Set(own.map(addressOf));
    routes.push(
      ...own,
      ...(kept === null ? [] : routesIn(kept, traffic).filter((route) => !taken.has(addressOf(route)))),
    );
  }
  return { generation, routes, services };
}

export function serviceKey(spec: Pick<EnvironmentSpec, "product" | "environment">, service: ServiceName): string {
  return `${spec.product}/${spec.environment}/${service}`;
}

function edgeTarget(target: TrafficTarget, running: ReadonlyMap<RevisionId, RevisionStatus>): EdgeTarget {
  return {
    revision: target.revision,
    release: target.release,
    instances: instancesOf(running.get(target.revision), target.instances),
    weight: target.weight,
    fallback: target.fallback,
  };
}

/** Where the first `limit` instances of a revision can be reached, as far as they are there. */
export function instancesOf(
  revision: RevisionStatus | undefined,
  limit = Number.POSITIVE_INFINITY,
): EdgeTarget["instances"] {
  return (revision?.instances ?? [])
    .filter((instance) => instance.index < limit && instance.address !== null && instance.state !== "stopped")
    .map((instance) => ({ id: instance.id, address: instance.address ?? "" }));
}

function routesIn(spec: EnvironmentSpec, traffic: Traffic): Route[] {
  return Object.values<ServiceSpec>(spec.services)
    .filter((service) => traffic.services[service.name] !== undefined)
    .flatMap((service) => routesOf(spec, service));
}

function addressOf({ listener, host, pathPrefix }: Route): string {
  return JSON.stringify([listener, host, pathPrefix]);
}

function routesOf(spec: EnvironmentSpec, service: ServiceSpec): Route[] {
  return service.routes.flatMap((route) =>
    hostsOf(spec, route.host).flatMap((host) =>
      listenersOf(spec).map((listener) => ({
        listener: listener.name,
        host,
        pathPrefix: route.path,
        strip: route.strip,
        service: serviceKey(spec, service.name),
        policy: policyOf(spec.edge, route.host),
      })),
    ),
  );
}

function policyOf(edge: EdgeSpec, host: string | null): RoutePolicy {
  return {
    redirectToHttps: redirectsToHttps(edge, host),
    redirectHosts: edge.redirectWww && host !== null ? { [`www.${host}`]: host } : {},
    headers: answerHeaders(edge),
    cors: edge.cors,
    allowLists: edge.allowLists,
    rateLimit: edge.rateLimit,
    bodyBytes: edge.bodyBytes,
  };
}
