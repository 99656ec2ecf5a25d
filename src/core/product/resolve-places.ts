import { accessoryDefaults } from "./accessory.ts";
import { resolveAccessoryHealth } from "./accessory-health.ts";
import { parseListen } from "./addresses.ts";
import { containerDefaults } from "./container.ts";
import { edgeDefaults } from "./edge.ts";
import { defaultWaitAtMostMs, environmentDefaults } from "./environment.ts";
import type {
  AccessoryInput,
  HostInput,
  HostTlsInput,
  RegistryInput,
  ServiceInput,
  TargetInput,
  TlsInput,
} from "./input.ts";
import { parseHostPort, parseHostUrl, parseVolume } from "./mounts.ts";
import { registryRetentionDefaults } from "./registry.ts";
import { bytes, inside, ms, valid } from "./resolve-values.ts";
import type {
  AccessorySpec,
  ContainerSettings,
  HostSpec,
  ImageSpec,
  KeptRegistrySpec,
  RegistrySpec,
  SecretRefs,
  TargetSpec,
  TlsSpec,
} from "./spec.ts";

// Where a product runs, and what only containers and real servers have, with every default applied.

export function resolveTarget(target: TargetInput | undefined, registry: RegistryInput | undefined): TargetSpec {
  if ((target?.driver ?? environmentDefaults.driver) === "process") return { driver: "process" };
  const hosts = target?.hosts ?? ["unix:///var/run/docker.sock"];
  const [first] = hosts;
  const builder = target?.builder ?? (typeof first === "string" ? first : (first?.url ?? ""));
  return {
    driver: "docker",
    hosts: hosts.map(resolveHost),
    builder,
    registry: resolveRegistry(registry),
    whenAway: target?.whenAway ?? environmentDefaults.whenAway,
    ...waitLimit(target),
    ...((target?.whenLost ?? environmentDefaults.whenLost) === "wait"
      ? {}
      : { lost: { act: "replace", afterMs: ms(target?.lostAfter ?? environmentDefaults.lostAfter) } }),
  };
}

/** Only where it is another than usual: a target is known by what its spec says, also by that of an older release. */
function waitLimit(target: TargetInput | undefined): { readonly waitAtMostMs?: number } {
  const limitMs = ms(target?.waitAtMost ?? environmentDefaults.waitAtMost);
  return target?.whenAway !== "wait" || limitMs === defaultWaitAtMostMs ? {} : { waitAtMostMs: limitMs };
}

function resolveHost(host: string | HostInput): HostSpec {
  const input: HostInput = typeof host === "string" ? { url: host } : host;
  const { name, url } = valid(parseHostUrl(input.url), input.url);
  const address = input.address ?? (url.startsWith("unix:") ? null : name);
  return { name: input.name ?? name, url, tls: input.tls === undefined ? null : resolveHostTls(input.tls), address };
}

function resolveHostTls({ ca, cert, key }: HostTlsInput): NonNullable<HostSpec["tls"]> {
  return { ca, ...(cert === undefined ? {} : { cert }), ...(key === undefined ? {} : { key }) };
}

/** What stays in a registry is no matter of who pulls from it: another retention is no other target. */
export function resolveKeptRegistry(registry: RegistryInput | undefined): KeptRegistrySpec | null {
  const resolved = resolveRegistry(registry);
  if (resolved === null) return null;
  const { retention } = registry ?? {};
  if (retention === undefined) return { ...resolved, retention: null };
  const { images = registryRetentionDefaults.images, age = registryRetentionDefaults.age } = retention;
  return { ...resolved, retention: { images, ageMs: ms(age) } };
}

function resolveRegistry(registry: RegistryInput | undefined): RegistrySpec | null {
  if (registry === undefined) return null;
  const { repository, user = null, passwordFrom = null, passwordCommand } = registry;
  return { repository, user, passwordFrom, ...(passwordCommand === undefined ? {} : { passwordCommand }) };
}

export function resolveAccessory(name: string, accessory: AccessoryInput): AccessorySpec {
  return {
    name,
    // Without one it is refused, unless it is one of a Compose file, which has it.
    image: accessory.image ?? "",
    command: accessory.command ?? [],
    port: accessory.port ?? null,
    env: accessory.env ?? {},
    ...unsetSecrets(accessory.secrets),
    ...(accessory.health === undefined
      ? {}
      : { health: accessory.health === false ? false : resolveAccessoryHealth(accessory.health) }),
    volumes: (accessory.volumes ?? []).map((volume) => valid(parseVolume(volume), volume)),
    hostPorts: (accessory.hostPorts ?? []).map((port) => valid(parseHostPort(port), port)),
    resources: {
      memoryBytes: accessory.memory === undefined ? null : bytes(accessory.memory),
      cpus: accessory.cpu ?? null,
    },
    stopGraceMs: ms(accessory.stopGrace ?? accessoryDefaults.stopGrace),
  };
}

/** Their names; which versions of them is known when a release is made. */
export function unsetSecrets(names: readonly string[] | undefined): { readonly secrets?: SecretRefs } {
  if (names === undefined || names.length === 0) return {};
  return { secrets: Object.fromEntries([...names].sort().map((name) => [name, null])) };
}

export function resolveImage(image: ServiceInput["image"]): ImageSpec {
  const made = typeof image === "string" ? {} : (image ?? {});
  return {
    from: typeof image === "string" ? image : null,
    dockerfile: made.dockerfile === undefined ? null : inside(made.dockerfile),
    stage: made.stage ?? null,
    args: made.args ?? {},
    secrets: made.secrets ?? [],
    platforms: made.platforms ?? [],
    timeoutMs: ms(made.timeout ?? containerDefaults.imageTimeout),
  };
}

export function resolveContainer(service: ServiceInput): ContainerSettings {
  const { container = {} } = service;
  return {
    port: service.port ?? containerDefaults.port,
    volumes: (service.volumes ?? []).map((volume) => valid(parseVolume(volume), volume)),
    hostPorts: (service.hostPorts ?? []).map((port) => valid(parseHostPort(port), port)),
    readOnlyRoot: container.readOnlyRoot ?? containerDefaults.readOnlyRoot,
    dropCapabilities: container.dropCapabilities ?? [],
    addCapabilities: container.addCapabilities ?? [],
    user: container.user ?? null,
    init: container.init ?? containerDefaults.init,
    rootUser: container.rootUser ?? containerDefaults.rootUser,
    logs: {
      maxBytes: bytes(container.logs?.maxSize ?? containerDefaults.logSize),
      keep: container.logs?.keep ?? containerDefaults.logKeep,
    },
  };
}

export function resolveTls(tls: TlsInput | false): TlsSpec | null {
  if (tls === false) return null;
  const listen = tls.listen ?? edgeDefaults.tlsListen;
  const { acme = {} } = tls;
  return {
    listen: valid(parseListen(listen), listen),
    certificates: tls.certificates ?? [],
    acme: acme === false ? null : { email: acme.email ?? null, directory: acme.directory ?? null, ca: acme.ca ?? null },
    http2: tls.http2 ?? true,
  };
}
