import { createHash, randomBytes } from "node:crypto";
import { createReadStream, mkdirSync, symlinkSync } from "node:fs";
import { mkdir, open, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Parser, type ReadEntry } from "tar";
import { asPackError, defaultPackLimits, PackError, type PackLimits, staysInside } from "./pack.ts";

/** Bytes of small files that may wait for the disk at once. */
const pendingBytesLimit = 32 * 1024 * 1024;
const smallFileBytes = 1024 * 1024;

/**
 * Unpacks an archive made by `packDirectory` so that `into` appears in one step, whole, and only when the archive's bytes have
 * the digest; on any failure nothing is there. Refuses what our packer never writes: absolute paths, `..`, entries below a
 * link, links that lead outside, hard links, devices, names that come twice. Files are writable by their owner, and their
 * times are the times of unpacking. Errors: PackError.
 */
export async function unpackArchive(
  archive: { readonly file: string; readonly digest: string },
  into: string,
  options: { readonly limits?: PackLimits; readonly signal?: AbortSignal } = {},
): Promise<void> {
  const temporary = `${into}.${randomBytes(4).toString("hex")}.tmp`;
  try {
    await mkdir(temporary, { recursive: true, mode: 0o755 });
    const digest = await extract(archive.file, temporary, options.limits ?? defaultPackLimits, options.signal);
    if (digest !== archive.digest) {
      throw new PackError("CORRUPT", `${archive.file} has digest ${digest}, not ${archive.digest}`);
    }
    await rename(temporary, into);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw asPackError(error, archive.file);
  }
}

/** Writes the entries below `root` and returns the digest of all bytes read. */
async function extract(file: string, root: string, limits: PackLimits, signal?: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  const writes = new Writes();
  const tree = new Tree(limits);
  const parser = new Parser({ strict: false });
  let failure: unknown = null;
  const fail = (error: unknown) => {
    failure ??= error;
  };
  parser.on("warn", (_code: string, message: string | Error) => fail(corrupt(file, String(message))));
  parser.on("error", fail);
  // Larger than any header of ours needs: without it `tar` skips such an entry in silence.
  parser.on("ignoredEntry", (entry: ReadEntry) => fail(corrupt(file, `entry ${entry.path} is not allowed`)));
  parser.on("entry", (entry: ReadEntry) => {
    try {
      if (failure !== null) entry.resume();
      else unpackEntry(entry, tree, root, writes, fail);
    } catch (error) {
      fail(error);
      entry.resume();
    }
  });
  const ended = new Promise<void>((resolve) => parser.once("end", resolve));
  const input = createReadStream(file, { highWaterMark: 1024 * 1024, ...(signal !== undefined && { signal }) });
  let sawData = false;
  for await (const chunk of input) {
    hash.update(chunk as Buffer);
    sawData = true;
    if (failure === null && !parser.write(chunk as Buffer)) {
      await Promise.race([new Promise((resolve) => parser.once("drain", resolve)), ended]);
    }
    await writes.room();
    if (failure !== null) break;
  }
  if (failure === null) {
    parser.end();
    if (sawData) await ended;
  }
  await writes.settled().catch(fail);
  // A damaged archive fails in many ways; when the bytes are not the right ones, that is what is said.
  if (failure !== null) throw failure;
  return `sha256:${hash.digest("hex")}`;
}

function unpackEntry(entry: ReadEntry, tree: Tree, root: string, writes: Writes, fail: (error: unknown) => void): void {
  const path = tree.admit(entry);
  const absolute = join(root, path);
  if (entry.type === "Directory") {
    mkdirSync(absolute, { mode: 0o755 });
    entry.resume();
  } else if (entry.type === "SymbolicLink") {
    symlinkSync(entry.linkpath ?? "", absolute);
    entry.resume();
  } else {
    const mode = ((entry.mode ?? 0) & 0o100) !== 0 ? 0o755 : 0o644;
    if (entry.size <= smallFileBytes) writeSmall(entry, absolute, mode, writes);
    else writeLarge(entry, absolute, mode, writes, fail);
  }
}

function writeSmall(entry: ReadEntry, absolute: string, mode: number, writes: Writes): void {
  const chunks: Buffer[] = [];
  entry.on("data", (chunk) => chunks.push(chunk));
  entry.on("end", () => {
    writes.add(writeFile(absolute, Buffer.concat(chunks), { mode, flag: "wx" }), entry.size);
  });
}

/** With back-pressure: the parser gives the next chunk when the last one is on its way to the disk. */
function writeLarge(
  entry: ReadEntry,
  absolute: string,
  mode: number,
  writes: Writes,
  fail: (error: unknown) => void,
): void {
  const copy = async () => {
    const handle = await open(absolute, "wx", mode);
    try {
      for await (const chunk of entry) await handle.writeFile(chunk);
    } finally {
      await handle.close();
    }
  };
  const copied = copy();
  copied.catch((error: unknown) => {
    fail(error);
    entry.resume();
  });
  writes.add(copied, 0);
}

/** What has been seen of the archive so far, and what may still come. */
class Tree {
  readonly #limits: PackLimits;
  readonly #seen = new Set<string>();
  readonly #directories = new Set<string>(["."]);
  #bytes = 0;

  constructor(limits: PackLimits) {
    this.#limits = limits;
  }

  /** The entry's path, when it is one our packer could have written. */
  admit(entry: ReadEntry): string {
    const path = entry.path.endsWith("/") ? entry.path.slice(0, -1) : entry.path;
    const parts = path.split("/");
    const refuse = (why: string) => new PackError("UNSAFE", `entry ${JSON.stringify(entry.path)} ${why}`);
    if (path.startsWith("/")) throw refuse("is an absolute path");
    if (parts.some((part) => part === "" || part === "." || part === "..")) throw refuse("has an unsafe path");
    if (path.includes("\0") || path.includes("\\")) throw refuse("has an unsafe path");
    if (this.#seen.has(path)) throw refuse("comes twice");
    // Its parent was made by this archive as a real directory: so nothing is ever written through a link.
    if (!this.#directories.has(dirname(path))) throw refuse("is not in a directory of the archive");
    if (entry.type === "SymbolicLink") {
      if (!staysInside(path, entry.linkpath ?? "")) throw refuse(`is a link out of the archive, to ${entry.linkpath}`);
    } else if (entry.type === "Directory") {
      this.#directories.add(path);
    } else if (entry.type !== "File") {
      throw refuse(`is a ${entry.type}`);
    }
    this.#seen.add(path);
    this.#bytes += entry.size;
    if (this.#seen.size > this.#limits.files) throw limit(`more than ${this.#limits.files} files`);
    if (this.#bytes > this.#limits.bytes) throw limit(`more than ${this.#limits.bytes} bytes`);
    return path;
  }
}

/** Writes under way: bounded, and none of them lost sight of. */
class Writes {
  readonly #pending = new Set<Promise<void>>();
  #bytes = 0;
  #failure: { readonly error: unknown } | null = null;

  add(write: Promise<void>, bytes: number): void {
    this.#bytes += bytes;
    const tracked = write
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#bytes -= bytes;
        this.#pending.delete(tracked);
      });
    this.#pending.add(tracked);
  }

  async room(): Promise<void> {
    while (this.#bytes > pendingBytesLimit) await Promise.race(this.#pending);
    if (this.#failure !== null) throw this.#failure.error;
  }

  async settled(): Promise<void> {
    await Promise.all(this.#pending);
    if (this.#failure !== null) throw this.#failure.error;
  }
}

function corrupt(file: string, why: string): PackError {
  return new PackError("CORRUPT", `${file} is damaged: ${why}`);
}

function limit(what: string): PackError {
  return new PackError("TOO_LARGE", `the archive has ${what}`);
}
