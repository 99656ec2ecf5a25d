import { createHash } from "node:crypto";
import { constants, type Stats } from "node:fs";
import { lstat, open, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { globMatcher, globRoot } from "../../../core/pipeline/glob.ts";

/** What installers make: it follows from the step that installs, which is in the key by itself, and is large. */
const installed: ReadonlySet<string> = new Set(["node_modules", ".venv", ".git"]);

/** A file with what makes its content: path, kind and executable bit, digest. */
export type FileMark = readonly [path: string, kind: "-" | "x" | "l", digest: string];

/** Paths of files below a directory that the patterns mean, in byte order; not what is installed, unless a pattern names that. */
export async function filesOf(directory: string, patterns: readonly string[]): Promise<string[]> {
  const isMeant = globMatcher(patterns);
  const isNamed = (name: string): boolean => patterns.some((pattern) => pattern.split("/").includes(name));
  const found = new Set<string>();
  const visit = async (path: string): Promise<void> => {
    const stat = await lstat(join(directory, path)).catch(() => null);
    if (stat === null) return;
    if (!stat.isDirectory()) {
      if (isMeant(path)) found.add(path);
      return;
    }
    for (const name of await readdir(join(directory, path))) {
      if (installed.has(name) && !isNamed(name)) continue;
      await visit(path === "." ? name : `${path}/${name}`);
    }
  };
  for (const root of new Set(patterns.map(globRoot))) await visit(root);
  return [...found].sort();
}

export async function marksOf(directory: string, paths: readonly string[]): Promise<FileMark[]> {
  const marks: FileMark[] = [];
  for (const path of paths) {
    const stat = await lstat(join(directory, path)).catch(() => null);
    marks.push(stat === null ? [path, "-", "gone"] : await markOf(join(directory, path), path, stat));
  }
  return marks;
}

async function markOf(file: string, path: string, stat: Stats): Promise<FileMark> {
  if (stat.isSymbolicLink()) return [path, "l", await readlink(file)];
  // A pipe would keep us waiting for ever.
  if (!stat.isFile()) return [path, "-", "special"];
  const hash = createHash("sha256");
  const handle = await openQuietly(file);
  try {
    for await (const chunk of handle.createReadStream({ autoClose: false })) hash.update(chunk as Buffer);
  } finally {
    await handle.close();
  }
  return [path, (stat.mode & 0o111) === 0 ? "-" : "x", hash.digest("hex")];
}

/** Without a trace in the file's time of access: that tells what steps read. */
async function openQuietly(file: string) {
  const quiet = constants.O_NOATIME ?? 0;
  return open(file, constants.O_RDONLY | quiet).catch(() => open(file, constants.O_RDONLY));
}
