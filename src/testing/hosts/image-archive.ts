import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Readable } from "node:stream";
import { Header } from "tar";
import { engineRequest, type Reachable } from "./engine-request.ts";

/** A layer as a plain tar, in a file or in memory. Its digest is the one that an image's config names. */
export type Layer = { readonly digest: string; readonly content: { readonly file: string } | Buffer };

export type ImageConfig = {
  readonly architecture: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly layers: readonly Layer[];
};

/** The same on every engine, because nothing in it is of the moment. */
export type LoadedImage = { readonly name: string; readonly id: `sha256:${string}` };

/** Gives an engine an image, as `docker load` does. Nothing is pulled. */
export async function loadImage(engine: Reachable, name: string, image: ImageConfig): Promise<LoadedImage> {
  const config = JSON.stringify({
    architecture: image.architecture,
    os: "linux",
    created: "2026-01-01T00:00:00Z",
    config: image.config,
    rootfs: { type: "layers", diff_ids: image.layers.map((layer) => layer.digest) },
    history: image.layers.map((layer) => ({ created: "2026-01-01T00:00:00Z", created_by: layer.digest })),
  });
  const id = sha256(config);
  const fileOf = (layer: Layer): string => `${layer.digest.slice("sha256:".length)}.tar`;
  const manifest = [{ Config: `${id.slice(7)}.json`, RepoTags: [name], Layers: image.layers.map(fileOf) }];
  const archive = archiveOf([
    { name: `${id.slice(7)}.json`, content: Buffer.from(config) },
    ...image.layers.map((layer) => ({ name: fileOf(layer), content: layer.content })),
    { name: "manifest.json", content: Buffer.from(JSON.stringify(manifest)) },
  ]);
  const answer = await engineRequest(engine, "POST", "/images/load?quiet=1", {
    type: "application/x-tar",
    content: Readable.from(archive),
  });
  if (answer.includes('"errorDetail"')) throw new Error(`the engine refused ${name}: ${answer.trim()}`);
  return { name, id };
}

/** A layer with these files, owned by root. */
export function layerOf(files: Readonly<Record<string, string | Buffer>>): Layer {
  const blocks = Object.entries(files).flatMap(([name, content]) => [
    headerOf(name, Buffer.byteLength(content)),
    padded(Buffer.from(content)),
  ]);
  const content = Buffer.concat([...blocks, Buffer.alloc(1_024)]);
  return { digest: sha256(content), content };
}

export function sha256(content: string | Buffer): `sha256:${string}` {
  return `sha256:${createHash("sha256").update(content).digest("hex")}`;
}

async function* archiveOf(
  entries: readonly { readonly name: string; readonly content: { readonly file: string } | Buffer }[],
): AsyncGenerator<Buffer> {
  for (const { name, content } of entries) {
    if (Buffer.isBuffer(content)) {
      yield headerOf(name, content.length);
      yield padded(content);
    } else {
      const { size } = await stat(content.file);
      yield headerOf(name, size);
      for await (const chunk of createReadStream(content.file, { highWaterMark: 1024 ** 2 })) yield chunk as Buffer;
      yield Buffer.alloc((512 - (size % 512)) % 512);
    }
  }
  yield Buffer.alloc(1_024);
}

function headerOf(path: string, size: number): Buffer {
  const header = new Header({ path, size, type: "File", mode: 0o644, uid: 0, gid: 0, mtime: new Date(0) });
  header.encode();
  if (header.block === undefined) throw new Error(`no header could be made for ${path}`);
  return header.block;
}

function padded(content: Buffer): Buffer {
  return Buffer.concat([content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}
