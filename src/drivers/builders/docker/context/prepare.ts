import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { open, realpath } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { generateDockerfile } from "../../../../core/build/dockerfile/generate.ts";
import { maxDockerfileBytes } from "../../../../core/build/dockerfile/read.ts";
import { type BaseImages, type FoundFiles, generatedIgnore, toldBy } from "../../../../core/build/dockerfile/recipe.ts";
import { type Ignore, IgnorePatternError, readIgnore } from "../../../../core/build/ignore.ts";
import { SlipwayError } from "../../../../core/errors/error.ts";
import type { Digest, EpochMs } from "../../../../core/ids.ts";
import type { BuildSpec } from "../../../../ports/builder.ts";
import { collect } from "./collect.ts";
import type { ContextEntry } from "./entries.ts";

/** The time of every file of a context where nobody says another: the oldest that a zip file can hold. */
export const oldestFileMs = Date.UTC(1980, 0, 1);

export type PreparedContext = {
  readonly dockerfile: string;
  readonly dockerfileDigest: Digest;
  /** Its path in the context; null when it was generated, is ignored or is elsewhere in the checkout. */
  readonly dockerfilePath: string | null;
  readonly entries: readonly ContextEntry[];
  readonly found: FoundFiles;
};

/** Longest file that is read to find out how a product is built, and longest `.dockerignore`. */
const maxTextBytes = 4 * 1024 * 1024;

/**
 * What is sent to the engine: the Dockerfile as written or as generated, and the files it may copy. Reads only inside the context, or
 * the checkout for a Dockerfile; never through a link that leads out. Errors: BUILD_FAILED, ARTIFACT_TOO_LARGE.
 */
export async function prepareContext(
  spec: BuildSpec,
  options: { readonly bases: BaseImages; readonly cacheMounts: boolean; readonly modifiedAt: EpochMs },
): Promise<PreparedContext> {
  const { modifiedAt } = options;
  const written = spec.dockerfile === null ? null : await writtenDockerfile(spec, spec.dockerfile);
  const ignore = await ignoreOf(spec, written?.path ?? null);
  const entries = await collect(spec.context, ignore, modifiedAt);
  const found = await lookThrough(entries);
  if (written !== null) {
    return {
      dockerfile: written.text,
      dockerfileDigest: digestOf(written.text),
      dockerfilePath: found.paths.has(written.path) ? written.path : null,
      entries,
      found,
    };
  }
  const recipe = generateDockerfile(found, {
    command: spec.command,
    port: spec.port,
    healthPath: spec.healthPath,
    site: spec.site ?? null,
    bases: options.bases,
    cacheMounts: options.cacheMounts,
  });
  if (recipe.is === "refused") {
    throw new SlipwayError("BUILD_FAILED", { message: `${spec.service}: ${recipe.why}`, hint: recipe.hint });
  }
  return {
    dockerfile: recipe.dockerfile,
    dockerfileDigest: digestOf(recipe.dockerfile),
    dockerfilePath: null,
    entries: withFiles(entries, recipe.files, modifiedAt),
    found,
  };
}

type Written = { readonly path: string; readonly text: string };

/** Beside the context it may be anywhere in the checkout, not elsewhere on this machine. */
async function writtenDockerfile(spec: BuildSpec, path: string): Promise<Written> {
  const file = join(spec.context, path);
  const text = await readInside(spec.checkout ?? spec.context, file, maxDockerfileBytes);
  if (text !== null) return { path: relative(spec.context, file).split(sep).join("/"), text };
  throw new SlipwayError("BUILD_FAILED", {
    message: `there is no Dockerfile ${path} for ${spec.service} in the checkout`,
    evidence: [["looked for", file]],
    hint: "correct the service's dockerfile, or leave it out to have one generated",
  });
}

/** `<Dockerfile>.dockerignore` wins over `.dockerignore`; without either, a generated Dockerfile has one of ours. */
async function ignoreOf(spec: BuildSpec, dockerfile: string | null): Promise<Ignore> {
  const root = spec.checkout ?? spec.context;
  const own = dockerfile === null ? null : `${dockerfile}.dockerignore`;
  for (const path of [own, ".dockerignore"]) {
    if (path === null) continue;
    const text = await readInside(root, join(spec.context, path), maxTextBytes);
    if (text === null) continue;
    try {
      return readIgnore(text);
    } catch (error) {
      if (!(error instanceof IgnorePatternError)) throw error;
      throw new SlipwayError("BUILD_FAILED", {
        message: `${path} of ${spec.service} has a line that is no pattern`,
        evidence: [["line", error.line]],
        hint: "correct the line",
        cause: error,
      });
    }
  }
  return readIgnore(dockerfile === null ? generatedIgnore : "");
}

/** Null when it is absent, no file, or not inside `root` once every link is followed. */
async function readInside(root: string, file: string, maxBytes: number): Promise<string | null> {
  try {
    const [top, real] = await Promise.all([realpath(root), realpath(file)]);
    if (!real.startsWith(top + sep)) return null;
    const handle = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const stat = await handle.stat();
      return stat.isFile() && stat.size <= maxBytes ? await handle.readFile("utf8") : null;
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof Error && "code" in error && /^(?:ENOENT|ENOTDIR|ELOOP|ENXIO)$/.test(String(error.code)))
      return null;
    throw error;
  }
}

async function lookThrough(entries: readonly ContextEntry[]): Promise<FoundFiles> {
  const texts = new Map<string, string>();
  const names = new Set(toldBy);
  for (const entry of entries) {
    if (entry.type !== "file" || !("file" in entry) || entry.size > maxTextBytes) continue;
    if (!names.has(entry.path)) continue;
    const text = await readInside(dirname(entry.file), entry.file, maxTextBytes);
    if (text !== null) texts.set(entry.path, text);
  }
  const paths = new Set(entries.filter((entry) => entry.type === "file").map((entry) => entry.path));
  return { paths, text: (path) => texts.get(path) ?? null };
}

/** Our own files among the product's, in the order that the protocol wants. */
export function withFiles(
  entries: readonly ContextEntry[],
  files: Readonly<Record<string, string>>,
  modifiedAt: EpochMs,
): readonly ContextEntry[] {
  const added = new Map<string, ContextEntry>();
  for (const [path, text] of Object.entries(files)) {
    const directory = dirname(path);
    if (directory !== ".") added.set(directory, { path: directory, mode: 0o755, modifiedAt, type: "directory" });
    added.set(path, { path, mode: 0o644, modifiedAt, type: "file", size: Buffer.byteLength(text), text });
  }
  if (added.size === 0) return entries;
  const others = entries.filter((entry) => !added.has(entry.path));
  return [...others, ...added.values()].sort((a, b) => byParts(a.path, b.path));
}

/** A directory comes before what is in it, and that before any name that only begins alike: `a`, `a/x`, `a-b`. */
function byParts(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a.replaceAll("/", "\0")), Buffer.from(b.replaceAll("/", "\0")));
}

export function digestOf(content: string | Buffer): Digest {
  return `sha256:${createHash("sha256").update(content).digest("hex")}`;
}
