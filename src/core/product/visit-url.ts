import { previewUrl } from "../previews/spec.ts";
import { redirectsToHttps } from "./https.ts";
import type { EnvironmentSpec, ServiceSpec } from "./spec.ts";

/**
 * Where an environment answers a visitor from the machine that asks: at the edge's own listener, or by the name of the first route
 * whose plain HTTP is only sent on to https, before others the one at its root.
 */
export function visitUrl({ edge, services }: Pick<EnvironmentSpec, "edge" | "services">): string {
  const redirected = Object.values<ServiceSpec>(services)
    .flatMap(({ routes }) => routes)
    .filter(({ host }) => edge.tls !== null && host !== null && !host.startsWith("*") && redirectsToHttps(edge, host));
  const front = redirected.find(({ path }) => path === "/") ?? redirected[0];
  if (front !== undefined && front.host !== null) return `${previewUrl({ edge }, front.host)}${front.path.slice(1)}`;
  const { host, port } = edge.listen;
  const isAnywhere = host === "0.0.0.0" || host === "::";
  const at = !isAnywhere ? host : edge.server === null ? "127.0.0.1" : new URL(edge.server).hostname;
  return `http://${at.includes(":") && !at.startsWith("[") ? `[${at}]` : at}:${port}`;
}
