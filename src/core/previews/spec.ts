import type { EnvironmentName, ServiceName } from "../ids.ts";
import type { EnvironmentSpec, ServiceSpec } from "../product/spec.ts";
import { ownProject } from "./compose.ts";
import { previewHost, templateOf } from "./name.ts";

/** What a preview is made of: its template, with the name and the host that are its own. The same for the same template and name. */
export function previewSpec(template: EnvironmentSpec, environment: EnvironmentName): EnvironmentSpec {
  const { previews } = template;
  if (previews === undefined) throw new Error(`${template.environment} is no template`);
  const host = previewHost(previews.host, environment);
  const services = Object.entries<ServiceSpec>(template.services).map(
    ([name, service]) =>
      [name, { ...service, routes: service.routes.map((route) => ({ ...route, host })) }] satisfies [
        string,
        ServiceSpec,
      ],
  );
  return ownProject({
    ...template,
    environment,
    services: Object.fromEntries(services) as Record<ServiceName, ServiceSpec>,
  });
}

/** Whether it is made for a branch or pull request, and not what such are made of, nor a place of its own. */
export function isPreview({ environment, previews }: Pick<EnvironmentSpec, "environment" | "previews">): boolean {
  return previews !== undefined && templateOf(environment) !== null;
}

/** Where its secrets are: those of all previews of a template are set once. */
export function secretsPlace(spec: Pick<EnvironmentSpec, "environment" | "previews">): EnvironmentName {
  return (isPreview(spec) ? templateOf(spec.environment) : null) ?? spec.environment;
}

/** Where people find it: its host, at the edge's own port where that is not the scheme's. */
export function previewUrl({ edge }: Pick<EnvironmentSpec, "edge">, host: string): string {
  const listen = edge.tls === null ? edge.listen : edge.tls.listen;
  const [scheme, usual] = edge.tls === null ? ["http", 80] : ["https", 443];
  return `${scheme}://${host}${listen.port === usual ? "" : `:${listen.port}`}/`;
}
