import type { ComposeAttachment, ComposeDependency, ComposeService } from "../model.ts";
import { isList, isMap } from "../tree.ts";
import { splitWords } from "../words.ts";
import { build } from "./build.ts";
import { deploy } from "./deploy.ts";
import { environment, labels, type Surroundings } from "./environment.ts";
import { Fields, list, mapOf, pairs, type Read, text, whole } from "./fields.ts";
import { health } from "./health.ts";
import { fileMount, mount } from "./mounts.ts";
import { ports } from "./ports.ts";
import { slipwayKeys } from "./slipway.ts";

/** Known to Compose; nothing is done with them here but to say so. */
export const unusedServiceKeys: readonly string[] = [
  "annotations",
  "attach",
  "blkio_config",
  "cgroup",
  "cgroup_parent",
  "cpu_count",
  "cpu_percent",
  "cpu_period",
  "cpu_quota",
  "cpu_rt_period",
  "cpu_rt_runtime",
  "cpu_shares",
  "cpuset",
  "credential_spec",
  "develop",
  "device_cgroup_rules",
  "dns_opt",
  "dns_search",
  "external_links",
  "gpus",
  "isolation",
  "mac_address",
  "mem_swappiness",
  "models",
  "oom_kill_disable",
  "oom_score_adj",
  "post_start",
  "pre_start",
  "pre_stop",
  "provider",
  "pull_refresh_after",
  "runtime",
  "storage_opt",
  "use_api_socket",
  "userns_mode",
  "uts",
];

/** One service. Files that it names are read; its name, `directory` and variables come from the project. */
export function service(name: string, directory: string, surroundings: Surroundings): Read<ComposeService> {
  return (value, at, notes) => {
    const fields = new Fields(value, at, notes);
    // Taken care of when the files were put together.
    fields.raw("extends");
    const found: ComposeService = {
      name,
      image: fields.text("image"),
      build: fields.read("build", build(surroundings.variables, directory)),
      platform: fields.text("platform"),
      pullPolicy: fields.text("pull_policy"),
      profiles: fields.texts("profiles"),
      command: fields.read("command", words),
      entrypoint: fields.read("entrypoint", words),
      workingDirectory: fields.text("working_dir"),
      ...environment(fields, surroundings),
      labels: labels(fields, surroundings),
      ports: fields.read("ports", ports) ?? [],
      expose: fields.scalars("expose"),
      mounts: fields.list("volumes", mount),
      tmpfs: fields.oneOrMore("tmpfs"),
      volumesFrom: fields.texts("volumes_from"),
      secrets: fields
        .list("secrets", fileMount)
        .map((one) => ({ ...one, target: one.target ?? `/run/secrets/${one.source}` })),
      configs: fields.list("configs", fileMount),
      networks: fields.read("networks", networks) ?? {},
      networkMode: fields.text("network_mode"),
      links: fields.texts("links"),
      extraHosts: fields.read("extra_hosts", hosts) ?? [],
      dns: fields.oneOrMore("dns").filter((server) => server !== ""),
      hostname: fields.text("hostname"),
      domainName: fields.text("domainname"),
      containerName: fields.text("container_name"),
      dependsOn: fields.read("depends_on", dependencies) ?? {},
      health: fields.read("healthcheck", health),
      deploy: fields.read("deploy", deploy),
      scale: fields.whole("scale", { min: 0, max: 10_000 }),
      restart: fields.text("restart"),
      stopGraceMs: fields.durationMs("stop_grace_period"),
      stopSignal: fields.text("stop_signal"),
      user: fields.text("user"),
      groups: fields.scalars("group_add"),
      init: fields.flag("init"),
      readOnly: fields.flag("read_only") ?? false,
      privileged: fields.flag("privileged") ?? false,
      tty: fields.flag("tty") ?? false,
      openStdin: fields.flag("stdin_open") ?? false,
      addCapabilities: fields.texts("cap_add"),
      dropCapabilities: fields.texts("cap_drop"),
      securityOptions: fields.texts("security_opt"),
      sysctls: fields.labels("sysctls"),
      ulimits: fields.map("ulimits", ulimit),
      devices: fields.list("devices", device),
      logging: fields.read("logging", logging),
      pid: fields.text("pid"),
      ipc: fields.text("ipc"),
      limits: {
        memoryBytes: fields.bytes("mem_limit"),
        memoryReservationBytes: fields.bytes("mem_reservation"),
        swapBytes: fields.bytes("memswap_limit"),
        sharedMemoryBytes: fields.bytes("shm_size"),
        cpus: fields.decimal("cpus"),
        pids: fields.whole("pids_limit"),
      },
      slipway: fields.read("x-slipway", slipwayKeys),
      other: fields.kept(...unusedServiceKeys),
    };
    fields.end();
    return { ...found, dependsOn: withImplied(found) };
  };
}

const words: Read<readonly string[]> = (value, at, notes) => {
  if (typeof value !== "string") return list(text)(value, at, notes);
  const split = splitWords(value);
  if (split === null) notes.refuse(at, value, "a text whose quotes and brackets are closed, or a list");
  else if (split.dropped !== null)
    notes.warn(at, `Compose reads it only up to the first of ; & | < >; for a shell write ["sh", "-c", "…"]`);
  return split?.words ?? null;
};

const conditions = ["service_started", "service_healthy", "service_completed_successfully"] as const;

const dependencies: Read<Readonly<Record<string, ComposeDependency>>> = (value, at, notes) => {
  if (isMap(value)) return mapOf(dependency)(value, at, notes);
  const names = list(text)(value, at, notes) ?? [];
  return Object.fromEntries(names.map((name) => [name, started] as const));
};

const started: ComposeDependency = { condition: "service_started", required: true, restart: false };

const dependency: Read<ComposeDependency> = (value, at, notes) => {
  const fields = new Fields(value, at, notes);
  const found = {
    condition: fields.choice("condition", conditions) ?? "service_started",
    required: fields.flag("required") ?? true,
    restart: fields.flag("restart") ?? false,
  };
  fields.end();
  if (value === null)
    notes.error(at, "it says nothing", { allowed: `an object with condition: one of ${conditions.join(", ")}` });
  return found;
};

/** Links, shared namespaces and borrowed volumes need their service too. */
function withImplied(service: ComposeService): Readonly<Record<string, ComposeDependency>> {
  const shared = [service.networkMode, service.ipc, service.pid, service.other.uts, service.other.cgroup]
    .filter((mode): mode is string => typeof mode === "string" && mode.startsWith("service:"))
    .map((mode) => mode.slice("service:".length));
  const linked = service.links.map((link) => (link.split(":").length === 2 ? link.split(":")[0]! : link));
  const borrowed = service.volumesFrom
    .filter((from) => !from.startsWith("container:"))
    .map((from) => from.split(":")[0]!);
  return {
    ...Object.fromEntries(borrowed.map((name) => [name, started] as const)),
    ...Object.fromEntries([...shared, ...linked].map((name) => [name, { ...started, restart: true }] as const)),
    ...service.dependsOn,
  };
}

const networks: Read<Readonly<Record<string, ComposeAttachment>>> = (value, at, notes) => {
  if (isMap(value)) {
    // A null is an attachment like any other, so it may not be left out as a refused one is.
    const entries = Object.entries(value).map(
      ([name, item]) => [name, attachment(item, [...at, name], notes)] as const,
    );
    return Object.fromEntries(entries);
  }
  const names = list(text)(value, at, notes) ?? [];
  return Object.fromEntries(names.map((name) => [name, null] as const));
};

const attachment: Read<NonNullable<ComposeAttachment>> = (value, at, notes) => {
  if (value === null) return null;
  const fields = new Fields(value, at, notes);
  const found = {
    aliases: fields.texts("aliases"),
    ipv4: fields.text("ipv4_address"),
    ipv6: fields.text("ipv6_address"),
    other: fields.kept("interface_name", "link_local_ips", "mac_address", "driver_opts", "priority", "gw_priority"),
  };
  fields.end();
  return found;
};

/** `name=address` of `name:address`, `name=address`, or an object of either one or several addresses. */
const hosts: Read<readonly string[]> = (value, at, notes) => {
  const lines = isMap(value)
    ? Object.entries(value).flatMap(([name, address]) =>
        (isList(address) ? address : [address]).map((one) => `${name}=${one === null ? "" : String(one)}`),
      )
    : (list(text)(value, at, notes) ?? []);
  return lines.flatMap((line) => {
    const cut = line.includes("=") ? line.indexOf("=") : line.indexOf(":");
    const name = line.slice(0, Math.max(cut, 0));
    if (cut > 0 && !name.includes(":"))
      return line
        .slice(cut + 1)
        .split(",")
        .map((address) => `${name}=${address.replace(/^\[(.+)\]$/, "$1")}`);
    notes.refuse(at, line, '"name=address", such as "db.internal=10.0.0.5"');
    return [];
  });
};

const ulimit: Read<number | { readonly soft: number; readonly hard: number }> = (value, at, notes) => {
  if (!isMap(value)) return whole()(value, at, notes);
  const fields = new Fields(value, at, notes);
  const [soft, hard] = [fields.whole("soft"), fields.whole("hard")];
  fields.end();
  if (!fields.has("soft") || !fields.has("hard")) notes.error(at, "a limit has both soft and hard, or is one number");
  return soft === null || hard === null ? null : { soft, hard };
};

const device: Read<ComposeService["devices"][number]> = (value, at, notes) => {
  if (typeof value === "string") {
    const parts = value.split(":");
    const [source = "", target = source, permissions = "rwm"] = parts;
    if (parts.length <= 3) return { source, target: target === "" ? source : target, permissions };
    notes.refuse(at, value, '"/dev/a:/dev/b:rwm", or an object with source, target and permissions');
    return null;
  }
  const fields = new Fields(value, at, notes);
  const source = fields.text("source");
  const found = { target: fields.text("target") ?? source ?? "", permissions: fields.text("permissions") };
  fields.end();
  if (!fields.has("source")) notes.error(at, "a device has no source", { allowed: "a path on the host" });
  return source === null ? null : { source, ...found };
};

const logging: Read<NonNullable<ComposeService["logging"]>> = (value, at, notes) => {
  const fields = new Fields(value, at, notes);
  const options = Object.entries(fields.read("options", pairs) ?? {}).map(([key, item]) => [key, item ?? ""] as const);
  const found = { driver: fields.text("driver"), options: Object.fromEntries(options) };
  fields.end();
  return found;
};
