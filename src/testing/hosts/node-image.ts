import { existsSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Reachable } from "./engine-request.ts";
import { type Layer, type LoadedImage, loadImage } from "./image-archive.ts";
import { copyInto, keptLayer } from "./kept-layer.ts";
import { needPrograms, run } from "./parts.ts";
import { architecture, fillWithShell } from "./shell-image.ts";

export const nodeConfig = {
  Env: ["PATH=/usr/local/bin:/bin"],
  WorkingDir: "/app",
  Cmd: ["node"],
} as const;

/** `slipway-test/node:<version>`: this machine's own node and busybox, imported. The base of every sample image that serves. */
export async function nodeImage(engine: Reachable): Promise<LoadedImage> {
  const layers = [await nodeLayer()];
  return loadImage(engine, `slipway-test/node:${process.versions.node}`, { architecture, config: nodeConfig, layers });
}

export async function nodeLayer(): Promise<Layer> {
  return keptLayer(`node-${process.version}-${architecture}`, fillWithNode);
}

async function fillWithNode(root: string): Promise<void> {
  needPrograms("ldd");
  const node = await realpath(process.execPath);
  await copyInto(root, node, "/usr/local/bin/node");
  for (const library of await librariesOf(node)) await copyInto(root, library, library);
  await fillWithShell(root);
}

/** What the dynamic linker would load, and what looking up names and users loads later. */
async function librariesOf(program: string): Promise<readonly string[]> {
  const linked = [...(await run(["ldd", program])).matchAll(/(\/\S+) \(0x/g)].map((found) => found[1] ?? "");
  const libc = linked.find((path) => /\/libc\.so/.test(path));
  const later = ["libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2"]
    .map((name) => join(dirname(libc ?? "/lib"), name))
    .filter((path) => existsSync(path));
  return [...new Set([...linked, ...later])];
}
