import type { RouteSpec } from "../product/spec.ts";
import { type ComposeRoles, portOf } from "./classify.ts";
import type { ComposeModel, ComposePort, ComposeService } from "./model.ts";

/** How requests reach the services of a project. */
export type Routing = {
  /** Service to routes. Those that are not here are reached by other services only. */
  readonly routes: ReadonlyMap<string, readonly RouteSpec[]>;
  /** Service to the ports of the host that it keeps: those that no route stands for. */
  readonly hostPorts: ReadonlyMap<string, readonly ComposePort[]>;
};

const everything: readonly RouteSpec[] = [{ host: null, path: "/", strip: false }];

/**
 * Routes as `x-slipway` says; without, the web service that publishes 80 or 443 answers everything, or the only one that
 * publishes a port. A port that a route stands for is not published any more; the others stay as they are.
 */
export function routing(model: ComposeModel, roles: ComposeRoles): Routing {
  const released = Object.values(model.services).filter((service) => roles.get(service.name)?.kind !== "accessory");
  const told = released.filter(({ slipway }) => slipway?.routes != null);
  const front = told.length > 0 ? null : frontOf(released.filter((service) => roles.get(service.name)?.kind === "web"));
  const routes = new Map(told.map((service) => [service.name, service.slipway!.routes!] as const));
  if (front !== null) routes.set(front.name, everything);
  const hostPorts = Object.values(model.services).map((service) => {
    const routed = (routes.get(service.name) ?? []).length > 0;
    const stays = service.ports.filter((port) => !(routed && isForEdge(port, service)));
    return [service.name, stays] as const;
  });
  return { routes, hostPorts: new Map(hostPorts) };
}

function frontOf(webs: readonly ComposeService[]): ComposeService | null {
  const publishing = webs.filter(({ ports }) =>
    ports.some(({ protocol, published }) => protocol === "tcp" && published !== null),
  );
  const usual = publishing.filter(({ ports }) => ports.some(isUsual));
  const [only, second] = usual.length > 0 ? usual : publishing;
  return only !== undefined && second === undefined ? only : null;
}

function isUsual({ published }: ComposePort): boolean {
  return published === "80" || published === "443";
}

/** The edge listens for what the route stands for, and on 80 and 443 in any case (with UDP, for HTTP/3). */
function isForEdge(port: ComposePort, service: ComposeService): boolean {
  return isUsual(port) || (port.protocol === "tcp" && port.target === portOf(service));
}
