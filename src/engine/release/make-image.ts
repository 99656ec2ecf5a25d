import { existsSync } from "node:fs";
import { join } from "node:path";
import { imageLabels } from "../../core/build/labels.ts";
import { imageTags } from "../../core/build/tags.ts";
import { SlipwayError } from "../../core/errors/error.ts";
import type { EpochMs, RunId, ServiceName } from "../../core/ids.ts";
import { canonicalJson } from "../../core/product/canonical.ts";
import type { ServiceSpec } from "../../core/product/spec.ts";
import type { ReleasedImage } from "../../core/release/artifacts.ts";
import type { Commit } from "../../core/release/commit.ts";
import type { Secret } from "../../core/secret.ts";
import type { Builder, BuildSpec, BuiltImage } from "../../ports/builder.ts";
import type { RegistryProgress } from "../../ports/registry.ts";
import type { Origin } from "../../ports/source.ts";
import type { World } from "../world.ts";
import { BuildLog, type Workspace } from "./build-log.ts";
import { servicesOf } from "./config.ts";
import { userInLayout, userInRegistry, withUser } from "./image-user.ts";
import { findImage, type ImagePlace, imagePlaces, registriesOf, repositoryIn } from "./images.ts";
import type { ReleaseConfig } from "./read.ts";

type Making = {
  readonly workspace: Workspace;
  /** Of the product's directory in the checkout. */
  readonly prefix: string;
  readonly config: ReleaseConfig;
  readonly service: ServiceSpec;
  readonly repository: string;
  readonly run: RunId;
  readonly commit: Commit & {
    readonly branch: string | null;
    readonly dirty: boolean;
    /** When a schedule had it made. */
    readonly nightlyAt: EpochMs | null;
  };
  /** Of this release's services so far. */
  readonly made: ReadonlyMap<ServiceName, ReleasedImage>;
};

/**
 * Builds a service's image, keeps it in the layout, and pushes it to every registry of its environments; or finds the one that is
 * there already: also that of another service of the release that is made of the same. May be repeated: what is unchanged comes from
 * the cache, and only what is missing is pushed.
 */
export async function makeImage(world: World, making: Making, signal: AbortSignal): Promise<ReleasedImage> {
  const { config, service, commit, repository } = making;
  const places = imagePlaces(config, service.name);
  const registries = registriesOf({
    product: "",
    environments: Object.fromEntries(places.map((each) => [each.environment, each])),
  });
  if (service.image.from !== null) {
    const found = await findImage(world, service.image.from, registries, signal);
    return withUser(found, await userInRegistry(world, found, registries, signal));
  }
  const origin = await world.source.origin(repository);
  const image = await builtImage(world, { ...making, origin }, signal);
  const { hash, dirty, branch, nightlyAt } = commit;
  const latest = !dirty && isDefault(branch, origin);
  const tags = imageTags({ commit: hash, dirty, branch, nightlyAt, release: null, latest });
  for (const registry of registries) {
    const pushed = { layout: world.images.layout, digest: image.digest };
    const to = repositoryIn(registry, service.name);
    const transfer = { image: image.digest, to, run: making.run };
    const onProgress = (progress: RegistryProgress) => world.transfers.moved(transfer, progress);
    try {
      await world.images.registry(registry).push(pushed, to, tags, onProgress, signal);
    } finally {
      world.transfers.ended(transfer);
    }
  }
  return image;
}

/** A repository that was not cloned knows no default branch: then what is called so is it. */
function isDefault(branch: string | null, { defaultBranch }: Origin): boolean {
  return branch !== null && (defaultBranch === null ? ["main", "master"].includes(branch) : branch === defaultBranch);
}

async function builtImage(
  world: World,
  making: Making & { readonly origin: Origin },
  signal: AbortSignal,
): Promise<ReleasedImage> {
  const { config, service, made, workspace } = making;
  const build = buildOf(world, making, service);
  if (build === null) throw new Error(`${service.name} is a container nowhere`);
  const log = new BuildLog(workspace, service.name);
  try {
    const alike = servicesOf(config).filter((other) => {
      const theirs = buildOf(world, making, other);
      return theirs !== null && theirs.builder === build.builder && contentOf(theirs) === contentOf(build);
    });
    const first = alike.find(({ name }) => made.has(name));
    const known = first === undefined ? undefined : made.get(first.name);
    if (known !== undefined) {
      log.write(`the image of ${first?.name}: same directory, Dockerfile, stage and arguments`);
      return known;
    }
    const title = alike.length > 1 ? build.spec.product : `${build.spec.product}/${service.name}`;
    const spec = {
      ...build.spec,
      secrets: secretsOf(world, service.name, build.secrets),
      labels: labelsOf(making.commit, title, making.origin),
    };
    const { image } = await build.builder.build(spec, (line) => log.write(line), signal);
    const { digest, id, layout } = image;
    return withUser({ digest, id, from: null }, layout === null ? null : await userInLayout(layout, digest));
  } finally {
    await log.close();
  }
}

/**
 * Asks the builders, before the first image is built, whether they can make those that want something particular of them: the last
 * one's platform is not refused when the others are built. Changes nothing. Errors: those of `Builder.check`.
 */
export async function checkImages(
  world: World,
  { source, prefix, config }: { readonly source: string; readonly prefix: string; readonly config: ReleaseConfig },
  signal: AbortSignal,
): Promise<void> {
  for (const service of servicesOf(config)) {
    const [place] = imagePlaces(config, service.name);
    const { from, platforms, secrets: names } = service.image;
    if (place === undefined || from !== null || platforms.length + names.length === 0) continue;
    const { builder, spec, secrets } = buildAt(world, { source, prefix, place }, service);
    await builder.check({ ...spec, secrets: secretsOf(world, service.name, secrets), labels: {} }, signal);
  }
}

/** A service's image as a step of a pipeline makes it. */
export type StepImage = {
  readonly service: ServiceSpec;
  readonly place: ImageMaker;
  /** Of the product's directory in a checkout. */
  readonly prefix: string;
};

/** Null for a service whose image is not built: in no environment a container, or one whose image is there. */
export function stepImage(config: ReleaseConfig, service: string | null, prefix: string): StepImage | null {
  const spec = servicesOf(config).find(({ name }) => name === service);
  const [place] = spec === undefined ? [] : imagePlaces(config, spec.name);
  if (spec === undefined || place === undefined || spec.image.from !== null) return null;
  return { service: spec, place: { product: place.product, target: place.target }, prefix };
}

/** Makes it of a clean checkout and keeps it, but pushes it nowhere. What is unchanged comes from the cache, here and for the release. */
export async function makeStepImage(
  world: World,
  { service, place, prefix }: StepImage,
  of: { readonly source: string; readonly repository: string; readonly commit: Commit; readonly timeoutMs: number },
  onLine: (line: string) => void,
  signal: AbortSignal,
): Promise<BuiltImage> {
  const { builder, spec, secrets } = buildAt(world, { source: of.source, prefix, place }, service);
  const title = `${spec.product}/${service.name}`;
  const whole = {
    ...spec,
    timeoutMs: of.timeoutMs,
    secrets: secretsOf(world, service.name, secrets),
    labels: labelsOf(of.commit, title, await world.source.origin(of.repository)),
  };
  return builder.build(whole, onLine, signal);
}

type ImageMaker = Pick<ImagePlace, "product" | "target">;

type Build = {
  readonly builder: Builder;
  readonly spec: Omit<BuildSpec, "labels" | "secrets">;
  /** Names of variables. */
  readonly secrets: readonly string[];
};

/** Null for a service whose image is not built. */
function buildOf(world: World, { workspace, prefix, config }: Making, service: ServiceSpec): Build | null {
  const [place] = imagePlaces(config, service.name);
  if (place === undefined || service.image.from !== null) return null;
  return buildAt(world, { source: workspace.source, prefix, place }, service);
}

function buildAt(
  world: World,
  { source, prefix, place }: { readonly source: string; readonly prefix: string; readonly place: ImageMaker },
  service: ServiceSpec,
): Build {
  const { image } = service;
  const listens = service.kind === "web" || service.kind === "static";
  const context = join(source, prefix, service.path);
  const spec = {
    product: place.product,
    service: service.name,
    context,
    checkout: source,
    dockerfile: image.dockerfile ?? (existsSync(join(context, usualDockerfile)) ? usualDockerfile : null),
    site:
      service.kind === "static" ? { directory: service.build?.output ?? ".", fallback: service.fallbackFile } : null,
    stage: image.stage,
    args: Object.fromEntries(Object.entries(image.args).map(([name, value]) => [name, revealed(world, value)])),
    platforms: image.platforms,
    command: service.command,
    port: listens ? service.container.port : null,
    healthPath: service.kind === "web" ? service.health.path : null,
    timeoutMs: image.timeoutMs,
  };
  return { builder: world.images.builder(place.target), spec, secrets: image.secrets };
}

/** Where a service says nothing, the one that is there is taken before one is made. */
const usualDockerfile = "Dockerfile";

/** All that decides what is in the image: a Dockerfile that is there knows nothing of how the service is started and asked. */
function contentOf({ spec, secrets }: Build): string {
  const { context, dockerfile, stage, args, platforms, site, command, port, healthPath } = spec;
  const generated = dockerfile === null ? { site, command, port, healthPath } : {};
  return canonicalJson({ context, dockerfile, stage, args, secrets: [...secrets].sort(), platforms, generated });
}

/** Without a version: one image may be many releases. */
function labelsOf(commit: Commit, title: string, { url }: Origin): BuildSpec["labels"] {
  return imageLabels({ title, revision: commit.hash, version: null, committedAt: commit.at, remote: url });
}

/** A build argument that comes from what is not in git; the engine shows it in the image's history, as it does for Compose. */
function revealed({ sealed }: World, text: string): string {
  const opened = sealed.open(text);
  return typeof opened === "string" ? opened : opened.reveal();
}

function secretsOf(world: World, service: ServiceName, names: readonly string[]): BuildSpec["secrets"] {
  return Object.fromEntries(names.map((name) => [name, secretOf(world, service, name)]));
}

function secretOf(world: World, service: ServiceName, name: string): Secret {
  const secret = world.images.secret(name);
  if (secret !== null) return secret;
  throw new SlipwayError("BUILD_FAILED", {
    message: `the image of ${service} needs the secret ${name}, which the control plane's environment does not have`,
    hint: `set ${name}, then: slipway down && slipway up`,
  });
}
