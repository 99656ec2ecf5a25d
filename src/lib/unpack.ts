import { createHash, randomBytes } from "node:crypto";
import { closeSync, mkdirSync, openSync, readSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { open, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Parser, type ReadEntry } from "tar";
import { asPackError, defaultPackLimits, PackError, type PackLimits, staysInside } from "./pack.ts";

/**
 * Archives are read, and small files written, in this thread: with trips through the thread pool 4,000 files took 485 ms
 * instead of 240, and a deployment waits for them. Other work has its turn after each chunk.
 */
const chunkBytes = 256 * 1024;
const smallFileBytes = 64 * 1024;

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
    mkdirSync(temporary, { recursive: true, mode: 0o755 });
    const digest = await extract(archive.file, temporary, options.limits ?? defaultPackLimits, options.signal);
    if (digest !== archive.digest) {
      throw new PackError("CORRUPT", `${archive.file} has digest ${digest}, not ${archive.digest}`);
    }
    renameSync(temporary, into);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw asPackError(error, archive.file);
  }
}

/** Writes the entries below `root` and returns the digest of all bytes read. */
async function extract(file: string, root: string, limits: PackLimits, signal?: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  const writes: Promise<void>[] = [];
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
  let sawData = false;
  for (const chunk of chunksOf(file)) {
    signal?.throwIfAborted();
    hash.update(chunk);
    if (!parser.write(chunk)) await Promise.race([new Promise((resolve) => parser.once("drain", resolve)), ended]);
    if (failure !== null) break;
    if (sawData) await new Promise((resolve) => setImmediate(resolve));
    sawData = true;
  }
  if (failure === null) {
    parser.end();
    if (sawData) await ended;
  }
  await Promise.all(writes);
  // A damaged archive fails in many ways; when the bytes are not the right ones, that is what is said.
  if (failure !== null) throw failure;
  return `sha256:${hash.digest("hex")}`;
}

function* chunksOf(file: string): Generator<Buffer> {
  const from = openSync(file, "r");
  try {
    for (;;) {
      // A new one each time: the parser keeps what it has not passed on.
      const chunk = Buffer.allocUnsafe(chunkBytes);
      const bytes = readSync(from, chunk);
      if (bytes === 0) return;
      yield chunk.subarray(0, bytes);
    }
  } finally {
    closeSync(from);
  }
}

function unpackEntry(
  entry: ReadEntry,
  tree: Tree,
  root: string,
  writes: Promise<void>[],
  fail: (error: unknown) => void,
): void {
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
    if (entry.size <= smallFileBytes) writeSmall(entry, absolute, mode, fail);
    else writeLarge(entry, absolute, mode, writes, fail);
  }
}

function writeSmall(entry: ReadEntry, absolute: string, mode: number, fail: (error: unknown) => void): void {
  const chunks: Buffer[] = [];
  entry.on("data", (chunk) => chunks.push(chunk));
  entry.on("end", () => {
    try {
      writeFileSync(absolute, Buffer.concat(chunks), { mode, flag: "wx" });
    } catch (error) {
      fail(error);
    }
  });
}

/** With back-pressure: the parser gives the next chunk when the last one is on its way to the disk. */
function writeLarge(
  entry: ReadEntry,
  absolute: string,
  mode: number,
  writes: Promise<void>[],
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
  writes.push(
    copy().catch((error: unknown) => {
      fail(error);
      entry.resume();
    }),
  );
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

function corrupt(file: string, why: string): PackError {
  return new PackError("CORRUPT", `${file} is damaged: ${why}`);
}

function limit(what: string): PackError {
  return new PackError("TOO_LARGE", `the archive has ${what}`);
}
