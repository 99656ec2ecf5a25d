import { covers } from "../../core/product/https.ts";
import type { EdgeSpec, EnvironmentSpec, ServiceSpec, TlsSpec } from "../../core/product/spec.ts";
import type { EdgeConfig, Listener, TlsConfig } from "../../ports/edge.ts";
import type { EnvironmentTraffic } from "./table.ts";

/** What an edge listens on for all its environments. Pure, so the same truth always gives the same config. */
export function edgeConfig(
  environments: readonly EnvironmentTraffic[],
  base: Omit<EdgeConfig, "listeners" | "trustedProxies">,
): EdgeConfig {
  const listeners = new Map<string, Listener>();
  for (const spec of environments.flatMap(({ spec, kept }) => (kept === null ? [spec] : [spec, kept]))) {
    for (const listener of listenersOf(spec)) {
      listeners.set(listener.name, joined(listeners.get(listener.name), listener));
    }
  }
  return {
    ...base,
    listeners: [...listeners.values()].sort((a, b) => a.name.localeCompare(b.name)),
    trustedProxies: [...new Set(environments.flatMap(({ spec }) => spec.edge.trustedProxies))].sort(),
  };
}

/** Where an environment's requests come in: by plain HTTP, and by TLS where it has that. */
export function listenersOf(spec: EnvironmentSpec): readonly Listener[] {
  const { listen, tls } = spec.edge;
  const plain: Listener = { name: listenerName(listen), ...listen, tls: null };
  if (tls === null) return [plain];
  const certificates = tls.certificates.map(({ cert, key, hosts }) => ({ hosts, certFile: cert, keyFile: key }));
  const config: TlsConfig = { certificates, acme: acmeOf(spec, tls), http2: tls.http2 };
  return [plain, { name: listenerName(tls.listen), ...tls.listen, tls: config }];
}

/** For every name that a route has and no certificate of a file covers. */
function acmeOf(spec: EnvironmentSpec, { acme, certificates }: TlsSpec): TlsConfig["acme"] {
  if (acme === null) return null;
  const covered = certificates.flatMap(({ hosts }) => hosts);
  const named = Object.values<ServiceSpec>(spec.services)
    .flatMap(({ routes }) => routes.flatMap(({ host }) => hostsOf(spec, host)))
    .filter((host) => host !== null && !covers(covered, host));
  const hosts = [...new Set(named.filter((host) => host !== null))].sort();
  if (hosts.length === 0) return null;
  return { hosts, email: acme.email, directoryUrl: acme.directory, caFile: acme.ca };
}

/** One address that two environments share speaks TLS for both. */
function joined(one: Listener | undefined, other: Listener): Listener {
  if (one === undefined || one.tls === null || other.tls === null) return one?.tls === null ? other : (one ?? other);
  const acme = [one.tls.acme, other.tls.acme].filter((each) => each !== null);
  const [first] = acme;
  return {
    ...one,
    tls: {
      certificates: [...one.tls.certificates, ...other.tls.certificates],
      acme: first === undefined ? null : { ...first, hosts: [...new Set(acme.flatMap(({ hosts }) => hosts))].sort() },
      http2: one.tls.http2 && other.tls.http2,
    },
  };
}

/** The www name must reach the edge's policy too, to be sent on to the name without it; unless a route names it itself. */
export function hostsOf({ edge, services }: EnvironmentSpec, host: string | null): readonly (string | null)[] {
  if (!edge.redirectWww || host === null || host.startsWith("www.")) return [host];
  const named = Object.values<ServiceSpec>(services).some(({ routes }) =>
    routes.some((route) => route.host === `www.${host}`),
  );
  return named ? [host] : [host, `www.${host}`];
}

function listenerName(listen: EdgeSpec["listen"]): string {
  return `${listen.host}:${listen.port}`;
}
