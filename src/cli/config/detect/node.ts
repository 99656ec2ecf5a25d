import { basename } from "node:path";
import { parse } from "yaml";
import type { ServiceInput } from "../../../core/product/input.ts";
import { dockerfileDraft } from "./docker.ts";
import {
  commandOf,
  type Draft,
  fixedPort,
  healthOf,
  healthPathIn,
  isObject,
  nothing,
  type Reading,
  readObject,
  type Sources,
  texts,
} from "./sources.ts";

/** What makes a package listen, and what makes it a worker when nothing does. */
const webPackages = [
  "express",
  "fastify",
  "koa",
  "hono",
  "@nestjs/core",
  "next",
  "nuxt",
  "@remix-run/serve",
  "@react-router/serve",
  "@hapi/hapi",
  "restify",
  "polka",
  "h3",
  "@adonisjs/core",
  "@sveltejs/adapter-node",
  "@astrojs/node",
];
const workerPackages = ["bullmq", "bull", "bee-queue", "amqplib", "kafkajs", "agenda", "pg-boss", "graphile-worker"];

/** Builds that leave files and nothing to run, and where they leave them. */
const staticBuilds: readonly (readonly [string, string])[] = [
  ["react-scripts", "build"],
  ["@vue/cli-service", "dist"],
  ["astro", "dist"],
  ["@11ty/eleventy", "_site"],
  ["vitepress", ".vitepress/dist"],
  ["parcel", "dist"],
  ["vite", "dist"],
];

type Package = {
  readonly name: string | null;
  readonly scripts: Readonly<Record<string, unknown>>;
  readonly packages: ReadonlySet<string>;
  readonly runtime: ReadonlySet<string>;
};

/** A `package.json` with scripts, alone or with workspaces. */
export function readNode(sources: Sources): Reading {
  const root = packageAt(sources, "");
  if (root === null) return nothing;
  const product = root.name === null ? {} : { product: root.name };
  const members = workspaces(sources);
  const drafts = members.flatMap((path) => memberDrafts(sources, path));
  const own = rootDrafts(sources, root, drafts.length > 0);
  const migration = Object.keys(root.scripts).find((name) => /^(db:)?migrate(:deploy)?$/.test(name));
  const notes =
    migration === undefined
      ? []
      : [
          `package.json has a script "${migration}": if it belongs in every deployment, add a service of kind job for it.`,
        ];
  return { drafts: [...own, ...drafts], notes, ...product };
}

/** How a Node package is made ready to run; undefined when it needs nothing. */
export function nodeBuild(sources: Sources): ServiceInput["build"] {
  const root = packageAt(sources, "");
  if (root === null) return undefined;
  const install = root.packages.size > 0 || workspaces(sources).length > 0 ? installCommand(sources) : null;
  const build = typeof root.scripts.build === "string" ? `${manager(sources)} run build` : null;
  return buildOf(install, build);
}

function rootDrafts(sources: Sources, own: Package, hasMembers: boolean): readonly Draft[] {
  const build = nodeBuild(sources);
  const run = (script: string) => [manager(sources), "run", script];
  const main = hasMembers && startsMembers(own) ? null : startDraft(sources, own, "", build, run);
  const others = Object.keys(own.scripts).flatMap((script): Draft[] => {
    const name =
      /^start:(?!dev|prod|watch|debug|test)([a-z][\w-]*)$/.exec(script)?.[1] ??
      (/^(worker|queue|scheduler)$/.test(script) ? script : null);
    const line = own.scripts[script];
    if (name === null || typeof line !== "string") return [];
    const kind = /worker|queue|scheduler|cron|jobs?|consumer/.test(name) ? ("worker" as const) : ("web" as const);
    const guesses = [`It is taken for a ${kind} by its name.`, ...(kind === "web" ? fixedPort(line) : [])];
    return [
      {
        name,
        from: `package.json: script "${script}"`,
        guesses,
        service: { kind, ...withBuild(build), command: direct(line) ?? run(script) },
      },
    ];
  });
  if (main !== null) return [main, ...others];
  // A root that only holds workspaces together has no service of its own.
  return others.length > 0 || hasMembers
    ? others
    : [staticDraft(sources, own, ""), devDraft(own, build, run)].filter((draft) => draft !== null).slice(0, 1);
}

/** It starts the workspaces, all of them at once: each is a service of its own here. */
function startsMembers({ scripts }: Package): boolean {
  const line = String(scripts["start:prod"] ?? scripts.start ?? "");
  return /--workspaces?\b|\s-ws?\b|\b(?:turbo|nx|lerna|concurrently|npm-run-all2?|run-p)\b|\bpnpm\s.*(?:-r|--recursive|--filter|-F)\b|\byarn\s+workspaces?\b/.test(
    line,
  );
}

/**
 * A workspace is packed with the whole repository, because its lock file and its neighbours are there. All workspaces have
 * the same build, so they share one artifact.
 */
function memberDrafts(sources: Sources, path: string): readonly Draft[] {
  const own = packageAt(sources, path);
  if (own === null) return [];
  const tool = manager(sources);
  const build = buildOf(installCommand(sources), buildAll[tool] ?? buildAll.npm!);
  const draft = startDraft(sources, own, path, build, (script) => runIn(tool, path, own.name ?? path, script));
  const found = draft ?? staticDraft(sources, own, path) ?? dockerfileDraft(sources, path);
  if (found === null) return [];
  const dockerfile = `${path}/Dockerfile`;
  const image = sources.has(dockerfile) ? { dockerfile } : {};
  return [{ ...found, ...image, name: own.name?.replace(/^@[^/]+\//, "") ?? basename(path) }];
}

function startDraft(
  sources: Sources,
  own: Package,
  path: string,
  build: ServiceInput["build"],
  run: (script: string) => string[],
): Draft | null {
  const script = ["start:prod", "start"].find((name) => typeof own.scripts[name] === "string");
  if (script === undefined) return null;
  const line = String(own.scripts[script]);
  // react-scripts start, vite and the like are servers for development: what they build is served instead.
  if (/^(react-scripts start|vite|astro dev|vue-cli-service serve|parcel|ng serve)\b/.test(line)) return null;
  const inPlace = path === "" ? direct(line) : null;
  const command = inPlace ?? run(script);
  const kind = kindOf(own);
  const from = `${path === "" ? "" : `${path}/`}package.json: script "${script}"${kind.because}`;
  const base = { ...withBuild(build), command };
  if (kind.is === "worker")
    return { name: "worker", from, guesses: kind.guesses, service: { kind: "worker", ...base } };
  const entry = /\bnode\s+(?:--?[\w-]+\S*\s+)*([\w./-]+)/.exec(line)?.[1];
  const { guesses, ...health } = healthOf(
    entry === undefined
      ? null
      : healthPathIn(sources.read(joined(path, entry)) ?? sources.read(joined(path, `${entry}.js`))),
  );
  return {
    name: "web",
    from,
    guesses: [...kind.guesses, ...guesses, ...fixedPort(line)],
    service: { kind: "web", ...base, ...health },
  };
}

function staticDraft(sources: Sources, own: Package, path: string): Draft | null {
  const found = staticBuilds.find(([name]) => own.packages.has(name));
  if (found === undefined || typeof own.scripts.build !== "string") return null;
  const [tool, folder] = found;
  const script = `${manager(sources)} run build`;
  const build =
    path === ""
      ? { ...buildOf(installCommand(sources), script)!, output: folder }
      : {
          ...buildOf(installCommand(sources), runIn(manager(sources), path, own.name ?? path, "build").join(" "))!,
          output: `${path}/${folder}`,
        };
  const app = ["react-scripts", "vite", "@vue/cli-service"].includes(tool);
  return {
    name: "web",
    from: `${path === "" ? "" : `${path}/`}package.json: ${tool}`,
    guesses: [
      `${tool} writes to ${folder}, unless it is told otherwise.`,
      ...(app ? ["Unknown paths are answered with index.html, as a single-page app needs it."] : []),
    ],
    service: { kind: "static", build, ...(app ? { fallback: "index.html" } : {}) },
  };
}

function devDraft(own: Package, build: ServiceInput["build"], run: (script: string) => string[]): Draft | null {
  if (typeof own.scripts.dev !== "string") return null;
  const { guesses } = healthOf(null);
  return {
    name: "web",
    from: 'package.json: script "dev"',
    guesses: ['There is no script "start", and "dev" is for development; name what runs in production.', ...guesses],
    service: { kind: "web", ...withBuild(build), command: run("dev") },
  };
}

function kindOf({ runtime }: Package): { is: "web" | "worker"; because: string; guesses: readonly string[] } {
  const web = webPackages.find((name) => runtime.has(name));
  if (web !== undefined) return { is: "web", because: `, ${web}`, guesses: [] };
  const worker = workerPackages.find((name) => runtime.has(name));
  if (worker !== undefined) return { is: "worker", because: `, ${worker}`, guesses: [] };
  return {
    is: "web",
    because: "",
    guesses: ["Nothing says whether it listens for HTTP; if it does not, its kind is worker."],
  };
}

/** A script that only starts node needs no npm around it, which would stand between it and its signals. */
function direct(line: string): string[] | null {
  const command = commandOf(line);
  return command[0] === "node" ? command : null;
}

function packageAt(sources: Sources, path: string): Package | null {
  const json = readObject(sources, joined(path, "package.json"));
  if (json === null) return null;
  const runtime = new Set(Object.keys(isObject(json.dependencies) ? json.dependencies : {}));
  const dev = Object.keys(isObject(json.devDependencies) ? json.devDependencies : {});
  return {
    name: typeof json.name === "string" && json.name !== "" ? json.name : null,
    scripts: isObject(json.scripts) ? json.scripts : {},
    packages: new Set([...runtime, ...dev]),
    runtime,
  };
}

const maxMembers = 30;

/** Their directories. */
export function workspaces(sources: Sources): readonly string[] {
  const json = readObject(sources, "package.json");
  const listed = isObject(json?.workspaces) ? texts(json.workspaces.packages) : texts(json?.workspaces);
  const pnpm = pnpmWorkspaces(sources.read("pnpm-workspace.yaml") ?? "");
  const patterns = [...listed, ...pnpm]
    .map((pattern) => pattern.replace(/^\.\//, "").replace(/\/$/, ""))
    .filter((pattern) => !/^!|\.\.|^\//.test(pattern));
  const paths = patterns.flatMap((pattern) => {
    if (!pattern.includes("*")) return [pattern];
    const above = pattern.replace(/\/?\*.*$/, "");
    return sources.folders(above === "" ? "." : above).map((name) => joined(above, name));
  });
  return [...new Set(paths)].filter((path) => sources.has(`${path}/package.json`)).slice(0, maxMembers);
}

function pnpmWorkspaces(text: string): readonly string[] {
  try {
    const root: unknown = parse(text, { logLevel: "silent", maxAliasCount: 100 });
    return isObject(root) ? texts(root.packages) : [];
  } catch {
    return [];
  }
}

function manager(sources: Sources): string {
  if (sources.has("pnpm-lock.yaml")) return "pnpm";
  if (sources.has("yarn.lock")) return "yarn";
  return sources.has("bun.lock") || sources.has("bun.lockb") ? "bun" : "npm";
}

function installCommand(sources: Sources): string {
  const tool = manager(sources);
  if (tool === "npm") return sources.has("package-lock.json") ? "npm ci" : "npm install";
  return tool === "yarn" ? "yarn install --immutable" : `${tool} install --frozen-lockfile`;
}

const buildAll: Readonly<Record<string, string>> = {
  npm: "npm run build --workspaces --if-present",
  pnpm: "pnpm -r --if-present run build",
  yarn: "yarn workspaces foreach --all --topological run build",
  bun: "bun run --filter '*' build",
};

function runIn(tool: string, path: string, name: string, script: string): string[] {
  if (tool === "npm") return ["npm", "run", script, "--workspace", path];
  if (tool === "pnpm") return ["pnpm", "--filter", `./${path}`, "run", script];
  return tool === "yarn" ? ["yarn", "workspace", name, "run", script] : ["bun", "run", "--filter", `./${path}`, script];
}

function buildOf(install: string | null, build: string | null): ServiceInput["build"] {
  const steps = [install, build].filter((step) => step !== null);
  if (steps.length === 0) return undefined;
  return { command: steps.length === 1 ? commandOf(steps[0]!) : ["sh", "-c", steps.join(" && ")] };
}

function withBuild(build: ServiceInput["build"]): { build?: NonNullable<ServiceInput["build"]> } {
  return build === undefined ? {} : { build };
}

function joined(path: string, name: string): string {
  return path === "" ? name : `${path}/${name}`;
}
