import type { RouteSpec } from "../spec.ts";
import { error, type Finding, type Place } from "./finding.ts";

/** No two services of an environment answer the same host and path. */
export function checkRoutes({ merged, spec, where }: Place): readonly Finding[] {
  const taken = new Map<string, string>();
  return Object.values(spec.services).flatMap((service) =>
    service.routes.flatMap((route) => {
      const key = `${route.host ?? "*"} ${route.path}`;
      const other = taken.get(key);
      if (other === undefined) {
        taken.set(key, service.name);
        return [];
      }
      const kinds = [other, service.name].map((name) => ["services", name, "kind"]);
      const because = [where(["services", other, "routes"]), ...kinds];
      const at = where(["services", service.name, "routes"]);
      if (other === service.name) return [error(at, `${routeText(route)} is there twice`)];
      if (merged.services[service.name]!.routes !== undefined)
        return [
          error(at, `${routeText(route)} is already answered by ${other}; give one of them another route`, { because }),
        ];
      const example = `give it one, such as "/${service.name}", or [] to keep it private`;
      return [
        error(at, `without a route it would take ${routeText(route)}, as ${other} does; ${example}`, { because }),
      ];
    }),
  );
}

export function routeText({ host, path }: Pick<RouteSpec, "host" | "path">): string {
  return host === null ? `${path} of every host` : `${host}${path === "/" ? "" : path}`;
}
