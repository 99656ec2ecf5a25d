import type { ComposeService } from "./model.ts";

/** A key of a service, and why it is not carried out and what to do instead. */
export type UncarriedKey = { readonly key: string; readonly why: string };

/** What target docker carries out of what a `ContainerSpec` of a config has no words for. */
export const carriedByDocker: readonly string[] = [
  ...["secrets", "configs", "entrypoint", "working_dir", "tmpfs", "ulimits", "sysctls", "shm_size"],
  ...["extra_hosts", "security_opt", "group_add", "stop_signal", "dns", "links"],
];

type Row = readonly [key: string, has: (service: ComposeService) => boolean, why: string];

/** The keys of a service that change what runs, and that neither a `ContainerSpec` nor the target (`carried`) has a place for. */
export function uncarried(service: ComposeService, carried: ReadonlySet<string>): readonly UncarriedKey[] {
  const others = Object.keys(service.other).filter((key) => neededOther.has(key) && !carried.has(key));
  return [...missing(needed, service, carried), ...others.map((key) => ({ key, why: "Slipway has nothing like it" }))];
}

/** The keys of a service that are left out, and that it works without. */
export function leftOut(service: ComposeService, carried: ReadonlySet<string>): readonly UncarriedKey[] {
  const others = Object.keys(service.other).filter((key) => !neededOther.has(key) && !carried.has(key));
  return [...missing(left, service, carried), ...others.map((key) => ({ key, why: "is left out" }))];
}

function missing(rows: readonly Row[], service: ComposeService, carried: ReadonlySet<string>): readonly UncarriedKey[] {
  return rows.filter(([key, has]) => !carried.has(key) && has(service)).map(([key, , why]) => ({ key, why }));
}

/** Keys that change what runs: a service that needs one would break without a word. */
const needed: readonly Row[] = [
  ["secrets", ({ secrets }) => secrets.length > 0, "give them by variables of the environment"],
  ["configs", ({ configs }) => configs.length > 0, "COPY them in the Dockerfile"],
  [
    "entrypoint",
    ({ entrypoint }) => entrypoint !== null,
    "set it in the Dockerfile, or put it into command for an image without one",
  ],
  ["working_dir", ({ workingDirectory }) => workingDirectory !== null, "set WORKDIR in the Dockerfile"],
  [
    "privileged",
    ({ privileged }) => privileged,
    "a release may not have the whole host; name the capabilities in cap_add",
  ],
  ["devices", ({ devices }) => devices.length > 0, "devices of the host are not passed on"],
  [
    "network_mode",
    ({ networkMode }) => networkMode !== null && networkMode !== "bridge",
    "each revision has an address of its own in the environment's network",
  ],
  ["pid", ({ pid }) => pid !== null, "processes of others are not shared"],
  ["ipc", ({ ipc }) => ipc !== null && ipc !== "private" && ipc !== "shareable", "memory of others is not shared"],
  ["volumes_from", ({ volumesFrom }) => volumesFrom.length > 0, "name the volumes in both services"],
  [
    "tmpfs",
    ({ tmpfs, mounts }) => tmpfs.length > 0 || mounts.some(({ type }) => type === "tmpfs"),
    "write to a directory of the image, or to a volume",
  ],
  ["ulimits", ({ ulimits }) => Object.keys(ulimits).length > 0, "set them as the engine's default on the host"],
  ["sysctls", ({ sysctls }) => Object.keys(sysctls).length > 0, "set them on the host"],
  ["shm_size", ({ limits }) => limits.sharedMemoryBytes !== null, "the engine gives 64 MiB"],
  ["extra_hosts", ({ extraHosts }) => extraHosts.length > 0, "give the address by a variable, or let DNS answer"],
  [
    "security_opt",
    ({ securityOptions }) => securityOptions.length > 0,
    "a release must not run with less protection than you asked for",
  ],
  ["group_add", ({ groups }) => groups.length > 0, "set the groups in the image, or user to uid:gid"],
  [
    "stop_signal",
    ({ stopSignal }) => stopSignal !== null && stopSignal !== "SIGTERM",
    "set STOPSIGNAL in the Dockerfile",
  ],
  ["dns", ({ dns }) => dns.length > 0, "set it in the engine's configuration"],
];

/** Keys without which it works: names, hints, things for a developer's machine. */
const left: readonly Row[] = [
  [
    "container_name",
    ({ containerName }) => containerName !== null,
    "containers of two releases stand side by side, so each has a name of its own; in its networks it is still found by this one",
  ],
  ["hostname", ({ hostname }) => hostname !== null, "each instance has a host name of its own"],
  ["domainname", ({ domainName }) => domainName !== null, "each instance has a host name of its own"],
  [
    "labels",
    ({ labels }) => Object.keys(labels).length > 0,
    "containers carry Slipway's labels; those that another proxy reads are for x-slipway.route",
  ],
  [
    "links",
    ({ links }) => links.some((link) => link.includes(":") && link.split(":")[0] !== link.split(":")[1]),
    "an accessory keeps the names that it has; give it the alias in its networks",
  ],
  [
    "pull_policy",
    ({ pullPolicy }) => pullPolicy !== null,
    "what is deployed is known by its digest, and pulled when it is not there",
  ],
  ["tty", ({ tty }) => tty, "nobody sits before it"],
  ["stdin_open", ({ openStdin }) => openStdin, "nobody sits before it"],
  ["memswap_limit", ({ limits }) => limits.swapBytes !== null, "only memory is limited"],
  ["mem_reservation", ({ limits }) => limits.memoryReservationBytes !== null, "only limits are set"],
  [
    "pids_limit",
    ({ limits, deploy }) => limits.pids !== null || deploy?.limits?.pids != null,
    "processes are not counted",
  ],
  ["deploy.labels", ({ deploy }) => Object.keys(deploy?.labels ?? {}).length > 0, "containers carry Slipway's labels"],
];

/** Of those that nothing is done with at all, the ones that a service cannot do without. */
const neededOther = new Set([
  "gpus",
  "provider",
  "models",
  "runtime",
  "credential_spec",
  "device_cgroup_rules",
  "use_api_socket",
  "userns_mode",
  "uts",
  "pre_start",
  "external_links",
]);
