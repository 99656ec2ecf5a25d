import { createHash } from "node:crypto";
import {
  closeSync,
  constants,
  type Dirent,
  lstatSync,
  openSync,
  readFileSync,
  readlinkSync,
  type Stats,
} from "node:fs";
import { lstat, open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { globMatcher, globRoot } from "../../../core/pipeline/glob.ts";

/** What installers make: it follows from the step that installs, which is in the key by itself, and is large. */
const installed: ReadonlySet<string> = new Set(["node_modules", ".venv", ".git"]);

/** Files up to this size are read in this thread: trips through the thread pool take longer than they do. Others have their turn in between. */
const smallFileBytes = 64 * 1024;
const readsInARow = 64;

/** A file with what makes its content: path, kind and executable bit, digest. */
export type FileMark = readonly [path: string, kind: "-" | "x" | "l", content: string];

/** Paths of files below a directory that the patterns mean, in byte order; not what is installed, unless a pattern names that. */
export async function filesOf(directory: string, patterns: readonly string[]): Promise<string[]> {
  const isMeant = globMatcher(patterns);
  const found = new Set<string>();
  const visit = async (path: string): Promise<void> => {
    for (const entry of await entriesOf(join(directory, path))) {
      if (installed.has(entry.name) && !isNamed(entry.name, patterns)) continue;
      const below = path === "." ? entry.name : `${path}/${entry.name}`;
      if (entry.isDirectory()) await visit(below);
      else if (isMeant(below)) found.add(below);
    }
  };
  for (const root of new Set(patterns.map(globRoot))) {
    const stat = await lstat(join(directory, root)).catch(() => null);
    if (stat?.isDirectory() === true) await visit(root);
    else if (stat !== null && isMeant(root)) found.add(root);
  }
  return [...found].sort();
}

/** None of a directory that a step has removed meanwhile, or has closed to everybody. */
async function entriesOf(directory: string): Promise<readonly Dirent[]> {
  try {
    return await readdir(directory, { withFileTypes: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR" || code === "EACCES") return [];
    throw error;
  }
}

/** Whether a file with this path, from where the patterns begin, is of those that `filesOf` finds. */
export function meaning(patterns: readonly string[]): (path: string) => boolean {
  const isMeant = globMatcher(patterns);
  const left = [...installed].filter((name) => !isNamed(name, patterns));
  return (path) => isMeant(path) && !path.split("/").some((name) => left.includes(name));
}

/** Whether the patterns mean something of what is installed. */
export function namesInstalled(patterns: readonly string[]): boolean {
  return [...installed].some((name) => isNamed(name, patterns));
}

function isNamed(name: string, patterns: readonly string[]): boolean {
  return patterns.some((pattern) => pattern.split("/").includes(name));
}

export async function marksOf(directory: string, paths: readonly string[]): Promise<FileMark[]> {
  const marks: FileMark[] = [];
  for (const [index, path] of paths.entries()) {
    marks.push((await markOf(directory, path)) ?? [path, "-", "gone"]);
    if (index % readsInARow === readsInARow - 1) await new Promise((resolve) => setImmediate(resolve));
  }
  return marks;
}

/** Null when nothing is there. */
export async function markOf(directory: string, path: string): Promise<FileMark | null> {
  const file = join(directory, path);
  const stat = statOf(file);
  if (stat === null) return null;
  if (stat.isSymbolicLink()) return [path, "l", readlinkSync(file)];
  // A pipe would keep us waiting for ever.
  if (!stat.isFile()) return [path, "-", "special"];
  return [path, (stat.mode & 0o111) === 0 ? "-" : "x", await digestOf(file, stat)];
}

export function statOf(file: string): Stats | null {
  try {
    return lstatSync(file);
  } catch {
    return null;
  }
}

/** Without a trace in the file's time of access: that tells what steps read. */
const quietly = constants.O_RDONLY | (constants.O_NOATIME ?? 0);

async function digestOf(file: string, { size }: Stats): Promise<string> {
  const hash = createHash("sha256");
  if (size <= smallFileBytes) return hash.update(readQuietly(file)).digest("hex");
  const handle = await open(file, quietly).catch(() => open(file, constants.O_RDONLY));
  try {
    for await (const chunk of handle.createReadStream({ autoClose: false })) hash.update(chunk as Buffer);
  } finally {
    await handle.close();
  }
  return hash.digest("hex");
}

function readQuietly(file: string): Buffer {
  const descriptor = openQuietly(file);
  try {
    return readFileSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function openQuietly(file: string): number {
  try {
    return openSync(file, quietly);
  } catch {
    return openSync(file, constants.O_RDONLY);
  }
}
