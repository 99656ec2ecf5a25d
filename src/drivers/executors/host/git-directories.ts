import { existsSync, readFileSync, realpathSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

/**
 * The git directories of the repository that a directory lies in: its own, and of a worktree or a submodule its `.git` file
 * and those that this names. Source of the forms: gitrepository-layout(5). None where there is no repository, or one that cannot be read.
 */
export function gitDirectoriesAround(directory: string): readonly string[] {
  for (let at = directory; ; at = dirname(at)) {
    const git = join(at, ".git");
    const found = statSync(git, { throwIfNoEntry: false });
    if (found !== undefined) return found.isDirectory() ? [realpathSync(git)] : named(git);
    if (at === dirname(at)) return [];
  }
}

function named(file: string): readonly string[] {
  try {
    const at = /^gitdir: (.+)$/m.exec(readFileSync(file, "utf8"))?.[1];
    if (at === undefined) return [];
    const own = resolve(dirname(file), at);
    const common = join(own, "commondir");
    const all = [file, own, ...(existsSync(common) ? [resolve(own, readFileSync(common, "utf8").trim())] : [])];
    return all.filter((path) => existsSync(path)).map((path) => realpathSync(path));
  } catch {
    return [];
  }
}
