import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Attempting } from "../perform-step.ts";
import { type FileMark, marksOf } from "./files.ts";

const locks: ReadonlySet<string> = new Set([
  "package-lock.json",
  "npm-shrinkwrap.json",
  "pnpm-lock.yaml",
  "yarn.lock",
  "bun.lock",
  "bun.lockb",
]);
const settings: ReadonlySet<string> = new Set([
  "package.json",
  ".npmrc",
  ".yarnrc",
  ".yarnrc.yml",
  ".pnp.cjs",
  "pnpm-workspace.yaml",
  ".pnpmfile.cjs",
  ".pnpmfile.mjs",
  "bunfig.toml",
]);
/** Programs, plugins and patches of package managers that lie in the repository. */
const besides = /(?:^|\/)(?:\.yarn|patches)\//;
const managers: ReadonlySet<string> = new Set(["npm", "pnpm", "yarn", "bun", "corepack"]);

/** Scripts that an install runs of the repository's own packages: with one, anything may go into it. */
const ownScripts = [
  "preinstall",
  "install",
  "postinstall",
  "prepublish",
  "preprepare",
  "prepare",
  "postprepare",
  "dependencies",
];

/**
 * What a built-in install of Node's packages depends on: its lock files, and all that tells its package manager what to do. `files`:
 * the commit's. Null where more may go into it (a script of a package of the repository, a native addon of its own, packages for
 * Python, no lock file): then it is known by its commit alone.
 */
export async function installedFrom(
  { spec, workspace }: Pick<Attempting, "spec" | "workspace">,
  files: readonly string[],
): Promise<readonly FileMark[] | null> {
  const { work, container, runsOn } = spec.step;
  if (work.is !== "built-in" || work.uses !== "install" || container !== null || runsOn.length > 0) return null;
  if (spec.commands.length === 0 || !spec.commands.every(isOfNode)) return null;
  if (!files.some((path) => locks.has(basename(path)))) return null;
  if (files.some((path) => basename(path) === "binding.gyp")) return null;
  for (const path of files.filter((each) => basename(each) === "package.json"))
    if (!(await runsNothing(join(workspace.source, path)))) return null;
  const telling = files.filter(
    (path) => locks.has(basename(path)) || settings.has(basename(path)) || besides.test(path),
  );
  return marksOf(workspace.source, telling);
}

/** Also behind the shell that has pnpm believe the repository's own settings. */
function isOfNode(command: readonly string[]): boolean {
  const [program = "", , , , behind = ""] = command;
  return managers.has(program) || (program === "sh" && managers.has(behind));
}

async function runsNothing(manifest: string): Promise<boolean> {
  try {
    const { scripts } = JSON.parse(await readFile(manifest, "utf8")) as { readonly scripts?: unknown };
    if (scripts === undefined) return true;
    if (typeof scripts !== "object" || scripts === null) return false;
    return !ownScripts.some((name) => Object.hasOwn(scripts, name));
  } catch {
    return false;
  }
}
