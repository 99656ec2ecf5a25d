import { serviceName } from "../ids.ts";
import { containerDefaults } from "../product/container.ts";
import { frontPageStatuses, healthDefaults } from "../product/health.ts";
import type { AccessorySpec, ContainerSettings, HealthSpec, ServiceSpec } from "../product/spec.ts";
import { parseDuration } from "../product/units.ts";
import { uncarried } from "./carried.ts";
import { type ComposeRole, type ComposeRoles, classifyAll, portOf, writtenMounts } from "./classify.ts";
import { mountsRepository } from "./contents.ts";
import { healthRequest } from "./health-request.ts";
import type { ComposeModel, ComposeService } from "./model.ts";
import { isInside, isRemoteContext } from "./paths.ts";
import { routing } from "./routing.ts";
import { composedSettings } from "./settings.ts";
import { field } from "./tree.ts";
import { composeSize } from "./units.ts";

/** A Compose project as what Slipway deploys. */
export type ComposedProduct = {
  /** Released: web, worker, job. */
  readonly services: readonly Composed<ServiceSpec>[];
  /** Left running as they are; made when they are not there, replaced only when that is asked for. */
  readonly accessories: readonly Composed<AccessorySpec>[];
};

/** One of either kind. Volumes in `spec` are named as the engine names them (`shop_data`), or are absolute paths of the host. */
export type Composed<Spec> = {
  readonly role: ComposeRole;
  /** Its name in the Compose file, under which the others in its networks know it, and what else they call it. */
  readonly composeName: string;
  readonly aliases: readonly string[];
  /** As from a config. An image that is built has `from: null`, and its context is `path`, from the root of the repository. */
  readonly spec: Spec;
  /** Names in `spec.env` that may be secrets: their values are not written in the Compose file. */
  readonly secretEnv: readonly string[];
  /** Why the old one must have stopped before the new one starts; null when both may run. */
  readonly stopFirst: string | null;
  /** Keys that the target cannot carry out: an accessory that has some may be adopted, and never made. */
  readonly uncarried: readonly string[];
};

// Compose waits 10 s for an end; logs have no limit there, which fills disks.
const stopGraceMs = 10_000;
const engineIntervalMs = 30_000;
const defaultLogs = { maxBytes: 10_000_000, keep: containerDefaults.logKeep };

export type ComposedOptions = {
  /** Where the repository is; what is built has to be in it. The project's directory when it is left out. */
  readonly root?: string;
  /** Keys of a service that the target carries out although a `ContainerSpec` has no place for them, such as `entrypoint`. */
  readonly carried?: readonly string[];
};

/** What is deployed of a project. Pure; the same for the same model. What of it is refused, `differences` says. */
export function toServices(
  model: ComposeModel,
  { root = model.directory, carried = [] }: ComposedOptions = {},
): ComposedProduct {
  const roles = classifyAll(model);
  const { routes, hostPorts } = routing(model, roles);
  const services: Composed<ServiceSpec>[] = [];
  const accessories: Composed<AccessorySpec>[] = [];
  const awaited = awaitedHealthy(model);
  for (const service of Object.values(model.services)) {
    const role = roles.get(service.name)!;
    const container = containerOf(service, model, hostPorts.get(service.name) ?? []);
    const shared = {
      role,
      composeName: service.name,
      aliases: Object.values(service.networks).flatMap((attached) => attached?.aliases ?? []),
      secretEnv: service.fromOutside.filter((name) => field(service.environment, name) !== null),
      uncarried: uncarried(service, new Set(carried)).map(({ key }) => key),
      stopFirst: role.kind === "web" || role.kind === "worker" ? stopFirst(service, container) : null,
    };
    const after = Object.keys(service.dependsOn).filter((name) => roles.get(name)?.kind === "accessory");
    const composed = (notMade: readonly string[]) =>
      composedSettings(service, model, {
        notMade,
        untilHealthy: awaited.has(service.name),
        after: role.kind === "accessory" ? after.map(ourName) : [],
      });
    if (role.kind === "accessory") {
      const notMade = [...shared.uncarried, ...boundFromRepository(service, root)];
      accessories.push({ ...shared, spec: { ...accessorySpec(service, container), composed: composed(notMade) } });
    } else {
      const around = { routes: routes.get(service.name) ?? [], container, roles, root };
      services.push({ ...shared, spec: { ...serviceSpec(service, role.kind, around), composed: composed([]) } });
    }
  }
  return { services, accessories };
}

/** Our names are labels of DNS: small letters, digits and dashes. */
export function ourName(composeName: string): string {
  const plain = composeName.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  return (
    plain
      .replace(/^[^a-z]+/, "")
      .slice(0, 40)
      .replace(/-+$/, "") || "service"
  );
}

/** How many instances are asked for; null when nothing is said. */
export function instancesOf({ slipway, scale, deploy }: ComposeService): number | null {
  return slipway?.instances ?? scale ?? deploy?.replicas ?? null;
}

type Around = {
  readonly routes: ServiceSpec["routes"];
  readonly container: ContainerSettings;
  readonly roles: ComposeRoles;
  readonly root: string;
};

function serviceSpec(service: ComposeService, kind: "web" | "worker" | "job", around: Around): ServiceSpec {
  const { routes, container, roles, root } = around;
  // Accessories run before any service is started; they are nobody's step.
  const needs = Object.keys(service.dependsOn).filter((name) => (roles.get(name)?.kind ?? "accessory") !== "accessory");
  return {
    name: serviceName(ourName(service.name)),
    kind,
    path: contextIn(service, root) ?? ".",
    build: null,
    image: imageOf(service),
    container,
    command: service.command ?? [],
    fallbackFile: null,
    health: healthOf(service, kind),
    stopGraceMs: Math.round(service.stopGraceMs ?? stopGraceMs),
    instances: kind === "job" ? 1 : Math.max(1, instancesOf(service) ?? 1),
    env: envOf(service),
    needs: needs.map((name) => serviceName(ourName(name))),
    routes: kind === "web" ? routes : [],
    resources: resourcesOf(service),
  };
}

function accessorySpec(service: ComposeService, container: ContainerSettings): AccessorySpec {
  return {
    name: ourName(service.name),
    image: service.image ?? "",
    command: service.command ?? [],
    port: portOf(service),
    env: envOf(service),
    volumes: container.volumes,
    hostPorts: container.hostPorts,
    container,
    resources: resourcesOf(service),
    stopGraceMs: Math.round(service.stopGraceMs ?? stopGraceMs),
  };
}

/** The directory that is built, from the root of the repository; null when nothing is, or it is not in there. */
export function contextIn({ build }: ComposeService, root: string): string | null {
  if (build === null || isRemoteContext(build.context) || !isInside(build.context, root)) return null;
  return build.context === root ? "." : build.context.slice(root === "/" ? 1 : root.length + 1);
}

function imageOf({ build, image, platform }: ComposeService): ServiceSpec["image"] {
  const built = build?.platforms ?? [];
  return {
    from: build === null ? image : null,
    dockerfile: build?.dockerfile ?? null,
    stage: build?.target ?? null,
    args: build?.args ?? {},
    secrets: (build?.secrets ?? []).map(({ source }) => source),
    platforms: built.length > 0 || platform === null ? built : [platform],
    timeoutMs: msOf(containerDefaults.imageTimeout),
  };
}

function envOf({ environment }: ComposeService): Readonly<Record<string, string>> {
  const set = Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== null);
  return Object.fromEntries(set);
}

function resourcesOf({ deploy, limits }: ComposeService): ServiceSpec["resources"] {
  const memory = deploy?.limits?.memoryBytes ?? limits.memoryBytes;
  const cpus = deploy?.limits?.cpus ?? limits.cpus;
  return {
    memoryBytes: memory === null || memory <= 0 ? null : memory,
    cpus: cpus === null || cpus <= 0 ? null : cpus,
  };
}

function msOf(text: string): number {
  return parseDuration(text) ?? 0;
}

function healthOf(service: ComposeService, kind: "web" | "worker" | "job"): HealthSpec {
  const { health } = service;
  const asked = healthRequest(service);
  const path = kind === "web" ? (service.slipway?.healthPath ?? asked ?? healthDefaults.path) : null;
  const named = service.slipway?.healthPath != null || asked !== null;
  const whole = (own: number | null | undefined, other: string) => Math.round(own ?? msOf(other));
  const ofWorker = kind === "worker" ? healthDefaults.startPeriodWithoutPath : healthDefaults.startPeriod;
  const intervalMs = whole(health?.startIntervalMs, healthDefaults.interval);
  const byEngine = kind === "worker" && health?.test != null && !health.disabled;
  const startPeriodMs = whole(health?.startPeriodMs, byEngine ? healthDefaults.startPeriod : ofWorker);
  // The engine's first look comes after its interval, and then it may need all its tries.
  const looks = byEngine
    ? (health.intervalMs ?? engineIntervalMs) * ((health.retries ?? healthDefaults.retries) + 1)
    : 0;
  const patience = msOf(kind === "job" ? healthDefaults.deadlineOfJob : healthDefaults.deadline) + Math.round(looks);
  return {
    path,
    status: path !== null && !named ? frontPageStatuses : null,
    body: null,
    intervalMs,
    timeoutMs: whole(health?.timeoutMs, healthDefaults.timeout),
    retries: Math.max(1, health?.retries ?? healthDefaults.retries),
    startPeriodMs,
    deadlineMs: startPeriodMs + patience,
    ...(byEngine ? { byEngine } : {}),
  };
}

function containerOf(service: ComposeService, model: ComposeModel, ports: ComposeService["ports"]): ContainerSettings {
  const options = service.logging?.options ?? {};
  const mounts = service.mounts.filter(({ type }) => type === "bind" || type === "volume");
  return {
    port: portOf(service) ?? containerDefaults.port,
    volumes: mounts.map(({ type, source, target, readOnly }) =>
      type === "bind"
        ? { source: source ?? "", path: target, readOnly }
        : { ...volumeOf(source, target, service, model), path: target, readOnly },
    ),
    hostPorts: ports
      .filter(({ protocol, published }) => protocol === "tcp" && published !== null && !published.includes("-"))
      .map(({ hostIp, published, target }) => ({ host: hostIp, hostPort: Number(published), port: target })),
    readOnlyRoot: service.readOnly,
    dropCapabilities: service.dropCapabilities,
    addCapabilities: service.addCapabilities,
    user: service.user,
    init: service.init ?? false,
    rootUser: "warn",
    logs: {
      maxBytes: sizeIn(options["max-size"]) ?? defaultLogs.maxBytes,
      keep: /^[1-9]\d{0,2}$/.test(options["max-file"] ?? "") ? Number(options["max-file"]) : defaultLogs.keep,
    },
    ...stopFirstSaid(service),
  };
}

/** Where the file says it; without, volumes and ports do. */
function stopFirstSaid({ slipway, deploy, mounts }: ComposeService): { readonly stopFirst?: boolean } {
  if (slipway?.stopFirst != null) return { stopFirst: slipway.stopFirst };
  if (deploy?.update?.order === "stop-first") return { stopFirst: true };
  // A socket of the host, or a file laid over one of the image, is nothing that two would write.
  const writable = mounts.some(({ type, readOnly }) => !readOnly && (type === "bind" || type === "volume"));
  return writable ? { stopFirst: writtenMounts({ mounts }).length > 0 } : {};
}

/** By the name that the engine knows it by. One without a name gets one, so that the next release finds what this one wrote. */
function volumeOf(source: string | null, target: string, service: ComposeService, model: ComposeModel) {
  if (source === null) {
    const key = `${ourName(service.name)}_${target.replaceAll(/[^A-Za-z0-9]+/g, "-").replace(/^-+|-+$/g, "")}`;
    return { source: `${model.name}_${key}`, composed: { key } };
  }
  const volume = field(model.volumes, source);
  return { source: volume?.name ?? source, composed: { key: volume?.external === true ? null : source } };
}

/** Services that others start after only when they are healthy. */
function awaitedHealthy(model: ComposeModel): ReadonlySet<string> {
  const all = Object.values(model.services).flatMap(({ dependsOn }) => Object.entries(dependsOn));
  return new Set(all.flatMap(([name, { condition }]) => (condition === "service_healthy" ? [name] : [])));
}

/** Mounts of the repository, which is on no host: where docker compose made the container it is fine as it is. */
function boundFromRepository(service: ComposeService, root: string): readonly string[] {
  return mountsRepository(service, root).map(
    ({ source, target }) => `volumes ${source?.slice(root.length + 1) || "."}:${target}`,
  );
}

function sizeIn(text: string | undefined): number | null {
  const bytes = text === undefined ? null : composeSize(text);
  return bytes === null || bytes <= 0 ? null : bytes;
}

function stopFirst(service: ComposeService, { hostPorts }: ContainerSettings): string | null {
  if (service.slipway?.stopFirst === false) return null;
  if (service.slipway?.stopFirst === true) return "x-slipway says so";
  const [port] = hostPorts;
  if (port !== undefined) return `port ${port.hostPort} of the host has room for one`;
  const udp = service.ports.find(({ protocol, published }) => protocol !== "tcp" && published !== null);
  if (udp !== undefined && udp.published !== "443")
    return `port ${udp.published}/${udp.protocol} of the host has room for one`;
  if (service.networkMode === "host") return "it is in the host's network, whose ports have room for one";
  const [written] = writtenMounts(service);
  if (written !== undefined) return `two at once would write to ${written.source ?? written.target}`;
  return service.deploy?.update?.order === "stop-first" ? "deploy.update_config.order says so" : null;
}
