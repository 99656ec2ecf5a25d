import { isPreview, previewUrl } from "../previews/spec.ts";
import type { EnvironmentSpec, ServiceSpec } from "../product/spec.ts";

/**
 * Where people find an environment: the page of its first service with a host, before others the one at its root. Null where the config does not
 * tell: no service has a host, or something else than our edge is what people meet (no TLS, and not the port of the web).
 */
export function environmentUrl(
  spec: Pick<EnvironmentSpec, "edge" | "environment" | "previews" | "services">,
): string | null {
  const { edge, services } = spec;
  const routes = Object.values<ServiceSpec>(services)
    .flatMap((service) => service.routes)
    .filter(({ host }) => host !== null);
  const front = routes.find(({ path }) => path === "/") ?? routes[0];
  if (front === undefined || front.host === null) return null;
  const isMet = edge.tls !== null || edge.listen.port === 80 || isPreview(spec);
  return isMet ? `${previewUrl({ edge }, front.host)}${front.path.slice(1)}` : null;
}
