import { createHash, type Hash, randomBytes } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { join, posix } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import { Parser, type ReadEntry } from "tar";
import { z } from "zod";
import { readJsonFile, writeJsonFile } from "../json-file.ts";
import { streamed } from "../stream-garbage.ts";
import {
  type Descriptor,
  type Digest,
  digestShape,
  maxManifestBytes,
  mediaTypes,
  parse,
  parseConfig,
} from "./documents.ts";
import { OciError, withDiskWords } from "./errors.ts";
import type { Layout } from "./layout.ts";

export type ImportedImage = {
  /** Of the manifest. */
  readonly digest: Digest;
  /** Of the config. */
  readonly id: Digest;
  /** `os/arch[/variant]`. */
  readonly platform: string;
  /** Of all layers, as they are kept. */
  readonly bytes: number;
};

export type ImportOptions = {
  readonly signal: AbortSignal;
  /** Default `gzip`: what is kept is what goes over networks. `none` keeps layers as they came. */
  readonly compress?: "gzip" | "none";
  /** Of the whole archive. Default 20 GiB. */
  readonly maxBytes?: number;
};

const defaultMaxBytes = 20 * 1024 ** 3;
const maxEntries = 20_000;
/** Level 6 made the layer of node 3 % smaller and took three times as long. */
const gzipLevel = 3;

/** The part of `manifest.json` that is read; engines of every age write it, the newer ones beside an OCI index. */
const archiveManifest = z
  .array(z.object({ Config: z.string().max(4_096), Layers: z.array(z.string().max(4_096)).max(1_000) }))
  .length(1);

/**
 * Keeps the one image of an archive as `docker save` (or the engine's `images/get`) writes it, old and new form. Each layer is
 * checked against the config, and the manifest is made from config and layers alone: the same image gives the same digest,
 * whatever the engine and the moment. A layer that is known already is not compressed again, and where the archive names it by its
 * content, as engines since 25 do, it is not even written down. Errors: OciError.
 */
export async function importArchive(layout: Layout, archive: Readable, options: ImportOptions): Promise<ImportedImage> {
  const scratchHome = join(layout.directory, "scratch");
  await mkdir(scratchHome, { recursive: true });
  const scratch = await mkdtemp(join(scratchHome, "import-"));
  try {
    const entries = await unpack(layout, archive, scratch, options);
    const manifestFile = entries.get("manifest.json");
    if (manifestFile === undefined) throw new OciError("CORRUPT", "the archive has no manifest.json: it is no image");
    const [found] = parse(await small(manifestFile), archiveManifest, "archive's manifest.json");
    if (found === undefined) throw new OciError("CORRUPT", "the archive has no image");
    const configBytes = await small(fileOf(entries, found.Config));
    const config = parseConfig(configBytes);
    const diffIds = config.rootfs.diff_ids;
    if (diffIds.length !== found.Layers.length) {
      throw new OciError("CORRUPT", `the config has ${diffIds.length} layers, the archive ${found.Layers.length}`);
    }
    const layers: Descriptor[] = [];
    for (const [index, diffId] of diffIds.entries()) {
      layers.push(await keepLayer(layout, diffId, fileOf(entries, found.Layers[index] ?? ""), options));
    }
    const blob = await layout.write(configBytes, { maxBytes: maxManifestBytes });
    const { digest } = await layout.add({
      mediaType: mediaTypes.manifest,
      config: { mediaType: mediaTypes.config, ...blob },
      layers,
    });
    return {
      digest,
      id: blob.digest,
      platform: [config.os, config.architecture, config.variant]
        .filter((part) => part !== undefined && part !== "")
        .join("/"),
      bytes: layers.reduce((sum, layer) => sum + layer.size, 0),
    };
  } catch (error) {
    throw withDiskWords(error, layout.directory);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

type Written = { readonly file: string; readonly digest: Digest };
/** What the archive has of a layer that is kept already is let go. */
type Known = { readonly diffId: Digest; readonly layer: Descriptor };
type Unpacked = Written | Known;
type Entries = ReadonlyMap<string, Unpacked | { readonly link: string }>;

/** The name of a blob in an OCI layout, which says what is in it. */
const blobName = /^blobs\/sha256\/([0-9a-f]{64})$/;

/** Writes the archive's files under names of ours: nothing that the archive says becomes a path. */
async function unpack(
  layout: Layout,
  archive: Readable,
  scratch: string,
  options: ImportOptions,
): Promise<Map<string, Unpacked>> {
  const entries = new Map<string, Unpacked | { readonly link: string }>();
  const maxBytes = options.maxBytes ?? defaultMaxBytes;
  let bytes = 0;
  const work: Promise<void>[] = [];
  const refuse = (error: unknown): void =>
    void archive.destroy(error instanceof Error ? error : new Error(String(error)));
  const take = async (entry: ReadEntry): Promise<void> => {
    const name = posix.normalize(entry.path);
    if (entries.size >= maxEntries) throw new OciError("TOO_LARGE", `the archive has more than ${maxEntries} entries`);
    if (entry.type === "SymbolicLink" || entry.type === "Link") {
      const from = entry.type === "Link" ? "." : posix.dirname(name);
      entries.set(name, { link: posix.normalize(posix.join(from, entry.linkpath ?? "")) });
    }
    if (entry.type !== "File" && entry.type !== "OldFile") return void entry.resume();
    bytes += entry.size;
    if (bytes > maxBytes) throw new OciError("TOO_LARGE", `the archive is larger than ${maxBytes} bytes`);
    const known = await knownUnder(layout, name, options);
    if (known !== null) {
      entries.set(name, known);
      return void entry.resume();
    }
    const file = join(scratch, randomBytes(8).toString("hex"));
    const hash = createHash("sha256");
    await pipeline(entry as AsyncIterable<Buffer>, hashing(hash), createWriteStream(file, { flags: "wx" }));
    entries.set(name, { file, digest: `sha256:${hash.digest("hex")}` });
  };
  const parser = new Parser({
    strict: true,
    onReadEntry: (entry) => {
      work.push(
        take(entry).catch((error: unknown) => {
          refuse(error);
          throw error;
        }),
      );
      work.at(-1)?.catch(() => {});
    },
  });
  await drained(archive, parser, options.signal);
  await Promise.all(work);
  const resolved = new Map<string, Unpacked>();
  for (const name of entries.keys()) {
    const target = follow(entries, name);
    if (target !== null) resolved.set(name, target);
  }
  return resolved;
}

/** What is kept already of what an archive has under a name that says its content; null for anything else. */
async function knownUnder(layout: Layout, name: string, options: ImportOptions): Promise<Known | null> {
  const hex = blobName.exec(name)?.[1];
  if (hex === undefined) return null;
  const diffId: Digest = `sha256:${hex}`;
  const layer = await keptLayer(layout, diffId, options);
  return layer === null ? null : { diffId, layer };
}

/** Passes everything on, and has read it by then: what has been written need not be read again to be checked. */
function hashing(hash: Hash): (chunks: AsyncIterable<Buffer>) => AsyncIterable<Buffer> {
  return async function* (chunks) {
    for await (const chunk of chunks) {
      hash.update(chunk);
      yield chunk;
    }
  };
}

/** Feeds the parser with regard to its own pace; rejects with what goes wrong on either side. */
async function drained(archive: Readable, parser: Parser, signal: AbortSignal): Promise<void> {
  const ended = new Promise<void>((resolve, reject) => {
    parser.once("end", resolve);
    parser.once("error", (cause: Error) => reject(unreadable(cause)));
  });
  ended.catch(() => {});
  const onAbort = (): void => void archive.destroy(signal.reason instanceof Error ? signal.reason : undefined);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    signal.throwIfAborted();
    for await (const chunk of archive) {
      streamed(chunk as Buffer);
      if (written(parser, chunk as Buffer)) continue;
      await Promise.race([new Promise((resolve) => parser.once("drain", resolve)), ended]);
    }
    signal.throwIfAborted();
    parser.end();
    await ended;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Whether the parser wants more at once. What is no archive at all it throws, what goes wrong later it emits. */
function written(parser: Parser, chunk: Buffer): boolean {
  try {
    return parser.write(chunk);
  } catch (error) {
    throw unreadable(error);
  }
}

function unreadable(cause: unknown): OciError {
  return new OciError("CORRUPT", `the archive cannot be read: ${cause instanceof Error ? cause.message : cause}`, {
    cause,
  });
}

/** Older engines write a layer that comes twice as a link to the first. */
function follow(entries: Entries, name: string): Unpacked | null {
  let at = entries.get(name);
  for (let hops = 0; hops < 8 && at !== undefined; hops++) {
    if (!("link" in at)) return at;
    at = entries.get(at.link);
  }
  return null;
}

function fileOf(entries: ReadonlyMap<string, Unpacked>, name: string): Unpacked {
  const found = entries.get(posix.normalize(name));
  if (found === undefined)
    throw new OciError("CORRUPT", `the archive names ${JSON.stringify(name)} and does not have it`);
  return found;
}

async function small(entry: Unpacked): Promise<Buffer> {
  if (!("file" in entry)) throw new OciError("CORRUPT", "a document of the archive is one of its layers");
  const { file } = entry;
  if ((await stat(file)).size > maxManifestBytes)
    throw new OciError("TOO_LARGE", "a document of the archive is too large");
  return readFile(file);
}

const knownLayer = z.object({ mediaType: z.string(), digest: digestShape, size: z.int() });

const noteOf = (layout: Layout, diffId: Digest, { compress = "gzip" }: ImportOptions): string =>
  join(layout.directory, "layers", `${diffId.slice(7)}.${compress}.json`);

/** The layer in the form that is kept, as an earlier image had it; null when it is not there. */
async function keptLayer(layout: Layout, diffId: Digest, options: ImportOptions): Promise<Descriptor | null> {
  const remembered = knownLayer.safeParse(await readJsonFile(noteOf(layout, diffId, options)));
  return remembered.success && (await layout.has(remembered.data.digest)) ? remembered.data : null;
}

/** The layer in the form that is kept; the same for the same content, because the first form is remembered. */
async function keepLayer(layout: Layout, diffId: Digest, entry: Unpacked, options: ImportOptions): Promise<Descriptor> {
  const differs = (seen: Digest): OciError =>
    new OciError("CORRUPT", `a layer is ${seen}, and its image's config says ${diffId}`);
  if (!("file" in entry)) {
    if (entry.diffId !== diffId) throw differs(entry.diffId);
    return entry.layer;
  }
  const { compress = "gzip" } = options;
  const { file } = entry;
  const isGzip = await beginsAsGzip(file);
  const seen = isGzip
    ? await digestOfStream(createReadStream(file).compose(createGunzip()), options.signal)
    : entry.digest;
  if (seen !== diffId) throw differs(seen);
  const kept = await keptLayer(layout, diffId, options);
  if (kept !== null) return kept;
  const packed =
    isGzip || compress === "none"
      ? createReadStream(file)
      : createReadStream(file).compose(createGzip({ level: gzipLevel }));
  const blob = await layout.write(packed as AsyncIterable<Buffer>, { maxBytes: options.maxBytes ?? defaultMaxBytes });
  const descriptor = {
    mediaType: isGzip || compress === "gzip" ? mediaTypes.layerGzip : mediaTypes.layer,
    ...blob,
  };
  await mkdir(join(layout.directory, "layers"), { recursive: true });
  await writeJsonFile(noteOf(layout, diffId, options), descriptor, { mode: 0o644 });
  return descriptor;
}

async function beginsAsGzip(file: string): Promise<boolean> {
  for await (const chunk of createReadStream(file, { end: 1 }))
    return (chunk as Buffer).equals(Buffer.from([0x1f, 0x8b]));
  return false;
}

async function digestOfStream(stream: Readable, signal: AbortSignal): Promise<Digest> {
  const hash = createHash("sha256");
  await pipeline(stream, hash, { signal });
  return `sha256:${(hash.read() as Buffer).toString("hex")}`;
}
