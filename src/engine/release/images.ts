import { existsSync } from "node:fs";
import { join } from "node:path";
import { imageLabels } from "../../core/build/labels.ts";
import { imageTags } from "../../core/build/tags.ts";
import { SlipwayError } from "../../core/errors/error.ts";
import type { Digest, ServiceName } from "../../core/ids.ts";
import { splitReference } from "../../core/product/mounts.ts";
import type { DockerTargetSpec, EnvironmentSpec, RegistrySpec, ServiceSpec } from "../../core/product/spec.ts";
import type { ReleasedImage } from "../../core/release/artifacts.ts";
import type { Commit } from "../../core/release/commit.ts";
import type { Secret } from "../../core/secret.ts";
import type { Builder, BuildSpec } from "../../ports/builder.ts";
import type { Registry } from "../../ports/registry.ts";
import type { World } from "../world.ts";
import { BuildLog, type Workspace } from "./build-log.ts";
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

type Making = {
  readonly workspace: Workspace;
  /** Of the product's directory in the checkout. */
  readonly prefix: string;
  readonly service: ServiceSpec;
  readonly commit: Commit & { readonly branch: string | null; readonly dirty: boolean };
  readonly places: readonly ImagePlace[];
};

/**
 * Builds a service's image, keeps it in the layout, and pushes it to every registry of its environments; or finds the one that is
 * there already. May be repeated: what is unchanged comes from the cache, and only what is missing is pushed.
 */
export async function makeImage(world: World, making: Making, signal: AbortSignal): Promise<ReleasedImage> {
  const { service, commit, places } = making;
  const registries = registriesOf({
    product: "",
    environments: Object.fromEntries(places.map((each) => [each.environment, each])),
  });
  if (service.image.from !== null) return findImage(world, service.image.from, registries, signal);
  const [first] = places;
  if (first === undefined) throw new Error(`${service.name} is a container nowhere`);
  const log = new BuildLog(making.workspace, service.name);
  const { image } = await world.images
    .builder(first.target)
    .build(buildSpec(world, first.product, making), (line) => log.write(line), signal)
    .finally(() => log.close());
  const tags = imageTags({
    commit: commit.hash,
    dirty: commit.dirty,
    branch: commit.branch,
    nightlyAt: null,
    release: null,
    latest: false,
  });
  for (const registry of registries) {
    const pushed = { layout: world.images.layout, digest: image.digest };
    await world.images.registry(registry).push(pushed, repositoryIn(registry, service.name), tags, () => {}, signal);
  }
  return { digest: image.digest, id: image.id, from: null };
}

/** Where a service says nothing, the one that is there is taken before one is made. */
const usualDockerfile = "Dockerfile";

function buildSpec(world: World, product: string, { workspace, prefix, service, commit }: Making): BuildSpec {
  const { image } = service;
  const listens = service.kind === "web" || service.kind === "static";
  const context = join(workspace.source, prefix, service.path);
  return {
    product,
    service: service.name,
    context,
    checkout: workspace.source,
    dockerfile: image.dockerfile ?? (existsSync(join(context, usualDockerfile)) ? usualDockerfile : null),
    site:
      service.kind === "static" ? { directory: service.build?.output ?? ".", fallback: service.fallbackFile } : null,
    stage: image.stage,
    args: Object.fromEntries(Object.entries(image.args).map(([name, value]) => [name, revealed(world, value)])),
    secrets: Object.fromEntries(image.secrets.map((name) => [name, secretOf(world, service.name, name)])),
    platforms: image.platforms,
    labels: imageLabels({
      title: `${product}/${service.name}`,
      revision: commit.hash,
      version: null,
      committedAt: commit.at,
      remote: null,
    }),
    command: service.command,
    port: listens ? service.container.port : null,
    healthPath: service.kind === "web" ? service.health.path : null,
    timeoutMs: image.timeoutMs,
  };
}

/** A build argument that comes from what is not in git; the engine shows it in the image's history, as it does for Compose. */
function revealed({ sealed }: World, text: string): string {
  const opened = sealed.open(text);
  return typeof opened === "string" ? opened : opened.reveal();
}

function secretOf(world: World, service: ServiceName, name: string): Secret {
  const secret = world.images.secret(name);
  if (secret !== null) return secret;
  throw new SlipwayError("BUILD_FAILED", {
    message: `the image of ${service} needs the secret ${name}, which the control plane's environment does not have`,
    hint: `set ${name}, then: slipway down && slipway up`,
  });
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
  const [host] = repository.split("/");
  const known = registries.find((one) => one.repository.split("/")[0] === host) ?? null;
  const found = await world.images.registry(known).resolve(repository, tag ?? "latest", signal);
  if (found !== null) return { digest: found, id: found, from: repository };
  throw new SlipwayError("IMAGE_MISSING", { message: `there is no image ${reference}` });
}

/** Each service has its own repository below the product's. */
export function repositoryIn(registry: RegistrySpec, service: ServiceName): string {
  return `${registry.repository}/${service}`;
}
