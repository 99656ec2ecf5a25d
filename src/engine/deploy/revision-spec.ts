import { createHash } from "node:crypto";
import { type ReleaseView, revisionOf } from "../../core/deploy/course.ts";
import { SlipwayError } from "../../core/errors/error.ts";
import { type Digest, revisionId, type ServiceName, serviceName } from "../../core/ids.ts";
import { secretsPlace } from "../../core/previews/spec.ts";
import { madeOf } from "../../core/product/accessory-health.ts";
import { canonicalJson } from "../../core/product/canonical.ts";
import { containerDefaults } from "../../core/product/container.ts";
import { edgeUrl } from "../../core/product/edge-url.ts";
import { splitReference } from "../../core/product/mounts.ts";
import type {
  AccessorySpec,
  ComposedSettings,
  ContainerSettings,
  EnvironmentSpec,
  ServiceSpec,
} from "../../core/product/spec.ts";
import { parseSize } from "../../core/product/units.ts";
import { accessoryKey, noArtifacts, type ReleasedImage, type ServiceArtifacts } from "../../core/release/artifacts.ts";
import type { Artifact, ComposedContainer, ContainerSpec, RevisionSpec } from "../../ports/target.ts";
import { flagVariables } from "../flags/flags.ts";
import { withOwnDatabase } from "../previews/database.ts";
import { toldOf } from "../previews/room.ts";
import { repositoryIn } from "../release/images.ts";
import { artifactsOf, type ReleaseFacts, releaseFacts } from "../release/read.ts";
import { valuesOf } from "../secrets/secrets.ts";
import type { World } from "../world.ts";

/** What a target needs to run one service of a release in an environment: all of it from the release, nothing from today. */
export async function revisionSpec(world: World, view: ReleaseView, name: ServiceName): Promise<RevisionSpec> {
  const service = view.spec.services[name];
  const row = await releaseFacts(world.store.db, view.id);
  const artifacts = artifactsOf(row)[name];
  if (service === undefined || artifacts === undefined) {
    throw new SlipwayError("UNKNOWN_SERVICE", { message: `release r${row.number} has no service ${name}` });
  }
  const artifact = artifactFor(world, view.spec, { row, name, artifacts });
  const isImage = artifact.kind === "image";
  const edge = edgeUrl(view.spec);
  return {
    id: revisionOf(view, name),
    product: view.spec.product,
    environment: view.spec.environment,
    service: name,
    release: view.id,
    configDigest: configDigest(service),
    mode: service.kind === "job" ? "job" : "service",
    artifact,
    container: isImage ? containerOf(world, view.spec, service) : null,
    command: service.kind === "static" ? (isImage ? [] : world.staticCommand(service.fallbackFile)) : service.command,
    env: {
      ...opened(world, service.env),
      ...withOwnDatabase(view.spec, await valuesOf(world, secretsAt(view.spec), service)),
      SLIPWAY_VERSION: row.version,
      SLIPWAY_COMMIT: row.commit_hash,
      ...toldOf(world, view.spec),
      ...(edge === null ? {} : { SLIPWAY_EDGE_URL: edge }),
      ...flagVariables(world, view.spec),
    },
    listens: service.kind === "web" || service.kind === "static",
    stopGraceMs: service.stopGraceMs,
    memoryBytes: service.resources.memoryBytes,
    cpus: service.resources.cpus,
  };
}

/** The same for something that is not released: its identity is its config, so a changed one is another. */
export async function accessorySpec(world: World, view: ReleaseView, accessory: AccessorySpec): Promise<RevisionSpec> {
  const { product, environment } = view.spec;
  const row = await releaseFacts(world.store.db, view.id);
  const image = artifactsOf(row)[accessoryKey(accessory.name)]?.image ?? null;
  if (image === null && accessory.composed === undefined) throw notMade(row, accessory.name);
  const digest = digestOf({ ...madeOf(accessory), image: image?.digest ?? accessory.image });
  const identity = digestOf([product, environment, accessory.name, digest]).slice(
    "sha256:".length,
    "sha256:".length + 12,
  );
  return {
    id: revisionId(`acc_${identity}`),
    product,
    environment,
    service: serviceName(accessory.name),
    release: view.id,
    configDigest: digest,
    mode: "accessory",
    artifact: image === null ? notFound(accessory) : { ...imageArtifact, ...image, repository: image.from },
    container: {
      ...(accessory.container ?? plainContainer),
      ...composedOf(world, view.spec, accessory.composed),
      rootUser: "allow",
      volumes: accessory.volumes,
      hostPorts: accessory.hostPorts,
      port: accessory.port,
    },
    command: accessory.command,
    env: {
      ...opened(world, accessory.env),
      ...withOwnDatabase(view.spec, await valuesOf(world, secretsAt(view.spec), accessory)),
    },
    listens: accessory.port !== null,
    stopGraceMs: accessory.stopGraceMs,
    memoryBytes: accessory.resources.memoryBytes,
    cpus: accessory.resources.cpus,
  };
}

const secretsAt = (spec: EnvironmentSpec) => ({ product: spec.product, environment: secretsPlace(spec) });

/** A resolved service never changes, and every look at what should run asks for its digest. */
export function configDigest(service: ServiceSpec): Digest {
  const known = digests.get(service);
  if (known !== undefined) return known;
  const digest = digestOf(service);
  digests.set(service, digest);
  return digest;
}

const digests = new WeakMap<ServiceSpec, Digest>();

function digestOf(value: unknown): Digest {
  return `sha256:${createHash("sha256")
    .update(canonicalJson(value as never))
    .digest("hex")}`;
}

const imageArtifact = { kind: "image", layout: null } as const;

/** Of an accessory that docker compose has made, so that nobody needs its image; whoever does is told that it is missing. */
function notFound({ image }: AccessorySpec): Artifact {
  const { repository } = splitReference(image);
  const digest: Digest = `sha256:${"0".repeat(64)}`;
  return { ...imageArtifact, digest, id: digest, repository };
}

type Made = { readonly row: ReleaseFacts; readonly name: ServiceName; readonly artifacts: ServiceArtifacts };

/** The one that the environment's target runs. */
function artifactFor(world: World, spec: EnvironmentSpec, { row, name, artifacts = noArtifacts }: Made): Artifact {
  const { directory, image } = artifacts;
  if (spec.target.driver === "process") {
    if (directory === null) throw notMade(row, name);
    return { kind: "directory", digest: directory, file: world.artifacts.file(directory) };
  }
  if (image === null) throw notMade(row, name);
  const { digest, id } = image;
  return { kind: "image", digest, id, repository: repositoryOf(spec, name, image), layout: layoutOf(world, image) };
}

function repositoryOf({ registry }: EnvironmentSpec, name: ServiceName, { from }: ReleasedImage): string | null {
  return from ?? (registry === null ? null : repositoryIn(registry, name));
}

function layoutOf(world: World, { from }: ReleasedImage): string | null {
  return from === null ? world.images.layout : null;
}

function notMade({ number }: ReleaseFacts, name: string): SlipwayError {
  return new SlipwayError("ARTIFACT_MISSING", {
    message: `r${number} was made before ${name} ran here like this, and has nothing of it that can`,
  });
}

const plainContainer: Omit<ContainerSpec, "volumes" | "hostPorts" | "port"> = {
  readOnlyRoot: containerDefaults.readOnlyRoot,
  dropCapabilities: [],
  addCapabilities: [],
  user: null,
  init: containerDefaults.init,
  logs: { maxBytes: parseSize(containerDefaults.logSize) ?? 0, keep: containerDefaults.logKeep },
  // What a team did not write itself begins as root more often than not, and drops that by itself.
  rootUser: "allow",
};

function containerOf(world: World, spec: EnvironmentSpec, { kind, container, composed }: ServiceSpec): ContainerSpec {
  const settings: ContainerSettings = container;
  return {
    ...settings,
    port: kind === "web" || kind === "static" ? settings.port : null,
    ...composedOf(world, spec, composed),
  };
}

function composedOf(
  { sealed }: World,
  { compose }: EnvironmentSpec,
  composed: ComposedSettings | undefined,
): { readonly composed?: ComposedContainer } {
  if (composed === undefined || compose === undefined) return {};
  const { entrypoint, command, healthcheck, files } = composed;
  return {
    composed: {
      ...composed,
      project: compose.project,
      entrypoint: entrypoint?.map(sealed.open) ?? null,
      command: command?.map(sealed.open) ?? null,
      healthcheck: healthcheck === null ? null : { ...healthcheck, test: healthcheck.test.map(sealed.open) },
      files: files.map((file) => ({ ...file, text: sealed.open(file.text) })),
    },
  };
}

function opened({ sealed }: World, env: Readonly<Record<string, string>>): RevisionSpec["env"] {
  return Object.fromEntries(Object.entries(env).map(([name, value]) => [name, sealed.open(value)]));
}
