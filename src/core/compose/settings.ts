import type { ComposedFileSpec, ComposedNetwork, ComposedSettings, HealthcheckSpec } from "../product/spec.ts";
import type { ComposeModel, ComposeService } from "./model.ts";
import { field } from "./tree.ts";

/** What a Compose service says that a spec has no other place for, in the engine's terms. Names of networks are the engine's. */
export function composedSettings(
  service: ComposeService,
  model: ComposeModel,
  { notMade, untilHealthy, after }: Pick<ComposedSettings, "notMade" | "untilHealthy" | "after">,
): ComposedSettings {
  const mounted = service.mounts.filter(({ type }) => type === "tmpfs");
  return {
    service: service.name,
    aliases: aliasesOf(service, model),
    networks: networksOf(service, model),
    entrypoint: service.entrypoint,
    command: service.command,
    workingDirectory: service.workingDirectory,
    tmpfs: Object.fromEntries([
      ...service.tmpfs.map(tmpfsEntry),
      ...mounted.map(({ target, tmpfs }) => [target, tmpfsOptions(tmpfs)] as const),
    ]),
    files: filesOf(service, model),
    healthcheck: healthcheckOf(service),
    stopSignal: service.stopSignal,
    extraHosts: service.extraHosts.map((line) => line.replace("=", ":")),
    securityOptions: service.securityOptions,
    ulimits: Object.entries(service.ulimits).map(([name, limit]) =>
      typeof limit === "number" ? { name, soft: limit, hard: limit } : { name, soft: limit.soft, hard: limit.hard },
    ),
    sharedMemoryBytes: service.limits.sharedMemoryBytes,
    groups: service.groups,
    sysctls: service.sysctls,
    dns: service.dns,
    notMade,
    untilHealthy,
    after,
  };
}

/** As of something that no Compose file has said anything about. */
export function bareSettings(service: string): ComposedSettings {
  return {
    service,
    aliases: [],
    networks: [],
    entrypoint: null,
    command: null,
    workingDirectory: null,
    tmpfs: {},
    files: [],
    healthcheck: null,
    stopSignal: null,
    extraHosts: [],
    securityOptions: [],
    ulimits: [],
    sharedMemoryBytes: null,
    groups: [],
    sysctls: {},
    dns: [],
    notMade: [],
    untilHealthy: false,
    after: [],
  };
}

/** Under which others find it: its name, what its networks and others' links call it, and its container's name. */
function aliasesOf(service: ComposeService, model: ComposeModel): readonly string[] {
  const attached = Object.values(service.networks).flatMap((attachment) => attachment?.aliases ?? []);
  const linked = Object.values(model.services).flatMap(({ links }) =>
    links.flatMap((link) => {
      const [name, alias] = link.split(":");
      return name === service.name && alias !== undefined ? [alias] : [];
    }),
  );
  const own = service.containerName === null ? [] : [service.containerName];
  return [...new Set([service.name, ...attached, ...linked, ...own])];
}

function networksOf({ networks }: ComposeService, model: ComposeModel): readonly ComposedNetwork[] {
  return Object.keys(networks).flatMap((key): readonly ComposedNetwork[] => {
    const network = field(model.networks, key);
    if (network === undefined) return [];
    return [{ name: network.name, key: network.external ? null : key, internal: network.internal }];
  });
}

function healthcheckOf({ health }: ComposeService): HealthcheckSpec | null {
  if (health === null) return null;
  const { intervalMs, timeoutMs, startPeriodMs, retries } = health;
  return { test: health.disabled ? ["NONE"] : (health.test ?? []), intervalMs, timeoutMs, startPeriodMs, retries };
}

/** Secrets below /run/secrets, configs below /, each where it says; those without a content are told in `differences`. */
function filesOf(service: ComposeService, model: ComposeModel): readonly ComposedFileSpec[] {
  const of = (kind: "secrets" | "configs", above: string) =>
    service[kind].flatMap(({ source, target, mode, uid, gid }): readonly ComposedFileSpec[] => {
      const text = field(model[kind], source)?.content ?? null;
      if (text === null) return [];
      const path = target === null ? above + source : target.startsWith("/") ? target : above + target;
      // As Compose has it: for everybody to read, and for nobody to write.
      return [{ path, text, mode: mode ?? 0o444, uid: Number(uid ?? 0), gid: Number(gid ?? 0) }];
    });
  return [...of("secrets", "/run/secrets/"), ...of("configs", "/")];
}

/** `/run:size=64m` */
function tmpfsEntry(line: string): readonly [string, string] {
  const colon = line.indexOf(":");
  return colon === -1 ? [line, ""] : [line.slice(0, colon), line.slice(colon + 1)];
}

function tmpfsOptions(own: { readonly sizeBytes: number | null; readonly mode: number | null } | null): string {
  const size = own?.sizeBytes == null ? [] : [`size=${own.sizeBytes}`];
  const mode = own?.mode == null ? [] : [`mode=${own.mode.toString(8)}`];
  return [...size, ...mode].join(",");
}
