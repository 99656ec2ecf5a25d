import {
  installInputs,
  type Manifest,
  nodeVersion,
  type PackageManager,
  packageManagerOf,
  readManifest,
} from "./node-packages.ts";
import {
  exec,
  type FoundFiles,
  healthcheck,
  isPlainPath,
  plainUser,
  type Recipe,
  type RecipeWishes,
} from "./recipe.ts";

/** Scripts that run while packages are installed, and may need any file of the product. */
const installScripts = ["preinstall", "install", "postinstall", "prepare"];

/** A program for Node: dependencies installed by the lock file, built, and only what runs in the last stage. */
export function nodeRecipe(files: FoundFiles, wishes: RecipeWishes): Recipe {
  const manifest = readManifest(files.text("package.json"));
  if (manifest === null) {
    return { is: "refused", why: "package.json cannot be read", hint: "correct package.json, or write a Dockerfile" };
  }
  const command = wishes.command.length > 0 ? wishes.command : startOf(files, manifest);
  if (command === null) {
    return {
      is: "refused",
      why: "nothing says how the service is started",
      hint: 'set the service\'s command, such as ["node", "server.js"]',
    };
  }
  const dockerfile = [
    ...nodeBuildStage(files, manifest, wishes),
    "",
    `FROM ${base(files, manifest, wishes)}`,
    "ENV NODE_ENV=production",
    "WORKDIR /app",
    "COPY --from=build /app ./",
    `USER ${plainUser}`,
    ...(wishes.port === null
      ? []
      : [`ENV PORT=${wishes.port}`, `EXPOSE ${wishes.port}`, nodeHealthcheck(wishes.port, wishes.healthPath)]),
    `CMD ${exec(command)}`,
    "",
  ].join("\n");
  return { is: "made", dockerfile, files: {} };
}

/** The stage `build`: `/app` with everything built, without what only the build needed. Also what a built site begins with. */
export function nodeBuildStage(files: FoundFiles, manifest: Manifest, wishes: RecipeWishes): string[] {
  const manager = packageManagerOf(files, manifest);
  const workspaces = manifest.workspaces || files.paths.has("pnpm-workspace.yaml");
  const run = (line: string): string =>
    wishes.cacheMounts ? `RUN --mount=type=cache,target=${manager.cache} ${line}` : `RUN ${line}`;
  return [
    `FROM ${base(files, manifest, wishes)} AS build`,
    "ENV CI=true",
    "WORKDIR /app",
    ...(manager.provide === null ? [] : [`RUN ${manager.provide}`]),
    ...copyForInstall(files, manifest),
    run(manager.install),
    "COPY . ./",
    ...buildLines(manifest, manager, workspaces),
    run(manager.prune),
  ];
}

/** One COPY a directory, because a COPY of many files forgets where they were. */
function copyForInstall(files: FoundFiles, manifest: Manifest): string[] {
  const inputs = installInputs(files);
  const readsAll =
    installScripts.some((name) => manifest.scripts[name] !== undefined) ||
    // Packages that are files of the product.
    /"(?:file|link|portal):/.test(files.text("package.json") ?? "") ||
    !inputs.every(isPlainPath);
  if (readsAll) return ["COPY . ./"];
  const byDirectory = new Map<string, string[]>();
  for (const path of inputs) {
    const directory = path.slice(0, path.lastIndexOf("/") + 1);
    byDirectory.set(directory, [...(byDirectory.get(directory) ?? []), path]);
  }
  return [...byDirectory].map(([directory, paths]) => `COPY ${paths.join(" ")} ./${directory}`);
}

function buildLines(manifest: Manifest, manager: PackageManager, workspaces: boolean): string[] {
  if (manifest.scripts.build !== undefined) return [`RUN ${manager.run("build")}`];
  return workspaces ? [`RUN ${manager.runAll("build")}`] : [];
}

/** The start script without a shell and a package manager around it where that is possible: signals then reach the program. */
function startOf(files: FoundFiles, manifest: Manifest): readonly string[] | null {
  const start = manifest.scripts.start;
  if (start !== undefined) {
    return /^node(?: [\w@.,:=/-]+)+$/.test(start) ? start.split(" ") : ["npm", "run", "--silent", "start"];
  }
  const main = [manifest.main, "server.js", "index.js"].find((path) => path !== null && files.paths.has(path));
  return main === undefined || main === null ? null : ["node", main];
}

function nodeHealthcheck(port: number, path: string | null): string {
  const ask =
    path === null
      ? `require("net").connect(env.PORT||${port},"127.0.0.1",()=>exit(0)).on("error",()=>exit(1))`
      : `fetch("http://127.0.0.1:"+(env.PORT||${port})+${JSON.stringify(path)}).then(r=>exit(r.ok?0:1),()=>exit(1))`;
  return healthcheck(["node", "-e", `const{env,exit}=process;${ask}`]);
}

function base(files: FoundFiles, manifest: Manifest, wishes: RecipeWishes): string {
  return wishes.bases.node.replaceAll("{version}", nodeVersion(files, manifest));
}
