import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { SlipwayError } from "../../../core/errors/error.ts";
import { type GitOptions, git, must } from "./command.ts";

/** A repository as an export reads it: where git is asked, and how it is told which repository is meant. */
export type Opened = {
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Where its files are checked out; null when they are not. */
  readonly workTree: string | null;
};

/** A commit of another repository at a path of this one. */
export type Link = { readonly path: string; readonly hash: string };

/** Mode of an index entry that is a commit and no file. */
const linkMode = "160000";

/** The submodules in an index, also those that no `.gitmodules` knows of. */
export async function linksIn(directory: string, options: GitOptions): Promise<readonly Link[]> {
  const entries = (await must(directory, ["ls-files", "--stage", "-z"], options)).split("\0");
  return entries
    .filter((entry) => entry.startsWith(`${linkMode} `))
    .map((entry) => ({ hash: entry.split(" ")[1] ?? "", path: entry.slice(entry.indexOf("\t") + 1) }));
}

/**
 * The repository that has the submodule's commit: where it is checked out, else where git keeps those that once were. Nothing
 * is fetched. Errors: GIT_UNKNOWN_COMMIT when the commit is not on this machine.
 */
export async function openLink(
  parent: Opened,
  commit: string,
  link: Link,
  into: string,
  signal: AbortSignal,
): Promise<Opened> {
  const name = await nameOf(parent, commit, link.path, signal);
  for (const found of [await checkedOut(parent, link.path, signal), await kept(parent, name, signal)]) {
    if (found === null) continue;
    // Its own config may name a working tree that is gone.
    const environment = { GIT_DIR: found.gitDirectory, GIT_WORK_TREE: into };
    const look = await git(into, ["cat-file", "-e", `${link.hash}^{commit}`], { environment, signal });
    if (look.code === 0) return { directory: into, environment, workTree: found.workTree };
  }
  throw notHere(link, name !== null);
}

/** Whether there is a repository of its own at the path, and not only a directory of the one around it. */
export async function isRepository(directory: string): Promise<boolean> {
  return lstat(join(directory, ".git")).then(
    () => true,
    () => false,
  );
}

export function notHere({ path, hash }: Link, isNamed: boolean): SlipwayError {
  const short = hash.slice(0, 7);
  return isNamed
    ? new SlipwayError("GIT_UNKNOWN_COMMIT", {
        message: `commit ${short} of the submodule ${path} is not on this machine`,
        hint: "run: git submodule update --init --recursive",
      })
    : new SlipwayError("GIT_UNKNOWN_COMMIT", {
        message: `${path} is commit ${short} of another repository, which is not on this machine`,
        hint: `make it a submodule, or take it out: git rm --cached ${path}`,
      });
}

type Found = { readonly gitDirectory: string; readonly workTree: string | null };

async function checkedOut(parent: Opened, path: string, signal: AbortSignal): Promise<Found | null> {
  if (parent.workTree === null) return null;
  const workTree = join(parent.workTree, path);
  if (!(await isRepository(workTree))) return null;
  const inside = await git(workTree, ["rev-parse", "--show-prefix", "--absolute-git-dir"], { signal });
  const [prefix, gitDirectory] = inside.stdout.split("\n");
  // A prefix says that git went on to the repository around it: what is here is broken.
  return inside.code !== 0 || prefix !== "" || gitDirectory === undefined ? null : { gitDirectory, workTree };
}

async function kept(parent: Opened, name: string | null, signal: AbortSignal): Promise<Found | null> {
  // The name comes from the commit, and becomes a path.
  if (name === null || name.startsWith("/") || name.split(/[\\/]/).some((part) => part === ".." || part === ""))
    return null;
  const { directory, environment } = parent;
  const common = await must(directory, ["rev-parse", "--path-format=absolute", "--git-common-dir"], {
    environment,
    signal,
  });
  const gitDirectory = join(common.replace(/\n$/, ""), "modules", name);
  return (await lstat(gitDirectory).catch(() => null)) === null ? null : { gitDirectory, workTree: null };
}

/** As `.gitmodules` of the commit calls the submodule at the path. */
async function nameOf(
  { directory, environment }: Opened,
  commit: string,
  path: string,
  signal: AbortSignal,
): Promise<string | null> {
  const listed = await git(
    directory,
    ["config", "--null", `--blob=${commit}:.gitmodules`, "--get-regexp", "^submodule\\..*\\.path$"],
    { environment, signal },
  );
  const line = listed.stdout.split("\0").find((entry) => entry.slice(entry.indexOf("\n") + 1) === path);
  return line === undefined ? null : line.slice("submodule.".length, line.indexOf("\n") - ".path".length);
}
