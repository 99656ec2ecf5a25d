import { anchored } from "./anchor.ts";
import { parseEnvFile } from "./dotenv.ts";
import { type Budget, interpolate } from "./interpolate.ts";
import { mergeOver, without, withoutRepeats } from "./merge.ts";
import type { Notes } from "./notes.ts";
import { absolutePath, directoryOf } from "./paths.ts";
import { type At, type ComposeDocument, field, isList, isMap, type Raw, type RawMap, sizeOf } from "./tree.ts";

/** What is read from the disk for a model. Each answers null for a file that is not there. */
export type ComposeFiles = {
  /** The documents of a YAML file. */
  yaml(path: string): readonly ComposeDocument[] | { readonly fault: string } | null;
  /** A text file. */
  text(path: string): string | { readonly fault: string } | null;
};

export type Variables = Readonly<Record<string, string>>;

export type Assembly = {
  readonly files: ComposeFiles;
  readonly home: string | null;
  readonly notes: Notes;
  readonly budget: Budget;
  /**
   * Collects the names in environments whose value is written with variables: it is not known from the file alone. A star
   * where the name is written so too.
   */
  readonly filledIn: Set<string>;
};

/** The files of one model, in the order in which they are laid over each other. Absolute paths. */
export type Sources = {
  readonly paths: readonly string[];
  /** What relative paths in them are relative to. */
  readonly directory: string;
  readonly variables: Variables;
};

// More than people have; an include that grows by itself ends there.
const maxDepth = 20;
const maxFiles = 200;

/**
 * Several Compose files, with all that they include and extend, as one tree: variables filled in, paths absolute. What is
 * wrong is noted and left out.
 */
export function assemble(sources: Sources, assembly: Assembly): RawMap {
  return modelOf(sources, { ...assembly, including: [], opened: { count: 0 } });
}

type Loading = Assembly & { readonly including: readonly string[]; readonly opened: { count: number } };

function modelOf(sources: Sources, loading: Loading): RawMap {
  let tree: RawMap = {};
  for (const path of sources.paths) {
    const inside = { ...loading, including: [...loading.including, path] };
    for (const document of documentsOf(path, [], loading)) tree = withDocument(tree, document, path, sources, inside);
  }
  return withVariables(anchored(tree, { directory: sources.directory, home: loading.home }), sources.variables);
}

function withDocument(
  tree: RawMap,
  document: ComposeDocument,
  path: string,
  sources: Sources,
  loading: Loading,
): RawMap {
  const own = withValues(document, sources, loading);
  if (own === null) return tree;
  const complete = withIncluded(own, document.replaced, sources, loading);
  const under = without(tree, document.replaced) as RawMap;
  const services = field(complete, "services");
  const extended = isMap(services)
    ? {
        ...complete,
        services: new Extending(loading, sources, document.replaced).all(services, path),
      }
    : complete;
  const merged = mergeOver(under, extended, [], loading.notes);
  return withoutRepeats(merged, []) as RawMap;
}

function withValues(document: ComposeDocument, { variables }: Sources, loading: Loading): RawMap | null {
  const { notes, budget } = loading;
  noteFilledIn(document.value, loading.filledIn);
  const value = interpolate(document.value, [], (name) => field(variables, name), budget, notes);
  if (isMap(value)) return value;
  notes.error([], value === null ? "the file is empty" : "a Compose file is an object with services", {
    allowed: "an object with services",
  });
  return null;
}

function noteFilledIn(value: Raw, names: Set<string>): void {
  const services = isMap(value) ? field(value, "services") : null;
  for (const service of isMap(services) ? Object.values(services) : []) {
    const environment = isMap(service) ? (field(service, "environment") ?? null) : null;
    for (const line of isList(environment) ? environment : []) {
      if (typeof line !== "string" || !line.includes("$")) continue;
      const [name = ""] = line.split("=", 1);
      names.add(name.includes("$") ? "*" : name);
    }
    for (const [name, item] of isMap(environment) ? Object.entries(environment) : [])
      if (typeof item === "string" && item.includes("$")) names.add(name);
  }
}

function documentsOf(path: string, at: At, { files, notes, opened, budget }: Loading): readonly ComposeDocument[] {
  if (++opened.count > maxFiles) {
    notes.error(at, `more than ${maxFiles} files are included or extended`);
    return [];
  }
  const found = files.yaml(path);
  if (found === null) notes.error(at, `there is no file ${path}`);
  else if ("fault" in found) notes.error(at, found.fault);
  if (found === null || "fault" in found) return [];
  return found.every(({ value }) => affordable(value, at, budget, notes)) ? found : [];
}

/** Takes a tree's size from what may still be read. */
function affordable(value: Raw, at: At, budget: Budget, notes: Notes): boolean {
  if (budget.nodes >= 0) budget.nodes -= sizeOf(value);
  if (budget.nodes < 0) notes.error(at, "all files together, with what they include and extend, are too large");
  return budget.nodes >= 0;
}

/** A document with what it includes under it. What it says itself is laid over that. */
function withIncluded(own: RawMap, replaced: readonly At[], sources: Sources, loading: Loading): RawMap {
  const { include = null, ...rest } = own;
  if (include === null) return own;
  if (!isList(include)) {
    loading.notes.refuse(["include"], include, "a list of files");
    return rest;
  }
  return include.reduce<RawMap>((tree, item, index) => {
    const included = includedModel(item, ["include", index], sources, loading);
    return included === null ? tree : imported(tree, included, replaced, loading.notes);
  }, rest);
}

function includedModel(item: Raw, at: At, sources: Sources, loading: Loading): RawMap | null {
  const { notes, home, including } = loading;
  const wanted = isMap(item) ? item : { path: item };
  const paths = texts(field(wanted, "path")).map((path) => absolutePath(path, { directory: sources.directory, home }));
  const [first] = paths;
  if (first === undefined) {
    notes.refuse(at, item, "a path, or an object with path, project_directory and env_file");
    return null;
  }
  if (including.includes(first)) {
    notes.error(
      at,
      `${first} includes itself, by way of ${including.slice(including.indexOf(first) + 1).join(", ") || "nothing else"}`,
    );
    return null;
  }
  if (including.length > maxDepth) {
    notes.error(at, `files include each other more than ${maxDepth} deep`);
    return null;
  }
  const directory = field(wanted, "project_directory");
  const here =
    typeof directory === "string"
      ? absolutePath(directory, { directory: sources.directory, home })
      : directoryOf(first);
  const envFiles = texts(field(wanted, "env_file"))
    .filter((path) => path !== "/dev/null")
    .map((path) => absolutePath(path, { directory: sources.directory, home }));
  const variables = includedVariables(envFiles, here, at, sources, loading);
  return modelOf({ paths, directory: here, variables }, loading);
}

/** Those of the including file win over those beside the included one. */
function includedVariables(
  envFiles: readonly string[],
  here: string,
  at: At,
  sources: Sources,
  loading: Loading,
): Variables {
  const beside = envFiles.length > 0 ? envFiles : [`${here}/.env`];
  let found: Variables = {};
  for (const path of beside) {
    const text = loading.files.text(path);
    if (text === null && envFiles.length > 0) loading.notes.error([...at, "env_file"], `there is no file ${path}`);
    if (text === null) continue;
    if (typeof text !== "string") {
      loading.notes.error([...at, "env_file"], text.fault);
      continue;
    }
    const lookup = (name: string) => field(sources.variables, name);
    const { values, fault } = parseEnvFile(text, lookup, { budget: loading.budget });
    if (fault !== null) loading.notes.error([...at, "env_file"], `${path}: ${fault}`);
    found = { ...found, ...values };
  }
  return { ...found, ...sources.variables };
}

const resources = ["services", "volumes", "networks", "secrets", "configs", "models"];

function imported(own: RawMap, included: RawMap, replaced: readonly At[], notes: Notes): RawMap {
  const under = without(included, replaced) as RawMap;
  const added = resources.flatMap((kind) => {
    const [theirs, mine] = [field(under, kind), field(own, kind)];
    if (!isMap(theirs)) return [];
    const all = isMap(mine) ? mergeOver(theirs, mine, [kind], notes) : theirs;
    return [[kind, all] as const];
  });
  return { ...own, ...Object.fromEntries(added) };
}

/** Services with what they extend under them. */
class Extending {
  readonly #loading: Loading;
  readonly #sources: Sources;
  readonly #replaced: readonly At[];
  readonly #otherFiles = new Map<string, RawMap | null>();

  constructor(loading: Loading, sources: Sources, replaced: readonly At[]) {
    this.#loading = loading;
    this.#sources = sources;
    this.#replaced = replaced;
  }

  all(services: RawMap, path: string): RawMap {
    return Object.fromEntries(
      Object.keys(services).map((name) => [name, this.#one(services, name, path, [])] as const),
    );
  }

  #one(services: RawMap, name: string, path: string, above: readonly string[]): Raw {
    const service = field(services, name) ?? null;
    const wanted = isMap(service) ? (field(service, "extends") ?? null) : null;
    if (!isMap(service) || wanted === null) return service;
    const { extends: _, ...own } = service;
    const at = ["services", above[0]?.split("#")[1] ?? name, "extends"];
    const step = `${path}#${name}`;
    const { notes } = this.#loading;
    if (above.includes(step) || above.length > maxDepth) {
      notes.error(
        at,
        above.includes(step) ? "extends itself" : `services extend each other more than ${maxDepth} deep`,
      );
      return own;
    }
    const base = this.#baseOf(wanted, services, path, at);
    if (base === null) return own;
    const inherited = this.#one(base.services, base.name, base.path, [...above, step]);
    if (!affordable(inherited, at, this.#loading.budget, notes)) return own;
    const under = without({ services: { [name]: inherited } }, this.#replaced) as { services: RawMap };
    return mergeOver(field(under.services, name) ?? null, own, ["services", name], notes);
  }

  #baseOf(
    wanted: Raw,
    services: RawMap,
    path: string,
    at: At,
  ): { services: RawMap; name: string; path: string } | null {
    const { notes, home } = this.#loading;
    const name = typeof wanted === "string" ? wanted : isMap(wanted) ? field(wanted, "service") : null;
    const file = isMap(wanted) ? (field(wanted, "file") ?? null) : null;
    if (typeof name !== "string" || (file !== null && typeof file !== "string")) {
      notes.refuse(at, wanted, "the name of a service, or an object with service and file");
      return null;
    }
    const other = file === null ? path : absolutePath(file, { directory: this.#sources.directory, home });
    const there = file === null ? services : this.#servicesOf(other, at);
    if (there !== null && field(there, name) === undefined) notes.error(at, `there is no service ${name} in ${other}`);
    return there === null || field(there, name) === undefined ? null : { services: there, name, path: other };
  }

  /** The services of another file, as they are there; their paths are relative to that file. */
  #servicesOf(path: string, at: At): RawMap | null {
    const known = this.#otherFiles.get(path);
    if (known !== undefined) return known;
    const trees = documentsOf(path, at, this.#loading)
      .map((document) => withValues(document, this.#sources, this.#loading))
      .filter((tree) => tree !== null);
    const merged = trees.reduce<Raw>((under, over) => mergeOver(under, over, [], this.#loading.notes), {});
    const tree = anchored(withoutRepeats(merged, []) as RawMap, {
      directory: directoryOf(path),
      home: this.#loading.home,
    });
    const services = field(tree, "services");
    const found = isMap(services) ? services : null;
    if (found === null && trees.length > 0) this.#loading.notes.error(at, `${path} has no services`);
    this.#otherFiles.set(path, found);
    return found;
  }
}

/** Variables that a list of an environment only names get the value that they have for this file. */
function withVariables(tree: RawMap, variables: Variables): RawMap {
  const services = field(tree, "services");
  if (!isMap(services)) return tree;
  const filled = Object.entries(services).map(([name, service]) => {
    const environment = isMap(service) ? field(service, "environment") : null;
    if (!isMap(service) || !isList(environment)) return [name, service] as const;
    const lines = environment.map((line) => {
      const value = typeof line === "string" ? field(variables, line) : undefined;
      return value === undefined ? line : `${String(line)}=${value}`;
    });
    return [name, { ...service, environment: lines }] as const;
  });
  return { ...tree, services: Object.fromEntries(filled) };
}

function texts(value: Raw | undefined): readonly string[] {
  if (typeof value === "string") return [value];
  return isList(value) ? value.filter((item) => typeof item === "string") : [];
}
