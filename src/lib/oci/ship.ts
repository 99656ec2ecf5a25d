import { Readable } from "node:stream";
import { setTimeout as wait } from "node:timers/promises";
import type { Docker } from "../docker/docker.ts";
import { DockerError } from "../docker/errors.ts";
import { type Image, inspectImage, listImages, loadImage } from "../docker/images.ts";
import { type Digest, parseConfig } from "./documents.ts";
import { OciError } from "./errors.ts";
import { type Archive, exportArchive } from "./export-archive.ts";
import { Layout } from "./layout.ts";
import type { PushProgress } from "./push.ts";
import { isDrop, loadOverSsh } from "./ship-over-ssh.ts";

export type ShippedImage = { readonly digest: Digest; readonly id: Digest; readonly layout: string };

/** What went over, and how much of the image was there already. */
export type Shipment = { readonly bytes: number; readonly layersSent: number; readonly layersThere: number };

/** Below, a whole repeat costs less than asking where the last try stood. */
const resumableBytes = 4 * 1024 ** 2;
const attempts = 5;
const backoffMs = 250;
/** Images of the engine that are looked at for common layers. */
const maxImagesSeen = 500;
const looksAtOnce = 4;

/**
 * Brings an image to an engine without a registry: only the layers that none of its images has, as an archive over the engine's own
 * connection, or, over SSH and when it is worth it, as a file that is gone on with after a drop. An engine that does not take a
 * part gets the whole. Resolves when the engine has the image, without a name: the caller gives it one. Safe to repeat. Errors:
 * OciError, DockerError, SshError.
 */
export async function ship(
  image: ShippedImage,
  engine: Docker,
  onProgress: (progress: PushProgress) => void,
  signal: AbortSignal,
): Promise<Shipment> {
  const layout = await Layout.open(image.layout);
  const manifest = await layout.manifest(image.digest);
  const diffIds = parseConfig(await layout.readWhole(manifest.config.digest)).rootfs.diff_ids;
  const total = manifest.layers.length;
  if ((await seen(engine, image, signal)) !== null) return { bytes: 0, layersSent: 0, layersThere: total };
  const there = await layersThere(engine, diffIds, signal);
  for (const withoutLayers of there === 0 ? [0] : [there, 0]) {
    const archive = await exportArchive(layout, image.digest, { name: null, withoutLayers });
    try {
      await send(engine, archive, onProgress, signal);
    } catch (error) {
      // A layer went with its image in the meantime, or containerd has it in another packing: then all of it.
      if (withoutLayers > 0 && isRefusal(error)) continue;
      throw error;
    }
    if ((await seen(engine, image, signal)) !== null) {
      return { bytes: archive.bytes, layersSent: total - withoutLayers, layersThere: withoutLayers };
    }
  }
  throw new OciError("NOT_TAKEN", `${engine.url} took the archive and does not have the image ${image.id}`);
}

/** By its config; engines that keep images in containerd call it by its manifest. What has it under that name has this content. */
async function seen(engine: Docker, { id, digest }: ShippedImage, signal: AbortSignal): Promise<Image | null> {
  return (await inspectImage(engine, id, signal)) ?? (await inspectImage(engine, digest, signal));
}

/** How many layers from the bottom some image of the engine has too: a layer only counts on the same ones below it. */
async function layersThere(engine: Docker, diffIds: readonly string[], signal: AbortSignal): Promise<number> {
  const ids = (await listImages(engine, {}, signal)).map((image) => image.Id).slice(0, maxImagesSeen);
  let most = 0;
  const look = async (): Promise<void> => {
    for (let id = ids.shift(); id !== undefined && most < diffIds.length; id = ids.shift()) {
      const layers = (await inspectImage(engine, id, signal))?.RootFS?.Layers ?? [];
      const differs = diffIds.findIndex((diffId, at) => layers[at] !== diffId);
      most = Math.max(most, differs === -1 ? diffIds.length : differs);
    }
  };
  await Promise.all(Array.from({ length: looksAtOnce }, look));
  return most;
}

async function send(
  engine: Docker,
  archive: Archive,
  onProgress: (progress: PushProgress) => void,
  signal: AbortSignal,
): Promise<void> {
  const report = (doneBytes: number): void => onProgress({ doneBytes, totalBytes: archive.bytes });
  if (engine.ssh !== null && archive.bytes > resumableBytes) {
    const isDone = await loadOverSsh({ engine, ssh: engine.ssh, archive, report, signal });
    if (isDone) return;
  }
  for (let attempt = 1; ; attempt++) {
    try {
      report(0);
      await loadImage(engine, Readable.from(counted(archive, report), { objectMode: false }), { signal });
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (!isDrop(error) || attempt >= attempts) throw error;
      await wait(backoffMs * 2 ** (attempt - 1), undefined, { signal });
    }
  }
}

async function* counted(archive: Archive, report: (doneBytes: number) => void): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of archive.read()) {
    yield chunk;
    bytes += chunk.length;
    report(bytes);
  }
}

function isRefusal(error: unknown): boolean {
  return (
    (error instanceof DockerError && error.code === "REFUSED") ||
    (error instanceof OciError && error.code === "NOT_TAKEN")
  );
}
