import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, mkdtemp, readFile, realpath, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { packDirectory } from "../../lib/pack.ts";
import type { Layer } from "./image-archive.ts";
import { cacheDirectory } from "./scene.ts";

/** A layer of what `fill` puts into a directory: made once under that name, then kept. */
export async function keptLayer(name: string, fill: (root: string) => Promise<void>): Promise<Layer> {
  const directory = join(cacheDirectory, name);
  if (!existsSync(directory)) await makeLayer(directory, fill);
  return {
    digest: await readFile(join(directory, "digest"), "utf8"),
    content: { file: join(directory, "layer.tar") },
  };
}

async function makeLayer(directory: string, fill: (root: string) => Promise<void>): Promise<void> {
  await mkdir(cacheDirectory, { recursive: true });
  const draft = await mkdtemp(join(cacheDirectory, "draft-"));
  try {
    const root = join(draft, "root");
    await fill(root);
    const { digest } = await packDirectory(root, join(draft, "layer.tar"));
    await rm(root, { recursive: true });
    await writeFile(join(draft, "digest"), digest);
    await rename(draft, directory);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    // Another process may have been faster.
    if (!existsSync(directory)) throw error;
  }
}

/** A program or library of this machine, at a place in a layer. */
export async function copyInto(root: string, from: string, to: string): Promise<void> {
  await mkdir(dirname(join(root, to)), { recursive: true });
  await copyFile(await realpath(from), join(root, to));
  await chmod(join(root, to), 0o755);
}
