import { basename, resolve } from "node:path";
import { cycles } from "../../core/product/checks/needs.ts";
import type { ProductInput, ServiceInput } from "../../core/product/input.ts";
import { validateProduct } from "../../core/product/validate.ts";
import { nameGuess } from "../../core/product/wording.ts";
import { readComposeProject } from "./detect/compose.ts";
import { readDocker } from "./detect/docker.ts";
import { readFolders } from "./detect/folders.ts";
import { nodeBuild, readNode } from "./detect/node.ts";
import { readProcfile } from "./detect/procfile.ts";
import { pythonBuild, readPython } from "./detect/python.ts";
import { readSite } from "./detect/site.ts";
import { type Draft, type Reading, type Sources, sourcesOf } from "./detect/sources.ts";

type Told = {
  readonly from: string;
  readonly guesses: readonly string[];
  /** Its own Dockerfile, from the top of the repository. */
  readonly dockerfile?: string;
};

/** A first config for a repository, and what it rests on. */
export type Detection = {
  /** Passes `validateProduct` without an error. */
  readonly product: ProductInput;
  /** For each service: the file that told of it, and what was only guessed. */
  readonly services: Readonly<Record<string, Told>>;
  /** What a person should know besides, such as accessories. */
  readonly notes: readonly string[];
};

/**
 * A Compose file of which something is released is the product, whatever else is there; see `readComposeProject`. Else it
 * looks at a repository's files (never runs them) and proposes a config. A Procfile says best what runs; then a Compose
 * file's services; then package.json, of workspaces too, and Python's files; then a Dockerfile alone; then directories that are programs of their own; then files to serve. Changes nothing.
 */
export function detectProduct(directory: string): Detection {
  const compose = readComposeProject(directory);
  if (compose.product !== null) return { product: compose.product, services: {}, notes: compose.notes };
  const sources = sourcesOf(directory);
  const readings = read(sources);
  const all = readings.flatMap((reading) => reading.drafts);
  const refused = new Map(all.map((draft) => [draft, whyNot(draft)]));
  const usable = all.filter((draft) => refused.get(draft) === null);
  const drafts = named(usable.length > 0 ? usable : unknown.drafts);
  const product: ProductInput = {
    name: productName([...readings.map((reading) => reading.product), basename(resolve(directory))]),
    services: Object.fromEntries(drafts.map(({ name, service }) => [name, service])),
  };
  const { config, problems } = validateProduct(product);
  // What was read from somebody's files has gone through our own names and paths, so this is a bug of ours, not of theirs.
  if (config === null) throw new Error(`the detected config is not valid: ${JSON.stringify(problems)}`);
  const services = Object.fromEntries(
    drafts.map(({ name, from, guesses, dockerfile }): [string, Told] => {
      return [name, { from, guesses, ...(dockerfile === undefined ? {} : { dockerfile }) }];
    }),
  );
  const odd = all.flatMap((draft) => refused.get(draft) ?? []);
  return { product, services, notes: [...compose.notes, ...readings.flatMap(({ notes }) => notes), ...odd] };
}

/** What somebody's file says may be nothing that we can run: told, and left out. */
function whyNot({ service: { needs: _, ...service }, from }: Draft): string | null {
  const { problems } = validateProduct({ name: "product", services: { service } });
  const error = problems.find(({ severity }) => severity === "error");
  return error === undefined ? null : `${from} was left out: ${error.message}.`;
}

function read(sources: Sources): readonly Reading[] {
  const node = readNode(sources);
  const python = readPython(sources);
  const docker = readDocker(sources);
  const procfile = readProcfile(sources, nodeBuild(sources) ?? pythonBuild(sources));
  const notesOnly = (reading: Reading): Reading => ({ ...reading, drafts: [] });
  if (procfile.drafts.length > 0) return [procfile, notesOnly(node), notesOnly(python), notesOnly(docker)];
  const several = docker.drafts.length > 1;
  const byLanguage = [node, python].filter(({ drafts }) => drafts.length > 0);
  if (several) return [docker, notesOnly(node), notesOnly(python)];
  if (byLanguage.length > 0) return [...byLanguage, notesOnly(docker)];
  if (docker.drafts.length > 0) return [docker, notesOnly(node), notesOnly(python)];
  const folders = readFolders(sources);
  if (folders.drafts.length > 0) return [folders, notesOnly(node), notesOnly(python)];
  const site = readSite(sources);
  return [site.drafts.length > 0 ? site : unknown, notesOnly(node), notesOnly(python), notesOnly(docker)];
}

/** Nothing was recognised: a config to be changed by hand. */
const unknown: Reading = {
  drafts: [
    {
      name: "web",
      from: "nothing was recognised",
      service: { kind: "web", command: ["./start"] },
      guesses: ["Everything here stands for what you run: put its command, and what it is, in its place."],
    },
  ],
  notes: [],
};

const frontNames = ["web", "frontend", "front", "client", "ui", "www", "site", "app"];

/** Names made valid and different, needs renamed with them, and a route for each that listens. */
function named(drafts: readonly Draft[]): readonly Draft[] {
  const taken = new Set<string>();
  const names = drafts.map(({ name, service }) => {
    const base = nameGuess(name)?.slice(0, 36) ?? service.kind ?? "service";
    let free = base;
    for (let count = 2; taken.has(free); count++) free = `${base}-${count}`;
    taken.add(free);
    return free;
  });
  const listening = drafts
    .map(({ service }, index) => ({ kind: service.kind, name: names[index]! }))
    .filter(({ kind }) => kind === "web" || kind === "static");
  const front =
    listening.find(({ name }) => frontNames.includes(name)) ??
    listening.find(({ kind }) => kind === "static") ??
    listening[0];
  const graph = new Map(drafts.map(({ name, service }) => [name, service.needs ?? []]));
  const inCircles = new Set(cycles(graph).flat());
  return drafts.map((draft, index) => {
    const name = names[index]!;
    const renamed = (other: string) => names[drafts.findIndex((one) => one.name === other)];
    // A circle could not start; which of its edges is the wrong one, only a person knows.
    const wanted = inCircles.has(draft.name) ? [] : (draft.service.needs ?? []);
    const needs = wanted.map(renamed).filter((other) => other !== undefined && other !== name) as string[];
    const listens = draft.service.kind === "web" || draft.service.kind === "static";
    const aside = listens && name !== front?.name;
    const { needs: _, ...rest } = draft.service;
    const service: ServiceInput = {
      ...rest,
      ...(aside ? { routes: `/${name}` } : {}),
      ...(needs.length > 0 ? { needs: [...new Set(needs)] } : {}),
    };
    const guesses = aside
      ? [...draft.guesses, `${front?.name} takes every path that no other service has; this one takes /${name}.`]
      : draft.guesses;
    return { ...draft, name, service, guesses };
  });
}

function productName(candidates: readonly (string | undefined)[]): string {
  const names = candidates.map((name) => (name === undefined ? undefined : nameGuess(name.replace(/^@[^/]+\//, ""))));
  return names.find((name) => name !== undefined) ?? "product";
}
