import type {
  ComposeAttachment,
  ComposeDeploy,
  ComposeFile,
  ComposeFileMount,
  ComposeHealth,
  ComposeModel,
  ComposeMount,
  ComposePort,
  ComposeService,
  ComposeUpdate,
} from "../../../core/compose/model.ts";
import { isMap, type Raw } from "../../../core/compose/tree.ts";

/**
 * Our model in the words of `docker compose config --format json`, every key of it: what the differential test compares. Lists
 * whose order means nothing are sorted, here and in what Compose says (`sorted`).
 */
export function normalForm(model: ComposeModel): unknown {
  const form = lean({
    name: model.name,
    services: each(model.services, service),
    networks: filled(
      each(model.networks, (network) => ({
        name: network.name,
        external: network.external || undefined,
        driver: network.driver,
        driver_opts: filled(network.options),
        internal: network.internal || undefined,
        attachable: network.attachable || undefined,
        labels: filled(network.labels),
        ipam: network.ipam,
        ...network.other,
      })),
    ),
    volumes: filled(
      each(model.volumes, (volume) => ({
        name: volume.name,
        external: volume.external || undefined,
        driver: volume.driver,
        driver_opts: filled(volume.options),
        labels: filled(volume.labels),
      })),
    ),
    secrets: filled(each(model.secrets, file)),
    configs: filled(each(model.configs, file)),
    ...model.other,
  });
  return { ...(form as object), ...(asWritten(model.extensions) as object) };
}

/** Extensions keep their nulls. */
function asWritten(value: Raw): unknown {
  if (typeof value === "string") return dollars(value);
  if (Array.isArray(value)) return value.map(asWritten);
  return isMap(value) ? each(value, asWritten) : value;
}

/** What Compose says, with the lists sorted that we sort, and modes as numbers (Compose 2.26 prints them so). */
export function sorted(config: unknown): unknown {
  const { services = {} } = config as { services?: Record<string, Record<string, unknown>> };
  const each = Object.entries(services).map(([name, one]) => {
    const ports = (one.ports as { target: number }[] | undefined)?.toSorted(byJson);
    const mounts = (all: unknown) =>
      (all as { mode?: unknown }[] | undefined)?.map((mount) =>
        typeof mount.mode === "string" ? { ...mount, mode: Number.parseInt(mount.mode, 8) } : mount,
      );
    const built = one.build as { secrets?: unknown } | undefined;
    const build = built?.secrets === undefined ? built : { ...built, secrets: mounts(built.secrets) };
    const more = { ports, build, secrets: mounts(one.secrets), configs: mounts(one.configs) };
    return [name, { ...one, ...Object.fromEntries(Object.entries(more).filter(([, value]) => value !== undefined)) }];
  });
  return { ...(config as object), services: Object.fromEntries(each) };
}

function service(one: ComposeService): unknown {
  const { limits } = one;
  return {
    image: one.image,
    build: one.build === null ? undefined : buildOf(one.build),
    platform: one.platform,
    pull_policy: one.pullPolicy === "if_not_present" ? "missing" : one.pullPolicy,
    profiles: filled(one.profiles),
    command: nullable(one.command?.map(dollars) ?? null),
    entrypoint: nullable(one.entrypoint?.map(dollars) ?? null),
    working_dir: one.workingDirectory,
    environment: filled(each(one.environment, (value) => nullable(value === null ? null : dollars(value)))),
    labels: filled(each(one.labels, dollars)),
    ports: filled(one.ports.map(port).map(lean).toSorted(byJson)),
    expose: filled(one.expose),
    volumes: filled(one.mounts.map(mount)),
    tmpfs: filled(one.tmpfs),
    volumes_from: filled(one.volumesFrom),
    secrets: filled(one.secrets.map(fileMount)),
    configs: filled(one.configs.map(fileMount)),
    networks: filled(each(one.networks, attachment)),
    network_mode: one.networkMode,
    links: filled(one.links),
    extra_hosts: filled(one.extraHosts.toSorted()),
    dns: filled(one.dns),
    hostname: one.hostname,
    domainname: one.domainName,
    container_name: one.containerName,
    depends_on: filled(
      each(one.dependsOn, ({ condition, required, restart }) => ({
        condition,
        required,
        restart: restart || undefined,
      })),
    ),
    healthcheck: one.health === null ? undefined : health(one.health),
    deploy: one.deploy === null ? undefined : deploy(one.deploy, one.scale),
    scale: one.scale,
    restart: one.restart,
    stop_grace_period: goDuration(one.stopGraceMs),
    stop_signal: one.stopSignal,
    user: one.user,
    group_add: filled(one.groups),
    init: one.init,
    read_only: one.readOnly || undefined,
    privileged: one.privileged || undefined,
    tty: one.tty || undefined,
    stdin_open: one.openStdin || undefined,
    cap_add: filled(one.addCapabilities),
    cap_drop: filled(one.dropCapabilities),
    security_opt: filled(one.securityOptions),
    sysctls: filled(one.sysctls),
    ulimits: filled({ ...one.ulimits }),
    devices: filled(one.devices.map((device) => ({ ...device }))),
    logging: one.logging === null ? undefined : { driver: one.logging.driver, options: filled(one.logging.options) },
    pid: one.pid,
    ipc: one.ipc,
    mem_limit: bytes(limits.memoryBytes),
    mem_reservation: bytes(limits.memoryReservationBytes),
    memswap_limit: bytes(limits.swapBytes),
    shm_size: bytes(limits.sharedMemoryBytes),
    cpus: limits.cpus,
    pids_limit: limits.pids,
    ...one.other,
  };
}

function buildOf(build: NonNullable<ComposeService["build"]>): unknown {
  return {
    context: build.context,
    dockerfile: build.dockerfile ?? (build.dockerfileInline === null ? "Dockerfile" : undefined),
    dockerfile_inline: build.dockerfileInline === null ? undefined : dollars(build.dockerfileInline),
    args: filled(each(build.args, dollars)),
    target: build.target,
    labels: filled(build.labels),
    secrets: filled(build.secrets.map(fileMount)),
    platforms: filled(build.platforms),
    cache_from: filled(build.cacheFrom),
    cache_to: filled(build.cacheTo),
    tags: filled(build.tags),
    additional_contexts: filled(build.additionalContexts),
    network: build.network,
    shm_size: bytes(build.sharedMemoryBytes),
    no_cache: build.noCache || undefined,
    pull: build.pull || undefined,
    ...build.other,
  };
}

function port(one: ComposePort): unknown {
  return {
    mode: one.mode,
    target: one.target,
    published: one.published,
    host_ip: one.hostIp,
    protocol: one.protocol,
    name: one.name,
    app_protocol: one.appProtocol,
  };
}

function mount(one: ComposeMount): unknown {
  const { bind, volume, tmpfs } = one;
  return {
    type: one.type,
    source: one.source,
    target: one.target,
    read_only: one.readOnly || undefined,
    consistency: one.consistency,
    bind:
      bind === null
        ? undefined
        : {
            create_host_path: bind.createHostPath || undefined,
            propagation: bind.propagation,
            selinux: bind.selinux,
            recursive: bind.recursive,
          },
    volume:
      volume === null
        ? undefined
        : {
            nocopy: volume.noCopy || undefined,
            subpath: volume.subpath,
            labels: filled(volume.labels),
          },
    tmpfs: tmpfs === null ? undefined : { size: bytes(tmpfs.sizeBytes), mode: tmpfs.mode },
  };
}

function fileMount(one: ComposeFileMount): unknown {
  return { source: one.source, target: one.target, uid: one.uid, gid: one.gid, mode: one.mode };
}

function attachment(one: ComposeAttachment): unknown {
  if (one === null) return nullable(null);
  return { aliases: filled(one.aliases), ipv4_address: one.ipv4, ipv6_address: one.ipv6, ...one.other };
}

function health(one: ComposeHealth): unknown {
  return {
    disable: one.disabled || undefined,
    test: filled(one.test?.map(dollars) ?? []),
    interval: goDuration(one.intervalMs),
    timeout: goDuration(one.timeoutMs),
    start_period: goDuration(one.startPeriodMs),
    start_interval: goDuration(one.startIntervalMs),
    retries: one.retries,
  };
}

function deploy(one: ComposeDeploy, scale: number | null): unknown {
  return {
    mode: one.mode,
    replicas: scale ?? one.replicas,
    endpoint_mode: one.endpointMode,
    labels: filled(one.labels),
    update_config: one.update === null ? undefined : update(one.update),
    rollback_config: one.rollback === null ? undefined : update(one.rollback),
    resources: {
      limits:
        one.limits === null
          ? undefined
          : {
              cpus: one.limits.cpus,
              memory: bytes(one.limits.memoryBytes),
              pids: one.limits.pids,
            },
      reservations:
        one.reservations === null
          ? undefined
          : {
              cpus: one.reservations.cpus,
              memory: bytes(one.reservations.memoryBytes),
              ...one.reservations.other,
            },
    },
    restart_policy:
      one.restart === null
        ? undefined
        : {
            condition: one.restart.condition,
            delay: goDuration(one.restart.delayMs),
            max_attempts: one.restart.attempts,
            window: goDuration(one.restart.windowMs),
          },
    placement: one.placement,
  };
}

function update(one: ComposeUpdate): unknown {
  return {
    parallelism: one.parallelism,
    delay: goDuration(one.delayMs),
    failure_action: one.failureAction,
    monitor: goDuration(one.monitorMs),
    max_failure_ratio: one.maxFailureRatio,
    order: one.order,
  };
}

function file(one: ComposeFile): unknown {
  return {
    name: one.name,
    external: one.external || undefined,
    file: one.file,
    environment: one.environment,
    content: one.content === null ? undefined : dollars(one.content),
    labels: filled(one.labels),
    driver: one.driver,
    driver_opts: filled(one.options),
    template_driver: one.templateDriver,
  };
}

/** A null that is written, where the others are left out. */
const kept = Symbol("null");

function nullable(value: unknown): unknown {
  return value === null ? kept : value;
}

function lean(value: unknown): unknown {
  if (value === kept) return null;
  if (Array.isArray(value)) return value.map(lean);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([, item]) => item !== null && item !== undefined);
  return Object.fromEntries(entries.map(([key, item]) => [key, lean(item)]));
}

/** Compose leaves out what is empty. */
function filled<T extends object>(value: T): T | undefined {
  return Object.keys(value).length === 0 ? undefined : value;
}

function each<T>(map: Readonly<Record<string, T>>, to: (value: T) => unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, to(value)]));
}

/** Compose writes a dollar so that it would be read as one again. */
function dollars(text: string): string {
  return text.replaceAll("$", "$$$$");
}

function bytes(count: number | null): string | null {
  return count === null ? null : String(count);
}

/** 90000 → `1m30s`. */
function goDuration(ms: number | null): string | null {
  if (ms === null) return null;
  if (ms === 0) return "0s";
  if (ms < 1) return `${ms * 1_000}µs`;
  if (ms < 1_000) return `${ms}ms`;
  const [h, m, s] = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60, (ms % 60_000) / 1_000];
  return `${h > 0 ? `${h}h` : ""}${h > 0 || m > 0 ? `${m}m` : ""}${s}s`;
}

function byJson(a: unknown, b: unknown): number {
  const [one, other] = [a, b].map((value) => JSON.stringify(Object.entries(value as object).toSorted()));
  return one! < other! ? -1 : 1;
}
