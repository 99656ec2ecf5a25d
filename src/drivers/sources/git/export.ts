import { randomBytes } from "node:crypto";
import { type Stats, statfsSync } from "node:fs";
import { copyFile, lstat, mkdir, readlink, rm, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isSlipwayError, SlipwayError } from "../../../core/errors/error.ts";
import { must } from "./command.ts";
import { isRepository, type Link, linksIn, notHere, type Opened, openLink } from "./submodules.ts";

export type Exported = { readonly hash: string; readonly dirty: boolean };

/** Under this a checkout that failed is put down to the full disk. */
const fullBytes = 256 * 1024;

/** Submodules in submodules; a chain that is longer is a mistake, or means harm. */
const maxDepth = 10;

/**
 * Writes a commit's files, or the working tree's, below `into`, with those of its submodules. Errors: GIT_FAILED, DISK_FULL,
 * GIT_UNKNOWN_COMMIT when a submodule's commit is not on this machine.
 */
export async function exportTo(repository: string, what: Exported, into: string, signal: AbortSignal): Promise<void> {
  const top = (await must(repository, ["rev-parse", "--show-toplevel"], { signal })).replace(/\n$/, "");
  try {
    await mkdir(into, { recursive: true });
    await (what.dirty
      ? exportWorkingTree(top, into, signal)
      : exportCommit({ directory: top, environment: {}, workTree: top }, what.hash, into, signal));
  } catch (error) {
    throw isCode(error, ["ENOSPC", "EDQUOT"]) || (isSlipwayError(error) && isFull(into))
      ? new SlipwayError("DISK_FULL", { message: `the checkout does not fit into ${into}`, cause: error })
      : error;
  }
}

/** Exactly what was committed, whatever line ends the user's own config asks for. */
const asCommitted = ["core.autocrlf=false", "core.symlinks=true"];

/** Through a throw-away index, so that the user's is never touched. */
async function exportCommit(from: Opened, hash: string, into: string, signal: AbortSignal, depth = 0): Promise<void> {
  const index = `${into}.index-${randomBytes(6).toString("hex")}`;
  const options = { environment: { ...from.environment, GIT_INDEX_FILE: index }, config: asCommitted, signal };
  let links: readonly Link[] = [];
  try {
    await must(from.directory, ["read-tree", hash], options);
    [links] = await Promise.all([
      linksIn(from.directory, options),
      must(from.directory, ["checkout-index", "--all", "--force", `--prefix=${into}/`], options),
    ]);
  } finally {
    for (const file of [index, `${index}.lock`]) await rm(file, { force: true });
  }
  for (const link of links) {
    const below = join(into, link.path);
    if (depth >= maxDepth) throw tooDeep(link.path);
    await mkdir(below, { recursive: true });
    await exportCommit(await openLink(from, hash, link, below, signal), link.hash, below, signal, depth + 1);
  }
}

async function exportWorkingTree(top: string, into: string, signal: AbortSignal, depth = 0): Promise<void> {
  const links = new Map((await linksIn(top, { signal })).map((link) => [link.path, link]));
  const list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"];
  const isPlain = plainDirectories(top);
  for (const path of (await must(top, list, { signal })).split("\0").filter((entry) => entry !== "")) {
    signal.throwIfAborted();
    const found = await lookAt(join(top, path));
    // Listed, and deleted in the working tree; or a directory on the way has become something else.
    if (found === null || !(await isPlain(dirname(path)))) continue;
    await mkdir(dirname(join(into, path)), { recursive: true });
    const link = links.get(path);
    if (link !== undefined && found.isDirectory()) {
      if (!(await isRepository(join(top, path)))) throw notHere(link, true);
      if (depth >= maxDepth) throw tooDeep(path);
      await mkdir(join(into, path), { recursive: true });
      await exportWorkingTree(join(top, path), join(into, path), signal, depth + 1);
      continue;
    }
    await copy(found, join(top, path), join(into, path));
  }
}

function tooDeep(path: string): SlipwayError {
  return new SlipwayError("GIT_FAILED", {
    message: `submodules lie more than ${maxDepth} deep in each other, at ${path}`,
    hint: "put the submodules of submodules further up",
  });
}

/** A repository inside the repository that is no part of it is an empty directory, as it is for git. Sockets and the like are nothing to deploy. */
async function copy(found: Stats, from: string, to: string): Promise<void> {
  if (found.isSymbolicLink()) await symlink(await readlink(from), to);
  else if (found.isFile()) await copyFile(from, to);
  else if (found.isDirectory()) await mkdir(to, { recursive: true });
}

/** Whether every part of the path is a real directory: through a link, a file would be read, and written, elsewhere. */
function plainDirectories(top: string): (directory: string) => Promise<boolean> {
  const known = new Map<string, Promise<boolean>>([[".", Promise.resolve(true)]]);
  const isPlain = (directory: string): Promise<boolean> => {
    const seen = known.get(directory);
    if (seen !== undefined) return seen;
    const look = isPlain(dirname(directory)).then(
      async (parent) => parent && (await lookAt(join(top, directory)))?.isDirectory() === true,
    );
    known.set(directory, look);
    return look;
  };
  return isPlain;
}

async function lookAt(path: string): Promise<Stats | null> {
  try {
    return await lstat(path);
  } catch (error) {
    if (isCode(error, ["ENOENT", "ENOTDIR"])) return null;
    throw error;
  }
}

/** Of a file that it has begun git only says that it cannot write it. */
function isFull(into: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(into);
    return bavail * bsize < fullBytes;
  } catch {
    return false;
  }
}

function isCode(error: unknown, codes: readonly string[]): boolean {
  return error instanceof Error && "code" in error && codes.includes(String(error.code));
}
