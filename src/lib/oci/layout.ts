import { createHash, randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { Readable } from "node:stream";
import { readJsonFile, writeJsonFile } from "../json-file.ts";
import { streamed } from "../stream-garbage.ts";
import {
  type Descriptor,
  type Digest,
  digestOf,
  type Index,
  isDigest,
  type Manifest,
  maxManifestBytes,
  mediaTypes,
  parseIndex,
  parseManifest,
} from "./documents.ts";
import { OciError, withDiskWords } from "./errors.ts";

export type Blob = { readonly digest: Digest; readonly size: number };

/** A document that says something of an image: SBOM, provenance. */
export type Attachment = {
  /** `application/spdx+json`, `application/vnd.in-toto+json`, … */
  readonly artifactType: string;
  readonly content: Buffer;
  readonly annotations?: Readonly<Record<string, string>>;
};

/**
 * An OCI image layout on disk (image-spec 1.1, "image-layout"), shared by all images: what two have in common is there once. A
 * file under `blobs/` is whole and on disk before it has its name, so a crash leaves nothing half. One process at a time writes
 * to it. Errors: OciError MISSING, CORRUPT, TOO_LARGE, NO_SPACE.
 */
export class Layout {
  readonly directory: string;
  /** Changes of the index, one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(directory: string) {
    this.directory = directory;
  }

  static #open = new Map<string, Layout>();

  /** The same object for the same directory; the directory is made when it is not there. */
  static async open(directory: string): Promise<Layout> {
    const path = resolve(directory);
    const known = Layout.#open.get(path);
    if (known !== undefined) return known;
    const layout = new Layout(path);
    Layout.#open.set(path, layout);
    try {
      await mkdir(join(path, "blobs", "sha256"), { recursive: true });
      await mkdir(join(path, "incoming"), { recursive: true });
      await writeJsonFile(join(path, "oci-layout"), { imageLayoutVersion: "1.0.0" }, { mode: 0o644 });
      return layout;
    } catch (error) {
      Layout.#open.delete(path);
      throw withDiskWords(error, path);
    }
  }

  async has(digest: Digest): Promise<boolean> {
    return (await this.#sizeOf(digest)) !== null;
  }

  /** Keeps the content, which must be what `expected` says. Safe to repeat. */
  async write(
    content: Buffer | AsyncIterable<Buffer>,
    expected: { readonly digest?: Digest; readonly size?: number; readonly maxBytes: number },
  ): Promise<Blob> {
    const temporary = join(this.directory, "incoming", randomBytes(8).toString("hex"));
    try {
      const hash = createHash("sha256");
      let size = 0;
      const file = await open(temporary, "wx", 0o644);
      try {
        for await (const chunk of Buffer.isBuffer(content) ? [content] : content) {
          size += chunk.length;
          if (size > expected.maxBytes)
            throw new OciError("TOO_LARGE", `a blob is larger than ${expected.maxBytes} bytes`);
          hash.update(chunk);
          await file.writeFile(chunk);
          streamed(chunk);
        }
        await file.sync();
      } finally {
        await file.close();
      }
      const digest: Digest = `sha256:${hash.digest("hex")}`;
      if ((expected.digest ?? digest) !== digest || (expected.size ?? size) !== size) {
        throw new OciError(
          "CORRUPT",
          `${expected.digest} of ${expected.size} bytes came as ${digest} of ${size} bytes`,
        );
      }
      await this.#keep(temporary, digest);
      return { digest, size };
    } catch (error) {
      await rm(temporary, { force: true });
      throw withDiskWords(error, this.directory);
    }
  }

  /**
   * The blob's bytes from `from` on. Read from the start it is checked: what is not its digest ends in CORRUPT instead of the end,
   * so whoever passes it on must not say that it is complete before.
   */
  async read(digest: Digest, from = 0): Promise<Readable> {
    const size = await this.#sizeOf(digest);
    if (size === null) throw missing(digest, this.directory);
    return Readable.from(checked(createReadStream(this.#pathOf(digest), { start: from }), from === 0 ? digest : null), {
      objectMode: false,
    });
  }

  /** A small blob, whole and checked. */
  async readWhole(digest: Digest, maxBytes = maxManifestBytes): Promise<Buffer> {
    const size = await this.#sizeOf(digest);
    if (size === null) throw missing(digest, this.directory);
    if (size > maxBytes) throw new OciError("TOO_LARGE", `${digest} is larger than ${maxBytes} bytes`);
    const content = await readFile(this.#pathOf(digest));
    if (digestOf(content) !== digest) throw corrupt(digest);
    return content;
  }

  async manifest(digest: Digest): Promise<Manifest> {
    return parseManifest(await this.readWhole(digest));
  }

  /** Manifests that were added: images and what refers to them. */
  async index(): Promise<Index> {
    try {
      return parseIndex(await readFile(join(this.directory, "index.json")));
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return emptyIndex;
      throw error;
    }
  }

  /** Writes a manifest and lists it. Everything that it names must be there. Safe to repeat. */
  async add(manifest: Omit<Manifest, "schemaVersion">): Promise<Descriptor> {
    for (const part of [manifest.config, ...manifest.layers]) {
      if ((await this.#sizeOf(part.digest)) !== part.size) throw missing(part.digest, this.directory);
    }
    const content = Buffer.from(JSON.stringify({ schemaVersion: 2, ...manifest }));
    const blob = await this.write(content, { maxBytes: maxManifestBytes });
    const descriptor: Descriptor = {
      mediaType: manifest.mediaType ?? mediaTypes.manifest,
      ...blob,
      ...(manifest.artifactType === undefined ? {} : { artifactType: manifest.artifactType }),
    };
    await this.#changeIndex(({ manifests }) =>
      manifests.some((each) => each.digest === blob.digest) ? manifests : [...manifests, descriptor],
    );
    return descriptor;
  }

  /** Keeps a document that refers to an image, so that it is found by the image's digest. Safe to repeat. */
  async attach(subject: Digest, attachment: Attachment): Promise<Descriptor> {
    const size = await this.#sizeOf(subject);
    if (size === null) throw missing(subject, this.directory);
    const empty = await this.write(Buffer.from("{}"), { maxBytes: 2 });
    const layer = await this.write(attachment.content, { maxBytes: maxAttachmentBytes });
    return this.add({
      mediaType: mediaTypes.manifest,
      artifactType: attachment.artifactType,
      config: { mediaType: mediaTypes.empty, ...empty },
      layers: [{ mediaType: attachment.artifactType, ...layer }],
      subject: { mediaType: mediaTypes.manifest, digest: subject, size },
      ...(attachment.annotations === undefined ? {} : { annotations: attachment.annotations }),
    });
  }

  /** Manifests that refer to the image. */
  async referrers(subject: Digest): Promise<readonly Descriptor[]> {
    const { manifests } = await this.index();
    const found: Descriptor[] = [];
    for (const descriptor of manifests) {
      if ((await this.manifest(descriptor.digest)).subject?.digest === subject) found.push(descriptor);
    }
    return found;
  }

  /**
   * Removes every blob that none of the needed images, nor what refers to them, is made of. What was written after `before` stays:
   * it may belong to an image that is only being made. Returns the bytes that were freed. Safe to repeat.
   */
  async collect(needed: ReadonlySet<Digest>, before: number): Promise<number> {
    const keep = new Set<string>();
    await this.#changeIndex(async ({ manifests }) => {
      const kept: Descriptor[] = [];
      for (const descriptor of manifests) {
        const manifest = await this.manifest(descriptor.digest);
        const isNeeded =
          needed.has(descriptor.digest) ||
          (manifest.subject !== undefined && needed.has(manifest.subject.digest)) ||
          (await this.#writtenAt(descriptor.digest)) >= before;
        if (!isNeeded) continue;
        kept.push(descriptor);
        for (const part of [descriptor, manifest.config, ...manifest.layers]) keep.add(part.digest);
      }
      return kept;
    });
    let freed = 0;
    for (const directory of [join(this.directory, "blobs", "sha256"), join(this.directory, "incoming")]) {
      for (const name of await readdir(directory)) {
        const { mtimeMs, size } = await stat(join(directory, name));
        if (keep.has(`sha256:${name}`) || mtimeMs >= before) continue;
        await rm(join(directory, name));
        freed += size;
      }
    }
    await this.#forget(keep, before);
    return freed;
  }

  /** What an import that was killed left, and what is remembered of layers that are gone. */
  async #forget(keep: ReadonlySet<string>, before: number): Promise<void> {
    const [scratch, notes] = [join(this.directory, "scratch"), join(this.directory, "layers")];
    for (const name of await readdir(scratch).catch(() => [])) {
      const { mtimeMs } = await stat(join(scratch, name));
      if (mtimeMs < before) await rm(join(scratch, name), { recursive: true });
    }
    for (const name of await readdir(notes).catch(() => [])) {
      const note = await readJsonFile<{ readonly digest?: string }>(join(notes, name)).catch(() => null);
      const { mtimeMs } = await stat(join(notes, name));
      if (mtimeMs < before && !keep.has(note?.digest ?? "")) await rm(join(notes, name));
    }
  }

  #pathOf(digest: Digest): string {
    if (!isDigest(digest)) throw new OciError("CORRUPT", `${JSON.stringify(digest)} is no sha256 digest`);
    return join(this.directory, "blobs", "sha256", digest.slice("sha256:".length));
  }

  async #sizeOf(digest: Digest): Promise<number | null> {
    const found = await stat(this.#pathOf(digest)).catch(() => null);
    return found?.isFile() === true ? found.size : null;
  }

  async #writtenAt(digest: Digest): Promise<number> {
    return (await stat(this.#pathOf(digest))).mtimeMs;
  }

  /** Gives a written file its name, durably. */
  async #keep(temporary: string, digest: Digest): Promise<void> {
    const path = this.#pathOf(digest);
    await rename(temporary, path);
    const parent = await open(dirname(path), "r");
    try {
      await parent.sync();
    } finally {
      await parent.close();
    }
  }

  async #changeIndex(change: (index: Index) => readonly Descriptor[] | Promise<readonly Descriptor[]>): Promise<void> {
    const mine = this.#turn.then(async () => {
      const index = await this.index();
      const manifests = await change(index);
      if (manifests !== index.manifests) {
        await writeJsonFile(join(this.directory, "index.json"), { ...index, manifests }, { mode: 0o644 });
      }
    });
    this.#turn = mine.catch(() => {});
    try {
      await mine;
    } catch (error) {
      throw withDiskWords(error, this.directory);
    }
  }
}

/** An SBOM of a large image is some MiB. */
const maxAttachmentBytes = 64 * 1024 ** 2;

const emptyIndex: Index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [] };

async function* checked(file: AsyncIterable<Buffer>, digest: Digest | null): AsyncGenerator<Buffer> {
  const hash = digest === null ? null : createHash("sha256");
  let last: Buffer | null = null;
  for await (const chunk of file) {
    hash?.update(chunk);
    streamed(chunk);
    if (last !== null) yield last;
    last = chunk;
  }
  // The last piece is held back until the whole is known to be right: nobody gets a complete wrong blob.
  if (hash !== null && `sha256:${hash.digest("hex")}` !== digest) throw corrupt(digest as Digest);
  if (last !== null) yield last;
}

function missing(digest: Digest, directory: string): OciError {
  return new OciError("MISSING", `${digest} is not in the image layout ${directory}`);
}

function corrupt(digest: Digest): OciError {
  return new OciError("CORRUPT", `${digest} was changed on disk: its content has another digest`);
}
