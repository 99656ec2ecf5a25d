import type { Notes } from "./notes.ts";
import { type At, field, fits, isList, isMap, type Raw, type RawMap, scalarText } from "./tree.ts";

/**
 * Lays one Compose tree over another, as Compose does with several files and with `extends`: maps key by key, lists one
 * behind the other, texts replaced; with the exceptions below. Neither is changed. What cannot be laid over is noted.
 */
export function mergeOver(base: Raw, over: Raw, at: At, notes: Notes): Raw {
  const rule = rules.find(({ pattern }) => fits(pattern, at))?.rule;
  if (rule !== undefined) return rule(base, over, at, notes);
  if (over === null) return base;
  if (isMap(base) && isMap(over)) return mergeMaps(base, over, at, notes);
  if (isList(base) && isList(over)) return [...base, ...over];
  if (isMap(base) || isList(base)) {
    notes.refuse(at, over, isMap(base) ? "an object, as the file under it" : "a list, as the file under it");
    return base;
  }
  return over;
}

/**
 * Leaves one of those list entries that mean the same: the last, in the place of the first. Compose does it within one file
 * as well.
 */
export function withoutRepeats(value: Raw, at: At): Raw {
  if (isMap(value)) {
    const deep = (key: string, item: Raw) =>
      typeof item === "object" && item !== null ? withoutRepeats(item, [...at, key]) : item;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, deep(key, item)] as const));
  }
  if (!isList(value)) return value;
  const keyOf = unique.find(({ pattern }) => fits(pattern, at))?.keyOf;
  if (keyOf === undefined) return value;
  const kept = new Map<string, Raw>();
  value.forEach((item, index) => {
    // What has no key is refused later, where it is read; until then it is like nothing else.
    kept.set(keyOf(item) ?? `\0${index}`, item);
  });
  return [...kept.values()];
}

/** A tree without what is at certain places: what a later file resets or overrides. Lists are not looked into. */
export function without(value: Raw, places: readonly At[]): Raw {
  if (places.length === 0 || !isMap(value)) return value;
  const kept: [string, Raw][] = [];
  for (const [key, item] of Object.entries(value)) {
    const below = places.filter(([first]) => first === key).map((place) => place.slice(1));
    if (below.some((place) => place.length === 0)) continue;
    kept.push([key, without(item, below)]);
  }
  return Object.fromEntries(kept);
}

type Rule = (base: Raw, over: Raw, at: At, notes: Notes) => Raw;

function mergeMaps(base: RawMap, over: RawMap, at: At, notes: Notes): RawMap {
  const merged = new Map(Object.entries(base));
  for (const [key, item] of Object.entries(over)) {
    const under = merged.get(key);
    merged.set(key, under === undefined ? item : mergeOver(under, item, [...at, key], notes));
  }
  return Object.fromEntries(merged);
}

const replaced: Rule = (_, over) => over;

const asPairs: Rule = (base, over) => [...pairs(base), ...pairs(over)];

const asNames =
  (empty: Raw): Rule =>
  (base, over, at, notes) =>
    mergeMaps(named(base, empty), named(over, empty), at, notes);

const asBuild: Rule = (base, over, at, notes) => {
  const build = (value: Raw): RawMap => (typeof value === "string" ? { context: value } : isMap(value) ? value : {});
  return mergeMaps(build(base), build(over), at, notes);
};

/** Options of one driver mean nothing to another. */
const asLogging: Rule = (base, over, at, notes) => {
  if (!isMap(base) || !isMap(over)) return over ?? base;
  const [under, mine] = [field(base, "driver"), field(over, "driver")];
  return under === mine || under === undefined || mine === undefined ? mergeMaps(base, over, at, notes) : over;
};

const asHosts: Rule = (base, over) => {
  const under = pairs(base);
  return [...under, ...pairs(over).filter((host) => !under.includes(host))];
};

const asSubnets: Rule = (base, over, at, notes) => {
  if (!isList(base) || !isList(over)) return over;
  const bySubnet = new Map<Raw | undefined, Raw>();
  for (const config of [...base, ...over]) {
    const subnet = isMap(config) ? field(config, "subnet") : undefined;
    const under = bySubnet.get(subnet);
    bySubnet.set(subnet, isMap(under) && isMap(config) ? mergeMaps(under, config, at, notes) : config);
  }
  return [...bySubnet.values()];
};

const rules: readonly { readonly pattern: readonly string[]; readonly rule: Rule }[] = [
  ...under("services.*", replaced, "command", "entrypoint", "healthcheck.test", "ulimits.*"),
  ...under("services.*", asPairs, "environment", "env_file", "label_file", "labels", "annotations", "sysctls", "tmpfs"),
  ...under("services.*", asPairs, "dns", "dns_opt", "dns_search", "deploy.labels", "volumes.*.volume.labels"),
  ...under("services.*.build", asPairs, "args", "labels", "additional_contexts"),
  ...under("services.*", asHosts, "extra_hosts", "build.extra_hosts"),
  ...under("services.*", asNames({ condition: "service_started", required: true }), "depends_on"),
  ...under("services.*", asNames(null), "networks", "models"),
  ...under("services.*", asBuild, "build"),
  ...under("services.*", asLogging, "logging"),
  ...under("networks.*", asSubnets, "ipam.config"),
  ...under("networks.*", asPairs, "labels"),
  ...under("volumes.*", asPairs, "labels"),
];

function under(above: string, rule: Rule, ...below: readonly string[]): { pattern: readonly string[]; rule: Rule }[] {
  return below.map((path) => ({ pattern: `${above}.${path}`.split("."), rule }));
}

/** A map as a list of `key=value`, in the order of the alphabet; a list as it is; a text as a list of one. */
function pairs(value: Raw): readonly Raw[] {
  if (isList(value)) return value;
  if (typeof value === "string") return [value];
  if (!isMap(value)) return [];
  const lines = Object.entries(value).flatMap(([key, item]): readonly Raw[] => {
    if (item === null) return [key];
    // A map with other than one value for a name is refused where it is read, if it is seen as what it is.
    if (isMap(item)) return [item];
    if (isList(item))
      return item.map((one) => (isMap(one) || isList(one) || one === null ? one : `${key}=${scalarText(one)}`));
    return [`${key}=${scalarText(item)}`];
  });
  return lines.sort((a, b) => (String(a) < String(b) ? -1 : 1));
}

function named(value: Raw, empty: Raw): RawMap {
  if (isMap(value)) return value;
  if (!isList(value)) return {};
  return Object.fromEntries(value.filter((name) => typeof name === "string").map((name) => [name, empty] as const));
}

type KeyOf = (item: Raw) => string | null;

const firstOfPair: KeyOf = (item) => (typeof item === "string" ? item.split("=", 1)[0]! : null);

const ofExpose: KeyOf = (item) => (typeof item === "string" || typeof item === "number" ? String(item) : null);

const ofMount: KeyOf = (item) => {
  if (isMap(item)) return textOf(item, "target");
  return typeof item === "string" ? targetOf(item) : null;
};

/** The path inside, of `source:target:options`, `source:target` or `target`. */
function targetOf(mount: string): string {
  return mount.split(":")[1] ?? mount;
}

const ofDevice: KeyOf = (item) => {
  if (isMap(item)) return textOf(item, "target");
  return typeof item === "string" ? (item.split(":")[1] ?? item) : null;
};

const ofFile =
  (directory: string): KeyOf =>
  (item) => {
    if (typeof item === "string") return `${directory}/${item}`;
    if (!isMap(item)) return null;
    return textOf(item, "target") ?? `${directory}/${textOf(item, "source")}`;
  };

const ofEnvFile: KeyOf = (item) => (typeof item === "string" ? item : isMap(item) ? textOf(item, "path") : null);

const ofPort: KeyOf = (item) => {
  if (typeof item === "string" || typeof item === "number") return String(item);
  if (!isMap(item)) return null;
  const part = (key: string, none: string) => {
    const value = field(item, key);
    return typeof value === "string" || typeof value === "number" ? String(value) : none;
  };
  return `${part("host_ip", "0.0.0.0")}:${part("published", "")}:${part("target", "")}/${part("protocol", "tcp")}`;
};

function textOf(map: RawMap, key: string): string | null {
  const value = field(map, key);
  return typeof value === "string" ? value : null;
}

const unique: readonly { readonly pattern: readonly string[]; readonly keyOf: KeyOf }[] = [
  ...keyed("services.*", firstOfPair, "environment", "labels", "annotations", "sysctls", "tmpfs", "links", "profiles"),
  ...keyed("services.*", firstOfPair, "dns", "dns_opt", "dns_search", "cap_add", "cap_drop", "deploy.labels"),
  ...keyed("services.*.build", firstOfPair, "args", "labels", "additional_contexts", "tags", "platforms"),
  ...keyed("services.*.networks.*", firstOfPair, "aliases", "link_local_ips"),
  ...keyed("services.*", ofMount, "volumes"),
  ...keyed("services.*", ofDevice, "devices"),
  ...keyed("services.*", ofExpose, "expose"),
  ...keyed("services.*", ofPort, "ports"),
  ...keyed("services.*", ofEnvFile, "env_file"),
  ...keyed("services.*", ofFile(""), "configs"),
  ...keyed("services.*", ofFile("/run/secrets"), "secrets"),
  ...keyed("networks.*", firstOfPair, "labels", "ipam.options"),
];

function keyed(
  above: string,
  keyOf: KeyOf,
  ...below: readonly string[]
): { pattern: readonly string[]; keyOf: KeyOf }[] {
  return below.map((path) => ({ pattern: `${above}.${path}`.split("."), keyOf }));
}
