import type { DockerTargetSpec, EnvironmentSpec, TargetSpec } from "./spec.ts";

/**
 * Where the product's own services find each other: through the edge, which knows what is live. A container's 127.0.0.1 is itself:
 * it is told the address of the edge's server, or the name of this machine where the edge and the engine are here. Null where
 * neither is known: an edge on this machine, containers on others, and no `edge.address`.
 */
export function edgeUrl({ edge, target }: Pick<EnvironmentSpec, "edge" | "target">): string | null {
  const { host, port } = edge.listen;
  const isAnywhere = host === "0.0.0.0" || host === "::";
  const isLoopback = host === "::1" || host.startsWith("127.");
  const url = (at: string): string => `http://${at.includes(":") ? `[${at}]` : at}:${port}`;
  if (edge.address != null) return url(edge.address);
  if (target.driver === "process" && edge.server === null) return url(isAnywhere ? "127.0.0.1" : host);
  if (!isAnywhere && !isLoopback) return url(host);
  if (edge.server !== null) return url(serverAddress(edge.server, target));
  const { hosts } = target as DockerTargetSpec;
  return hosts.every((each) => each.url.startsWith("unix:")) ? url("host.docker.internal") : null;
}

/** As the containers' hosts know it when it is one of them, else as we do. */
function serverAddress(server: string, target: TargetSpec): string {
  const { hostname } = new URL(server);
  const hosts = target.driver === "docker" ? target.hosts : [];
  return hosts.find(({ url }) => url.startsWith("ssh:") && new URL(url).hostname === hostname)?.address ?? hostname;
}
