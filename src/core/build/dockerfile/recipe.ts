/** What is found in a build context, as far as a Dockerfile is made from it. Paths are relative, with `/`. */
export type FoundFiles = {
  /** Every file that is not ignored. */
  readonly paths: ReadonlySet<string>;
  /** Content of the small files that say how the rest is built. */
  text(path: string): string | null;
};

/** Files whose content a recipe asks for, wherever they are. */
export const toldBy: readonly string[] = [
  "package.json",
  "pnpm-lock.yaml",
  "pnpm-workspace.yaml",
  "yarn.lock",
  ".yarnrc.yml",
  ".nvmrc",
  ".node-version",
  ".python-version",
  "pyproject.toml",
  "poetry.lock",
  "uv.lock",
  "requirements.txt",
  "package-lock.json",
  "npm-shrinkwrap.json",
];

/** Images that generated Dockerfiles begin from. `{version}` is what the product's own files ask for. */
export type BaseImages = {
  readonly node: string;
  readonly python: string;
  readonly site: string;
};

export const officialBases: BaseImages = {
  node: "node:{version}-slim",
  python: "python:{version}-slim",
  site: "nginx:stable-alpine-slim",
};

export type RecipeWishes = {
  readonly command: readonly string[];
  readonly port: number | null;
  readonly healthPath: string | null;
  /** Files that are served as they are, after they were built; null for a program. */
  readonly site: { readonly directory: string; readonly fallback: string | null } | null;
  readonly bases: BaseImages;
  /** Whether package caches may be mounted, which only BuildKit does. */
  readonly cacheMounts: boolean;
};

/** A Dockerfile, and files it copies that are not the product's; or why there is none. */
export type Recipe =
  | { readonly is: "made"; readonly dockerfile: string; readonly files: Readonly<Record<string, string>> }
  | { readonly is: "refused"; readonly why: string; readonly hint: string };

/** Where files of ours are in the context; nothing of a product begins like this. */
export const ownDirectory = ".slipway-build";

/** Nobody's in particular: no name in the image is needed, and a cluster can see that it is not root. */
export const plainUser = "1000:1000";

export const exec = (command: readonly string[]): string => JSON.stringify(command);

/** Often enough to notice within half a minute; the platform's own probes are faster and decide. */
const healthOptions = "--interval=10s --timeout=5s --start-period=30s --retries=3";

export function healthcheck(command: readonly string[]): string {
  return `HEALTHCHECK ${healthOptions} CMD ${exec(command)}`;
}

/** Paths that can stand in an instruction as they are. */
export const isPlainPath = (path: string): boolean => /^[\w@.+/-]+$/.test(path);

/** Stays out of generated images when there is no `.dockerignore`: what a checkout may hold and an image must not. */
export const generatedIgnore = [
  ".git",
  "**/node_modules",
  "**/.env",
  "**/.env.*",
  "!**/.env.example",
  "**/.venv",
  "**/__pycache__",
  "**/.DS_Store",
  "**/.npmrc.local",
  "slipway.config.*",
  "",
].join("\n");
