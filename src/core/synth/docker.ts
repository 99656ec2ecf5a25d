import { generateDockerfile } from "../build/dockerfile/generate.ts";
import { generatedIgnore, officialBases, type Recipe } from "../build/dockerfile/recipe.ts";
import type { ServiceSpec } from "../product/spec.ts";
import { type SynthFile, textFile } from "./artifact.ts";
import type { SynthProduct } from "./product.ts";

/** A service for which nothing can be made, and why. */
export type NotMade = { readonly service: string; readonly why: string; readonly hint: string };

/** The Dockerfile that Slipway's builder makes, for each service that is built and has none of a person's. */
export function dockerFiles(product: SynthProduct): readonly SynthFile[] {
  const ignored = new Set<string>();
  return built(product).flatMap((service) => {
    const recipe = recipeOf(service, product);
    if (recipe.is === "refused") return [];
    const at = (name: string): string => (service.path === "." ? name : `${service.path}/${name}`);
    const ours = (name: string, text: string): SynthFile => textFile({ artifact: "docker", path: at(name), text });
    const isFirst = !ignored.has(service.path);
    ignored.add(service.path);
    return [
      ours(dockerfileOf(service, product), recipe.dockerfile),
      ...Object.entries(recipe.files).map(([name, text]) => ours(name, text)),
      ...(isFirst && product.services[service.name]?.ignore !== true ? [ours(".dockerignore", generatedIgnore)] : []),
    ];
  });
}

export function notMade(product: SynthProduct): readonly NotMade[] {
  return built(product).flatMap((service) => {
    const recipe = recipeOf(service, product);
    return recipe.is === "refused" ? [{ service: String(service.name), why: recipe.why, hint: recipe.hint }] : [];
  });
}

/** Its name in the service's path: a person's, or ours, which says whose it is where services share a path. */
export function dockerfileOf({ name, path }: ServiceSpec, product: SynthProduct): string {
  const written = product.services[name]?.dockerfile ?? null;
  if (written !== null) return written;
  const beside = Object.values(product.environment.services).filter((other) => other.path === path && isBuilt(other));
  return beside.length > 1 ? `${name}.Dockerfile` : "Dockerfile";
}

const isBuilt = ({ image, composed }: ServiceSpec): boolean => image.from === null && composed === undefined;

const built = (product: SynthProduct): readonly ServiceSpec[] =>
  Object.values(product.environment.services).filter(
    (service) => isBuilt(service) && (product.services[service.name]?.dockerfile ?? null) === null,
  );

/** As the builder asks for it. Without mounts for caches, so that an engine without BuildKit can build it too. */
function recipeOf(service: ServiceSpec, { services }: SynthProduct): Recipe {
  const { kind, command, container, health, build, fallbackFile } = service;
  const listens = kind === "web" || kind === "static";
  return generateDockerfile(services[service.name]?.found ?? { paths: new Set(), text: () => null }, {
    command,
    port: listens ? container.port : null,
    healthPath: kind === "web" ? health.path : null,
    site: kind === "static" ? { directory: build?.output ?? ".", fallback: fallbackFile } : null,
    bases: officialBases,
    cacheMounts: false,
  });
}
