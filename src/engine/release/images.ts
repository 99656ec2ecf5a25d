import { SlipwayError } from "../../core/errors/error.ts";
import type { Digest, ServiceName } from "../../core/ids.ts";
import { splitReference } from "../../core/product/mounts.ts";
import type { DockerTargetSpec, EnvironmentSpec, RegistrySpec } from "../../core/product/spec.ts";
import type { ReleasedImage } from "../../core/release/artifacts.ts";
import type { Secret } from "../../core/secret.ts";
import type { Builder } from "../../ports/builder.ts";
import type { Registry } from "../../ports/registry.ts";
import type { World } from "../world.ts";
import type { ReleaseConfig } from "./read.ts";

/** What makes images and keeps them. */
export type ImageWorks = {
  /** That of the engine that an environment's config names. */
  readonly builder: (target: DockerTargetSpec) => Builder;
  /** Logged in as the config says; null asks as nobody. */
  readonly registry: (spec: RegistrySpec | null) => Registry;
  /** Directory of the image layout in which everything that was built is kept. */
  readonly layout: string;
  /** Forgets in the layout what is not among these. */
  readonly collect: (needed: readonly Digest[]) => Promise<void>;
  /** A secret of the control plane's environment, by the name of its variable. */
  readonly secret: (name: string) => Secret | null;
};

/** An environment in which a service is a container. */
export type ImagePlace = EnvironmentSpec & { readonly target: DockerTargetSpec };

export function imagePlaces({ environments }: ReleaseConfig, service: ServiceName): ImagePlace[] {
  return Object.values<EnvironmentSpec>(environments).filter(
    (spec): spec is ImagePlace => spec.target.driver === "docker" && spec.services[service] !== undefined,
  );
}

/** Some environment runs it as processes. */
export function isPacked({ environments }: ReleaseConfig, service: ServiceName): boolean {
  return Object.values<EnvironmentSpec>(environments).some(
    (spec) => spec.target.driver === "process" && spec.services[service] !== undefined,
  );
}

/** Name → reference of every accessory that some environment runs. One name is one image: environments that differ are refused. */
export function accessoryImages({ environments }: ReleaseConfig): [string, string][] {
  const found = new Map<string, string>();
  for (const { target, accessories } of Object.values<EnvironmentSpec>(environments)) {
    if (target.driver === "process") continue;
    for (const { name, image } of Object.values(accessories)) found.set(name, image);
  }
  return [...found];
}

export function registriesOf({ environments }: ReleaseConfig): RegistrySpec[] {
  const all = Object.values<EnvironmentSpec>(environments).flatMap(({ registry }) =>
    registry === null ? [] : [registry],
  );
  return all.filter((one, index) => all.findIndex(({ repository }) => repository === one.repository) === index);
}

/** What a reference names today: from then on the release names it by its digest. Errors: IMAGE_MISSING, REGISTRY_*. */
export async function findImage(
  world: World,
  reference: string,
  registries: readonly RegistrySpec[],
  signal: AbortSignal,
): Promise<ReleasedImage> {
  const { repository, tag, digest } = splitReference(reference);
  if (digest !== null) return { digest, id: digest, from: repository };
  const found = await world.images
    .registry(registryOf(repository, registries))
    .resolve(repository, tag ?? "latest", signal);
  if (found !== null) return { digest: found, id: found, from: repository };
  throw new SlipwayError("IMAGE_MISSING", { message: `there is no image ${reference}` });
}

/** Of those that the config names, the one of a repository's host. */
export function registryOf(repository: string, registries: readonly RegistrySpec[]): RegistrySpec | null {
  const [host] = repository.split("/");
  return registries.find((one) => one.repository.split("/")[0] === host) ?? null;
}

/** Each service has its own repository below the product's. */
export function repositoryIn(registry: RegistrySpec, service: ServiceName): string {
  return `${registry.repository}/${service}`;
}
