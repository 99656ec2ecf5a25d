import { type FoundFiles, isPlainPath } from "./recipe.ts";

export type Manifest = {
  readonly scripts: Readonly<Record<string, string>>;
  readonly main: string | null;
  readonly packageManager: string | null;
  readonly engine: string | null;
  readonly workspaces: boolean;
};

/** Null when there is none or it cannot be read as one. */
export function readManifest(text: string | null): Manifest | null {
  const raw = object(parse(text));
  if (raw === null) return null;
  const scripts = Object.entries(object(raw.scripts) ?? {}).filter(
    (pair): pair is [string, string] => typeof pair[1] === "string",
  );
  return {
    scripts: Object.fromEntries(scripts),
    main: string(raw.main),
    packageManager: string(raw.packageManager),
    engine: string(object(raw.engines)?.node),
    workspaces: raw.workspaces !== undefined,
  };
}

/** How dependencies are installed, everything built, and what only the build needed left out; one line each. */
export type PackageManager = {
  readonly name: "npm" | "pnpm" | "yarn";
  /** Puts the manager itself into the image; null when the base has it. */
  readonly provide: string | null;
  readonly install: string;
  readonly prune: string;
  /** Where it keeps what it downloaded. */
  readonly cache: string;
  run(script: string): string;
  /** Runs a script in every package that has it. */
  runAll(script: string): string;
};

const root = "/root";

/** By the manifest's `packageManager`, else by the lock file that is there, else npm. */
export function packageManagerOf(files: FoundFiles, manifest: Manifest): PackageManager {
  const [, named, version] = /^(npm|pnpm|yarn)@(\d[\w.-]*)/.exec(manifest.packageManager ?? "") ?? [];
  const name = named ?? (files.paths.has("pnpm-lock.yaml") ? "pnpm" : files.paths.has("yarn.lock") ? "yarn" : "npm");
  if (name === "pnpm") return pnpm(files, version);
  if (name === "yarn") return isBerry(files, version) ? berry(files, version) : classicYarn(files, version);
  return npm(files, version);
}

function npm({ paths }: FoundFiles, version: string | undefined): PackageManager {
  const locked = paths.has("package-lock.json") || paths.has("npm-shrinkwrap.json");
  return {
    name: "npm",
    provide: version === undefined ? null : `npm install --global npm@${version}`,
    install: locked ? "npm ci --no-audit --no-fund" : "npm install --no-audit --no-fund",
    prune: "npm prune --omit=dev --no-audit --no-fund",
    cache: `${root}/.npm`,
    run: (script) => `npm run ${script}`,
    runAll: (script) => `npm run ${script} --workspaces --include-workspace-root --if-present`,
  };
}

function pnpm(files: FoundFiles, version: string | undefined): PackageManager {
  const lock = /^lockfileVersion:\s*'?(\d+)/m.exec(files.text("pnpm-lock.yaml") ?? "")?.[1];
  const fitting = lock === "5" ? "7" : lock === "6" ? "8" : "10";
  const locked = lock === undefined ? "" : " --frozen-lockfile";
  return {
    name: "pnpm",
    provide: `npm install --global pnpm@${version ?? fitting}`,
    install: `pnpm install${locked}`,
    // `pnpm prune` knows nothing of workspaces; an install without dev dependencies takes away what is too much.
    prune: `pnpm install${locked} --prod --ignore-scripts --offline`,
    cache: `${root}/.local/share/pnpm/store`,
    run: (script) => `pnpm run ${script}`,
    runAll: (script) => `pnpm --recursive --if-present run ${script}`,
  };
}

function classicYarn({ paths }: FoundFiles, version: string | undefined): PackageManager {
  const locked = paths.has("yarn.lock") ? " --frozen-lockfile" : "";
  return {
    name: "yarn",
    provide: version === undefined ? null : `npm install --global --force yarn@${version}`,
    install: `yarn install${locked} --non-interactive`,
    prune: `yarn install${locked} --non-interactive --production --ignore-scripts --prefer-offline`,
    cache: "/usr/local/share/.cache/yarn",
    run: (script) => `yarn run ${script}`,
    runAll: (script) => `yarn workspaces run ${script}`,
  };
}

/** Yarn 2 and newer: the program is in the repository, or comes from npm under another name. */
function berry(files: FoundFiles, version: string | undefined): PackageManager {
  const path = /^yarnPath:\s*["']?([^"'\s]+)/m.exec(files.text(".yarnrc.yml") ?? "")?.[1];
  const kept = path !== undefined && isPlainPath(path) && files.paths.has(path) ? path : null;
  const yarn = kept === null ? "yarn" : `node ${kept}`;
  return {
    name: "yarn",
    provide: kept === null ? `npm install --global --force @yarnpkg/cli-dist@${version ?? "4"}` : null,
    install: `${yarn} install --immutable`,
    prune: `${yarn} workspaces focus --all --production`,
    cache: `${root}/.yarn/berry/cache`,
    run: (script) => `${yarn} run ${script}`,
    runAll: (script) => `${yarn} workspaces foreach --all --topological run ${script}`,
  };
}

function isBerry(files: FoundFiles, version: string | undefined): boolean {
  if (version !== undefined) return !version.startsWith("1.");
  return /^__metadata:/m.test(files.text("yarn.lock") ?? "") || files.paths.has(".yarnrc.yml");
}

/** Files that decide what is installed: they are copied first, so that a change of code leaves the installed packages cached. */
export function installInputs({ paths }: FoundFiles): readonly string[] {
  const names =
    /(^|\/)package\.json$|^(?:package-lock\.json|npm-shrinkwrap\.json|pnpm-lock\.yaml|pnpm-workspace\.yaml|\.pnpmfile\.cjs|yarn\.lock|\.yarnrc\.yml|\.npmrc)$|^\.yarn\/(?:releases|plugins|patches)\/|^patches\//;
  return [...paths].filter((path) => names.test(path) && !/(^|\/)node_modules\//.test(path)).sort();
}

/** The major version that the product asks for, else the line that is supported longest today. */
export function nodeVersion(files: FoundFiles, manifest: Manifest | null): string {
  const asked = files.text(".nvmrc") ?? files.text(".node-version") ?? manifest?.engine ?? "";
  const found = /(\d{2})(?:\.|\b)/.exec(asked)?.[1];
  // `>=18` is a floor, not a wish for 18.
  if (found === undefined || /^\s*(?:>|\*)/.test(asked)) return Number(found ?? 0) > 22 ? String(found) : "22";
  return found;
}

const parse = (text: string | null): unknown => {
  if (text === null) return null;
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch {
    return null;
  }
};
const object = (value: unknown): Record<string, unknown> | null =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
const string = (value: unknown): string | null => (typeof value === "string" ? value : null);
