import { createHash, type Hash, randomBytes } from "node:crypto";
import { type FileHandle, lstat, open, readdir, readFile, readlink, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { Header, type HeaderData, Pax } from "tar";

/**
 * `MISSING`: the archive or directory is not there. `CORRUPT`: it is not what its digest says, or no archive of ours.
 * `TOO_LARGE`: a limit was passed. `UNSAFE`: it holds what could reach outside the directory, or what is no file, directory
 * or link. `NO_SPACE`: the disk is full. Nothing half-made is left behind by any of them.
 */
export type PackErrorCode = "MISSING" | "CORRUPT" | "TOO_LARGE" | "UNSAFE" | "NO_SPACE";

export class PackError extends Error {
  override readonly name = "PackError";
  readonly code: PackErrorCode;

  constructor(code: PackErrorCode, message: string, options?: { readonly cause: unknown }) {
    super(message, options);
    this.code = code;
  }
}

export type PackLimits = { readonly bytes: number; readonly files: number };

/** Two gigabytes and 200,000 entries: above what a service's code needs, below what fills a small server's disk by mistake. */
export const defaultPackLimits: PackLimits = { bytes: 2 * 1024 ** 3, files: 200_000 };

export type Packed = { readonly digest: `sha256:${string}`; readonly bytes: number; readonly files: number };

/** What an archive holds at a path: a directory, a file, one that may be executed, a link; the digest of its bytes, or the link's target. */
export type PackedEntry = readonly [path: string, kind: "d" | "-" | "x" | "l", content: string];

/** Files up to this size are read whole, several at once; larger ones are streamed. */
const smallFileBytes = 256 * 1024;
const readsAtOnce = 16;
const blockBytes = 512;

/**
 * Packs a directory into a tar file of which every byte follows from names, contents, link targets and the executable bit
 * alone: not from times, owners, the umask, hard links or the order of the disk. So the digest is a digest of the content, and
 * the same files give the same artifact on every machine. `file` appears only when it is whole. `skip` is asked with each
 * path relative to the directory, with `/`; `onEntry` is told of what is in the archive, as it was written there. A link that leads
 * out of the directory is refused (`UNSAFE`), or left out where `onLeftOut` is there to be told of it.
 */
export async function packDirectory(
  directory: string,
  file: string,
  options: {
    readonly limits?: PackLimits;
    readonly skip?: (path: string) => boolean;
    readonly onEntry?: (entry: PackedEntry) => void;
    readonly onLeftOut?: (path: string, target: string) => void;
  } = {},
): Promise<Packed> {
  const limits = options.limits ?? defaultPackLimits;
  const temporary = `${file}.${randomBytes(4).toString("hex")}.tmp`;
  try {
    const entries = await walk(directory, limits, options);
    const output = await open(temporary, "wx", 0o600);
    try {
      const writer = new TarWriter(output, limits.bytes, options.onEntry ?? null);
      await writeEntries(directory, entries, writer);
      const bytes = await writer.finish();
      await output.sync();
      await rename(temporary, file);
      return { digest: writer.digest(), bytes, files: entries.length };
    } finally {
      await output.close();
    }
  } catch (error) {
    await rm(temporary, { force: true });
    throw asPackError(error, directory);
  }
}

type Entry =
  | { readonly type: "Directory"; readonly path: string }
  | { readonly type: "SymbolicLink"; readonly path: string; readonly target: string }
  | { readonly type: "File"; readonly path: string; readonly size: number; readonly executable: boolean };

/** Every entry below the directory, each directory before what is in it, in byte order of the names. */
async function walk(
  root: string,
  limits: PackLimits,
  {
    skip = () => false,
    onLeftOut,
  }: { readonly skip?: (path: string) => boolean; readonly onLeftOut?: (path: string, target: string) => void },
): Promise<Entry[]> {
  const entries: Entry[] = [];
  const visit = async (prefix: string): Promise<void> => {
    const names = await readdir(join(root, prefix));
    names.sort(byBytes);
    for (const name of names) {
      const path = prefix + name;
      if (skip(path)) continue;
      if (entries.length >= limits.files) throw tooLarge(`more than ${limits.files} files`);
      if (name.includes("\uFFFD")) throw new PackError("UNSAFE", `the name of ${path} is not UTF-8`);
      const stat = await lstat(join(root, path));
      if (stat.isDirectory()) {
        entries.push({ type: "Directory", path });
        await visit(`${path}/`);
      } else if (stat.isSymbolicLink()) {
        const target = await readlink(join(root, path));
        if (staysInside(path, target)) entries.push({ type: "SymbolicLink", path, target });
        else if (onLeftOut !== undefined) onLeftOut(path, target);
        else throw new PackError("UNSAFE", `the link ${path} -> ${target} leads out of the directory that is packed`);
      } else if (stat.isFile()) {
        entries.push({ type: "File", path, size: stat.size, executable: (stat.mode & 0o111) !== 0 });
      } else {
        throw new PackError("UNSAFE", `${path} is a socket, device or pipe, not a file`);
      }
    }
  };
  await visit("");
  return entries;
}

/** Byte order of the UTF-8 form, the same under every locale. */
function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/**
 * A link may go up first and then down: `../lib/x`. Its own parents are real directories, so the steps up end inside, and
 * the steps down meet only files, directories and links that keep this same rule. `a/../b` is refused, because `a` may be a link.
 */
export function staysInside(path: string, target: string): boolean {
  if (target === "" || target.startsWith("/") || target.includes("\0") || target.includes("\\")) return false;
  const parts = target.split("/");
  const up = parts.findIndex((part) => part !== "..");
  const steps = up === -1 ? parts.length : up;
  return steps <= path.split("/").length - 1 && !parts.slice(steps).includes("..");
}

async function writeEntries(root: string, entries: readonly Entry[], writer: TarWriter): Promise<void> {
  // Contents of small files are read ahead; what is written stays in order.
  const ahead = new Map<number, Promise<Buffer>>();
  const readAhead = (from: number) => {
    for (let i = from; i < Math.min(from + readsAtOnce, entries.length); i++) {
      const entry = entries[i];
      if (entry?.type !== "File" || entry.size > smallFileBytes || ahead.has(i)) continue;
      const content = readFile(join(root, entry.path));
      content.catch(() => undefined); // reported when it is its turn
      ahead.set(i, content);
    }
  };
  for (const [i, entry] of entries.entries()) {
    readAhead(i);
    const content = ahead.get(i);
    ahead.delete(i);
    if (entry.type !== "File") await writer.bare(entry);
    else if (content !== undefined) await writer.whole(entry, await content);
    else await writer.streamed(entry, join(root, entry.path));
  }
}

function headerOf(entry: Entry, size: number): HeaderData {
  const common = { uid: 0, gid: 0, uname: "", gname: "", mtime: new Date(0), size, type: entry.type };
  if (entry.type === "Directory") return { ...common, path: `${entry.path}/`, mode: 0o755 };
  if (entry.type === "SymbolicLink") return { ...common, path: entry.path, linkpath: entry.target, mode: 0o777 };
  return { ...common, path: entry.path, mode: entry.executable ? 0o755 : 0o644 };
}

class TarWriter {
  readonly #output: FileHandle;
  readonly #limitBytes: number;
  readonly #onEntry: ((entry: PackedEntry) => void) | null;
  readonly #hash: Hash = createHash("sha256");
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #bytes = 0;

  constructor(output: FileHandle, limitBytes: number, onEntry: ((entry: PackedEntry) => void) | null) {
    this.#output = output;
    this.#limitBytes = limitBytes;
    this.#onEntry = onEntry;
  }

  /** What has no content. */
  async bare(entry: Entry & { type: "Directory" | "SymbolicLink" }): Promise<void> {
    await this.header(headerOf(entry, 0));
    this.#onEntry?.(entry.type === "Directory" ? [entry.path, "d", ""] : [entry.path, "l", entry.target]);
  }

  async header(data: HeaderData): Promise<void> {
    const header = new Header(data);
    if (header.encode()) {
      // Only what the plain header cannot hold: a pax record with more in it would add nothing but chances to differ.
      const { path, linkpath, size } = data;
      const long = { ...(path && { path }), ...(linkpath && { linkpath }), ...(size && { size }) };
      await this.#write(new Pax({ ...long, mtime: new Date(0), uid: 0, gid: 0 }).encode());
    }
    await this.#write(header.block as Buffer);
  }

  async whole(entry: Entry & { type: "File" }, content: Buffer): Promise<void> {
    await this.header(headerOf(entry, content.length));
    await this.#write(content);
    await this.#write(padding(content.length));
    this.#tellOf(entry, () => createHash("sha256").update(content));
  }

  async streamed(entry: Entry & { type: "File" }, absolute: string): Promise<void> {
    await this.header(headerOf(entry, entry.size));
    const input = await open(absolute, "r");
    const own = this.#onEntry === null ? null : createHash("sha256");
    let seen = 0;
    try {
      for await (const chunk of input.createReadStream({ autoClose: false, highWaterMark: 1024 * 1024 })) {
        seen += (chunk as Buffer).length;
        if (seen > entry.size) break;
        own?.update(chunk as Buffer);
        await this.#write(chunk as Buffer);
      }
    } finally {
      await input.close();
    }
    if (seen !== entry.size) throw new PackError("CORRUPT", `${entry.path} changed while it was packed`);
    await this.#write(padding(entry.size));
    if (own !== null) this.#tellOf(entry, () => own);
  }

  async finish(): Promise<number> {
    await this.#write(Buffer.alloc(2 * blockBytes));
    await this.#flush();
    return this.#bytes;
  }

  digest(): `sha256:${string}` {
    return `sha256:${this.#hash.digest("hex")}`;
  }

  #tellOf({ path, executable }: Entry & { type: "File" }, hash: () => Hash): void {
    this.#onEntry?.([path, executable ? "x" : "-", hash().digest("hex")]);
  }

  async #write(chunk: Buffer): Promise<void> {
    this.#bytes += chunk.length;
    if (this.#bytes > this.#limitBytes) throw tooLarge(`more than ${this.#limitBytes} bytes`);
    this.#hash.update(chunk);
    this.#pending.push(chunk);
    this.#pendingBytes += chunk.length;
    if (this.#pendingBytes >= 1024 * 1024) await this.#flush();
  }

  async #flush(): Promise<void> {
    const chunk = Buffer.concat(this.#pending, this.#pendingBytes);
    this.#pending = [];
    this.#pendingBytes = 0;
    await this.#output.writeFile(chunk);
  }
}

function padding(size: number): Buffer {
  return Buffer.alloc((blockBytes - (size % blockBytes)) % blockBytes);
}

function tooLarge(what: string): PackError {
  return new PackError("TOO_LARGE", `the directory has ${what}`);
}

/** The system's errors in our words; anything else passes through as it is. */
export function asPackError(error: unknown, path: string): unknown {
  const code = error instanceof Error && "code" in error ? error.code : null;
  if (code === "ENOENT" || code === "ENOTDIR")
    return new PackError("MISSING", `${path} is not there`, { cause: error });
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new PackError("NO_SPACE", `the disk that holds ${path} is full`, { cause: error });
  }
  return error;
}
