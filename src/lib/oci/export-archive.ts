import { Header } from "tar";
import { type Digest, mediaTypes } from "./documents.ts";
import { OciError } from "./errors.ts";
import type { Layout } from "./layout.ts";

/** An archive for the engine's `images/load`, of which every byte follows from the image: so it can be gone on with after a drop. */
export type Archive = {
  readonly bytes: number;
  /** From this byte on. A blob that was changed on disk ends in CORRUPT. */
  read(from?: number): AsyncGenerator<Buffer>;
};

export type ExportOptions = {
  /** `repository:tag` that the image is loaded as; null leaves it to the receiver to name it. */
  readonly name: string | null;
  /** So many layers from the bottom are left out, because the engine has them. */
  readonly withoutLayers?: number;
};

type Piece = { readonly bytes: number; read(from: number): AsyncIterable<Buffer> | Iterable<Buffer> };

const blockBytes = 512;

/**
 * Both forms in one, as engines from 25 on write it: `manifest.json` for the engine's own store, the OCI index for containerd's.
 */
export async function exportArchive(layout: Layout, digest: Digest, options: ExportOptions): Promise<Archive> {
  const manifestBytes = await layout.readWhole(digest);
  const manifest = await layout.manifest(digest);
  const pathOf = (each: Digest): string => `blobs/sha256/${each.slice("sha256:".length)}`;
  const index = {
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    manifests: [
      {
        mediaType: manifest.mediaType ?? mediaTypes.manifest,
        digest,
        size: manifestBytes.length,
        ...(options.name === null ? {} : { annotations: { "io.containerd.image.name": fullName(options.name) } }),
      },
    ],
  };
  const engineManifest = [
    {
      Config: pathOf(manifest.config.digest),
      RepoTags: options.name === null ? null : [options.name],
      Layers: manifest.layers.map((layer) => pathOf(layer.digest)),
    },
  ];
  const sent = manifest.layers.slice(options.withoutLayers ?? 0);
  // A layer may come twice in an image; its file is there once.
  const layers = sent.filter((layer, at) => sent.findIndex((other) => other.digest === layer.digest) === at);
  for (const layer of layers) {
    if (!(await layout.has(layer.digest)))
      throw new OciError("MISSING", `the layer ${layer.digest} is not in ${layout.directory}`);
  }
  return joined([
    ...whole("oci-layout", JSON.stringify({ imageLayoutVersion: "1.0.0" })),
    ...whole("index.json", JSON.stringify(index)),
    ...whole("manifest.json", JSON.stringify(engineManifest)),
    ...whole(pathOf(digest), manifestBytes),
    ...whole(pathOf(manifest.config.digest), await layout.readWhole(manifest.config.digest)),
    ...layers.flatMap(({ digest: each, size }) => [
      memory(headerOf(pathOf(each), size)),
      { bytes: size, read: (from: number) => blobFrom(layout, each, from) },
      memory(padding(size)),
    ]),
    memory(Buffer.alloc(2 * blockBytes)),
  ]);
}

/** `web:v1` is `docker.io/library/web:v1` to containerd. */
function fullName(name: string): string {
  const first = name.split("/")[0] ?? "";
  const hasHost = name.includes("/") && (first.includes(".") || first.includes(":") || first === "localhost");
  if (hasHost) return name;
  return name.includes("/") ? `docker.io/${name}` : `docker.io/library/${name}`;
}

function joined(pieces: readonly Piece[]): Archive {
  return {
    bytes: pieces.reduce((sum, piece) => sum + piece.bytes, 0),
    async *read(from = 0) {
      let skip = from;
      for (const piece of pieces) {
        if (skip >= piece.bytes) {
          skip -= piece.bytes;
          continue;
        }
        yield* piece.read(skip);
        skip = 0;
      }
    },
  };
}

async function* blobFrom(layout: Layout, digest: Digest, from: number): AsyncGenerator<Buffer> {
  yield* (await layout.read(digest, from)) as AsyncIterable<Buffer>;
}

function whole(name: string, content: string | Buffer): readonly Piece[] {
  const bytes = Buffer.from(content);
  return [memory(headerOf(name, bytes.length)), memory(bytes), memory(padding(bytes.length))];
}

function memory(content: Buffer): Piece {
  return { bytes: content.length, read: (from) => [content.subarray(from)] };
}

function padding(size: number): Buffer {
  return Buffer.alloc((blockBytes - (size % blockBytes)) % blockBytes);
}

function headerOf(path: string, size: number): Buffer {
  const header = new Header({ path, size, type: "File", mode: 0o644, uid: 0, gid: 0, mtime: new Date(0) });
  header.encode();
  if (header.block === undefined) throw new OciError("PROTOCOL", `no tar header can be made for ${path}`);
  return header.block;
}
