import { instanceId } from "../../../core/ids.ts";
import type { VolumeSpec } from "../../../core/product/spec.ts";
import { Secret } from "../../../core/secret.ts";
import type { ContainerConfig } from "../../../lib/docker/containers.ts";
import { type ContainerExtras, extrasConfig, extrasHost } from "../../../lib/docker/extras.ts";
import type { ComposedContainer, ContainerSpec, RevisionSpec } from "../../../ports/target.ts";
import { environmentPrefix, type Identity, labelsOf } from "./labels.ts";

/** Where the instance is told to listen when neither its spec nor its image says a port. */
export const defaultPort = 8080;

const bareContainer: ContainerSpec = {
  volumes: [],
  hostPorts: [],
  port: null,
  readOnlyRoot: false,
  dropCapabilities: [],
  addCapabilities: [],
  user: null,
  init: true,
  logs: { maxBytes: 10_000_000, keep: 3 },
  rootUser: "warn",
};

export function containerOf(spec: RevisionSpec): ContainerSpec {
  return spec.container ?? bareContainer;
}

/**
 * The engine's memory of whether somebody wants an instance to run: `always` while it is wanted, `no` after it was stopped on request.
 * `unless-stopped` looks made for it and is not: an engine that was killed leaves such containers down when it
 * comes back (seen with 20.10.24), because it takes its own clean-up for a person's stop.
 */
export const wantedPolicy = "always";

export type Place = {
  readonly index: number;
  readonly network: string;
  /** Where its port is published on the host; null when it does not listen. */
  readonly published: { readonly host: string; readonly hostPort: number; readonly port: number } | null;
  /** Name → address: accessories that run on another host. */
  readonly elsewhere: Readonly<Record<string, string>>;
};

export const plainText = (text: string | Secret): string => (typeof text === "string" ? text : text.reveal());
const plain = (texts: readonly (string | Secret)[]): readonly string[] => texts.map(plainText);

/** What it is called in the networks in which others look for it. */
export function aliasesOf(spec: RevisionSpec): readonly string[] {
  const composed = containerOf(spec).composed;
  if (composed !== undefined) return [...new Set([spec.service, ...composed.aliases])];
  return spec.mode === "accessory" ? [spec.service] : [];
}

/**
 * One instance in the engine's words. Secrets are revealed here, on their way to the container: the engine keeps a container's
 * environment in clear, in its state directory (0700, root) and in `docker inspect`, as everybody who runs containers has it. A
 * file on a tmpfs was the other way, and needs a program in every image that reads it: who may read the engine's
 * socket may read that as well. They are in no argument, label, image or log.
 */
export function containerConfig(spec: RevisionSpec, imageId: string, place: Place): ContainerConfig {
  const container = containerOf(spec);
  const { index, published } = place;
  const { composed } = container;
  const command = composed?.command == null ? spec.command : plain(composed.command);
  return {
    Image: imageId,
    // The image's ENTRYPOINT stays: images of databases prepare themselves there.
    ...((command.length > 0 || composed?.command != null) && { Cmd: command }),
    ...(composed !== undefined && extrasConfig(extrasOf(composed))),
    Env: Object.entries(environmentOf(spec, place)).map(([name, value]) => `${name}=${value}`),
    Labels: labelsOf(identityOfPlace(spec, place)),
    ...(container.user !== null && { User: container.user }),
    Hostname: `${spec.service}-${index}`.slice(0, 63),
    StopTimeout: Math.ceil(spec.stopGraceMs / 1000),
    ExposedPorts: Object.fromEntries(portsOf(container, published).map(({ port }) => [`${port}/tcp`, {}])),
    HostConfig: {
      NetworkMode: place.network,
      PortBindings: bindings(container, published),
      RestartPolicy: { Name: spec.mode === "job" ? "no" : wantedPolicy },
      // Without swap: what passes its limit is ended, instead of making the whole host slow.
      ...(spec.memoryBytes !== null && { Memory: spec.memoryBytes, MemorySwap: spec.memoryBytes }),
      ...(spec.cpus !== null && { NanoCpus: Math.round(spec.cpus * 1e9) }),
      LogConfig: {
        Type: "json-file",
        Config: { "max-size": `${container.logs.maxBytes}`, "max-file": `${container.logs.keep}` },
      },
      ReadonlyRootfs: container.readOnlyRoot,
      ...(container.readOnlyRoot && { Tmpfs: { "/tmp": "rw,nosuid,nodev,mode=1777" } }),
      CapDrop: container.dropCapabilities,
      CapAdd: container.addCapabilities,
      Init: container.init,
      ExtraHosts: [
        ...Object.entries(place.elsewhere).map(([name, address]) => `${name}:${address}`),
        ...(composed?.extraHosts ?? []),
      ],
      ...(composed !== undefined && extrasHost(extrasOf(composed), container)),
      Mounts: container.volumes.map(({ source, path, readOnly, composed }) => ({
        Type: isHostPath(source) ? "bind" : "volume",
        Source: isHostPath(source) ? source : volumeName(spec, source, composed),
        Target: path,
        ReadOnly: readOnly,
      })),
    },
    NetworkingConfig: {
      EndpointsConfig: { [place.network]: { Aliases: aliasesOf(spec) } },
    },
  };
}

/** Its secrets revealed. */
function extrasOf(composed: ComposedContainer): ContainerExtras {
  const { entrypoint, healthcheck } = composed;
  return {
    ...composed,
    entrypoint: entrypoint === null ? null : plain(entrypoint),
    healthcheck: healthcheck === null ? null : { ...healthcheck, test: plain(healthcheck.test) },
  };
}

export function identityOfPlace(
  spec: RevisionSpec,
  { index, published }: Pick<Place, "index" | "published">,
): Identity {
  return {
    product: spec.product,
    environment: spec.environment,
    service: spec.service,
    release: spec.release,
    revision: spec.id,
    index,
    configDigest: spec.configDigest,
    mode: spec.mode,
    address: published === null ? null : hostPort(published.host, published.hostPort),
    stopGraceMs: spec.stopGraceMs,
  };
}

/** Volumes with a name, which outlive the revision; the others are directories of the host. */
export function namedVolumes(spec: RevisionSpec): readonly string[] {
  return volumesOf(spec).map(({ name }) => name);
}

/** The same, with the key of those of a Compose project: null where it must be there. */
export function volumesOf(spec: RevisionSpec): readonly { readonly name: string; readonly key?: string | null }[] {
  return containerOf(spec)
    .volumes.filter(({ source }) => !isHostPath(source))
    .map(({ source, composed }) => ({
      name: volumeName(spec, source, composed),
      ...(composed !== undefined && { key: composed.key }),
    }));
}

export function hostPort(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** What it says itself wins over the defaults; who it is cannot be overridden. */
function environmentOf(spec: RevisionSpec, { index, published }: Place): Record<string, string> {
  const own = Object.entries(spec.env).map(([name, value]) => [name, value instanceof Secret ? value.reveal() : value]);
  return {
    ...(published !== null && { HOST: "0.0.0.0" }),
    ...Object.fromEntries(own),
    ...(published !== null && { PORT: String(published.port) }),
    SLIPWAY_PRODUCT: spec.product,
    SLIPWAY_ENVIRONMENT: spec.environment,
    SLIPWAY_SERVICE: spec.service,
    SLIPWAY_RELEASE: spec.release,
    SLIPWAY_REVISION: spec.id,
    SLIPWAY_INSTANCE: instanceId(spec.id, index),
  };
}

type Published = { readonly host: string | null; readonly hostPort: number; readonly port: number };

function portsOf(container: ContainerSpec, published: Place["published"]): readonly Published[] {
  return [...(published === null ? [] : [published]), ...container.hostPorts];
}

function bindings(
  container: ContainerSpec,
  published: Place["published"],
): Record<string, { HostIp: string; HostPort: string }[]> {
  const all: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const { host, hostPort: taken, port } of portsOf(container, published)) {
    const key = `${port}/tcp`;
    all[key] = [...(all[key] ?? []), { HostIp: host ?? "", HostPort: String(taken) }];
  }
  return all;
}

function isHostPath(source: string): boolean {
  return source.startsWith("/");
}

function volumeName(spec: RevisionSpec, source: string, composed: VolumeSpec["composed"]): string {
  // Docker compose has put its project before it already, where there is one to put.
  if (composed !== undefined) return source;
  return `${environmentPrefix(spec.product, spec.environment)}-${source}`;
}
