import type { Problem } from "../product/problems.ts";
import { type Assembly, assemble, type ComposeFiles, type Variables } from "./assemble.ts";
import { checkConsistency } from "./consistency.ts";
import { newBudget } from "./interpolate.ts";
import type { ComposeAttachment, ComposeModel, ComposeService } from "./model.ts";
import { Notes } from "./notes.ts";
import { projectName } from "./project-name.ts";
import { Fields, maxItems, type Read } from "./reading/fields.ts";
import { config, network, secret, volume } from "./reading/resources.ts";
import { service } from "./reading/service.ts";
import { type At, field, isMap, type Raw, type RawMap } from "./tree.ts";

export type ComposeRequest = {
  /** Absolute paths, in the order in which they are laid over each other. */
  readonly paths: readonly string[];
  /** Absolute; what relative paths are relative to. */
  readonly directory: string;
  /** Given by hand, which wins over the `name` in the file; null takes that, or the name of the directory. */
  readonly name: string | null;
  /** Where nothing else names it, instead of the directory's name. */
  readonly fallbackName?: string;
  readonly profiles: readonly string[];
  /** What `$NAME` is looked up in: the shell's variables over those of `.env`. */
  readonly variables: Variables;
  readonly home: string | null;
};

export type ComposeReading = {
  /** Null when there is an error among the problems. */
  readonly model: ComposeModel | null;
  readonly problems: readonly Problem[];
};

/**
 * Reads a Compose project as `docker compose` does. All problems at once; never throws, whatever the files say. Time and
 * size are bounded: what is read in all, what variables may grow to, how deep files include each other, how long lists are.
 */
export function readModel(request: ComposeRequest, files: ComposeFiles): ComposeReading {
  const notes = new Notes();
  const assembly: Assembly = { files, home: request.home, notes, budget: newBudget(), filledIn: new Set() };
  // The name is a variable too, so it has to be known before variables are filled in.
  const asked = request.name ?? field(request.variables, "COMPOSE_PROJECT_NAME") ?? null;
  const own = projectName(
    asked ??
      nameIn(request, files) ??
      request.fallbackName ??
      request.directory.slice(request.directory.lastIndexOf("/") + 1),
  );
  if (own === "" || (asked !== null && asked !== own))
    notes.error(["name"], "a project is named with small letters, digits, - and _, a letter or digit first");
  const variables = { ...request.variables, COMPOSE_PROJECT_NAME: own };
  const tree = assemble({ paths: request.paths, directory: request.directory, variables }, assembly);
  const model = modelIn(tree, own, { ...request, variables }, assembly);
  checkConsistency(model, notes);
  return { model: notes.failed ? null : withUsed(model), problems: notes.problems };
}

function nameIn({ paths, variables }: ComposeRequest, files: ComposeFiles): string | null {
  const notes = new Notes();
  const found = paths.flatMap((path) => {
    const documents = files.yaml(path);
    if (documents === null || "fault" in documents) return [];
    return documents.map(({ value }) => (isMap(value) ? field(value, "name") : null));
  });
  const last = found.findLast((name) => typeof name === "string" && name !== "");
  if (typeof last !== "string") return null;
  const lone = { value: { name: last }, replaced: [] };
  const assembly = {
    files: { yaml: () => [lone], text: () => null },
    home: null,
    notes,
    budget: newBudget(),
    filledIn: new Set<string>(),
  };
  const name = field(assemble({ paths: ["name"], directory: "/", variables }, assembly), "name");
  return typeof name === "string" ? name : null;
}

function modelIn(tree: RawMap, name: string, request: ComposeRequest, assembly: Assembly): ComposeModel {
  const { notes } = assembly;
  const fields = new Fields(tree, [], notes);
  fields.raw("version");
  fields.raw("name");
  const all = entries(fields.raw("services"), ["services"], notes, (key) =>
    service(key, request.directory, { ...assembly, variables: request.variables }),
  );
  if (Object.keys(all).length === 0)
    notes.error(["services"], "there is no service", { allowed: "at least one service" });
  const active = Object.values(all).filter(({ profiles }) => isOn(profiles, request.profiles));
  const services = Object.fromEntries(active.map((one) => [one.name, withNetworks(one)] as const));
  const off = Object.values(all).filter((one) => !Object.hasOwn(services, one.name));
  const declared = fields.raw("networks");
  const withDefault: Raw =
    usesDefault(services) && (declared === null || (isMap(declared) && field(declared, "default") === undefined))
      ? { ...(isMap(declared) ? declared : {}), default: null }
      : declared;
  const model: ComposeModel = {
    name,
    directory: request.directory,
    services,
    disabled: Object.fromEntries(off.map((one) => [one.name, one.profiles] as const)),
    networks: entries(withDefault, ["networks"], notes, (key) => network({ project: name, key })),
    volumes: entries(fields.raw("volumes"), ["volumes"], notes, (key) => volume({ project: name, key })),
    secrets: entries(fields.raw("secrets"), ["secrets"], notes, (key) => secret({ project: name, key })),
    configs: entries(fields.raw("configs"), ["configs"], notes, (key) => config({ project: name, key })),
    extensions: fields.extensions,
    other: fields.kept("models"),
  };
  fields.end();
  return model;
}

/** Compose makes no network, volume, secret or config that no service has. */
function withUsed(model: ComposeModel): ComposeModel {
  const services = Object.values(model.services);
  const used = {
    networks: services.flatMap(({ networks }) => Object.keys(networks)),
    volumes: services.flatMap(({ mounts }) =>
      mounts.flatMap(({ type, source }) => (type === "volume" ? [source] : [])),
    ),
    secrets: services.flatMap(({ secrets, build }) =>
      [...secrets, ...(build?.secrets ?? [])].map(({ source }) => source),
    ),
    configs: services.flatMap(({ configs }) => configs.map(({ source }) => source)),
  };
  const kept = <T>(all: Readonly<Record<string, T>>, names: readonly (string | null)[]) => {
    const wanted = new Set(names);
    return Object.fromEntries(Object.entries(all).filter(([name]) => wanted.has(name)));
  };
  return {
    ...model,
    networks: kept(model.networks, used.networks),
    volumes: kept(model.volumes, used.volumes),
    secrets: kept(model.secrets, used.secrets),
    configs: kept(model.configs, used.configs),
  };
}

const namePattern = /^[a-zA-Z0-9._-]+$/;

/** Services and resources, under their names. One that says nothing is one with nothing but its name. */
function entries<T>(value: Raw, at: At, notes: Notes, read: (key: string) => Read<T>): Readonly<Record<string, T>> {
  if (value === null) return {};
  if (!isMap(value)) {
    notes.refuse(at, value, "an object");
    return {};
  }
  const keys = Object.keys(value);
  if (keys.length > maxItems) {
    notes.error(at, `${keys.length} entries; at most ${maxItems} are read`);
    return {};
  }
  const found = keys.flatMap((key) => {
    // Extensions may stand among networks, volumes and services too.
    if (key.startsWith("x-")) return [];
    if (!namePattern.test(key)) {
      notes.error([...at, key], "a name is made of letters, digits, dots, dashes and underscores");
      return [];
    }
    const one = read(key)(value[key]!, [...at, key], notes);
    return one === null ? [] : [[key, one] as const];
  });
  return Object.fromEntries(found);
}

function isOn(profiles: readonly string[], chosen: readonly string[]): boolean {
  return profiles.length === 0 || chosen.includes("*") || profiles.some((profile) => chosen.includes(profile));
}

/** A service that names no network is on the default one. */
function withNetworks(one: ComposeService): ComposeService {
  const alone = one.networkMode !== null || field(one.other, "provider") !== undefined;
  if (alone || Object.keys(one.networks).length > 0) return one;
  const networks: Readonly<Record<string, ComposeAttachment>> = { default: null };
  return { ...one, networks };
}

function usesDefault(services: Readonly<Record<string, ComposeService>>): boolean {
  return Object.values(services).some(({ networks }) => Object.hasOwn(networks, "default"));
}
