import { pipeline } from "node:stream/promises";
import { Parser, type ReadEntry } from "tar";
import type { Component, Distribution } from "../../../core/build/sbom/component.ts";
import {
  type InstalledKind,
  installedKind,
  maxInstalledBytes,
  readInstalled,
  readOsRelease,
} from "../../../core/build/sbom/installed.ts";
import type { Digest } from "../../../core/ids.ts";
import type { Layout } from "../../../lib/oci/layout.ts";

export type ImageContents = { readonly components: readonly Component[]; readonly distribution: Distribution | null };

type LayerFinding = { readonly components: readonly Component[]; readonly distribution: Distribution | null };
type Layer = {
  readonly files: ReadonlyMap<string, LayerFinding>;
  /** Paths that it takes away from the layers below it, and directories of which it takes all. */
  readonly removed: readonly string[];
};

/** Layers of base images come again with every build. */
const maxRemembered = 256;
const whiteout = ".wh.";
const opaque = ".wh..wh..opq";

/** Reads what package managers wrote into an image, layer by layer, as a container would see it at the end. */
export class LayerScanner {
  readonly #known = new Map<Digest, Layer>();

  async scan(layout: Layout, image: Digest, signal: AbortSignal): Promise<ImageContents> {
    const files = new Map<string, LayerFinding>();
    for (const { digest } of (await layout.manifest(image)).layers) {
      const layer = this.#known.get(digest) ?? (await readLayer(layout, digest, signal));
      this.#remember(digest, layer);
      for (const path of layer.removed) {
        for (const each of files.keys()) if (each === path || each.startsWith(`${path}/`)) files.delete(each);
      }
      for (const [path, finding] of layer.files) files.set(path, finding);
    }
    const findings = [...files.values()];
    return {
      components: findings.flatMap((each) => each.components),
      distribution: findings.find((each) => each.distribution !== null)?.distribution ?? null,
    };
  }

  #remember(digest: Digest, layer: Layer): void {
    this.#known.delete(digest);
    this.#known.set(digest, layer);
    const [oldest] = this.#known.keys();
    if (this.#known.size > maxRemembered && oldest !== undefined) this.#known.delete(oldest);
  }
}

async function readLayer(layout: Layout, digest: Digest, signal: AbortSignal): Promise<Layer> {
  const files = new Map<string, LayerFinding>();
  const removed: string[] = [];
  const parser = new Parser({
    onReadEntry: (entry: ReadEntry) => {
      const path = entry.path.replace(/^\.?\/+/, "").replace(/\/+$/, "");
      const at = path.lastIndexOf("/") + 1;
      const name = path.slice(at);
      if (name === opaque) removed.push(path.slice(0, Math.max(0, at - 1)));
      else if (name.startsWith(whiteout)) removed.push(path.slice(0, at) + name.slice(whiteout.length));
      const kind = entry.type === "File" ? installedKind(path) : null;
      if (kind === null || entry.size > maxInstalledBytes[kind]) return entry.resume();
      const chunks: Buffer[] = [];
      entry.on("data", (chunk: Buffer) => chunks.push(chunk));
      entry.on("end", () => files.set(path, find(kind, Buffer.concat(chunks).toString("utf8"), path)));
    },
  });
  await pipeline(await layout.read(digest), parser, { signal });
  return { files, removed };
}

function find(kind: InstalledKind, text: string, path: string): LayerFinding {
  if (kind === "os-release") return { components: [], distribution: readOsRelease(text) };
  return { components: readInstalled(kind, text, path), distribution: null };
}
