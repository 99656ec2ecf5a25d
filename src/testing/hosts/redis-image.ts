import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, mkdtemp, readFile, realpath, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { packDirectory } from "../../lib/pack.ts";
import type { Reachable } from "./engine-request.ts";
import { type Layer, type LoadedImage, loadImage } from "./image-archive.ts";
import { architecture } from "./node-image.ts";
import { needPrograms, run } from "./parts.ts";
import { cacheDirectory } from "./scene.ts";

/**
 * A real Redis as an image of the given name, made of Debian's `redis-tools`: its `redis-check-rdb` is the server under another name,
 * and no service is installed with it. Keeps nothing on disk.
 */
export async function redisImage(engine: Reachable, name: string): Promise<LoadedImage> {
  const config = {
    Env: ["PATH=/usr/local/bin"],
    User: "999:999",
    Cmd: ["redis-server", "--protected-mode", "no", "--save", "", "--appendonly", "no"],
    ExposedPorts: { "6379/tcp": {} },
  };
  return loadImage(engine, name, { architecture, config, layers: [await redisLayer()] });
}

/** Made once a machine, then kept. */
async function redisLayer(): Promise<Layer> {
  const [program = ""] = needPrograms("redis-check-rdb", "ldd");
  const directory = join(cacheDirectory, `redis-${architecture}`);
  if (!existsSync(directory)) await makeLayer(directory, program);
  return {
    digest: await readFile(join(directory, "digest"), "utf8"),
    content: { file: join(directory, "layer.tar") },
  };
}

async function makeLayer(directory: string, program: string): Promise<void> {
  await mkdir(cacheDirectory, { recursive: true });
  const draft = await mkdtemp(join(cacheDirectory, "draft-"));
  try {
    const root = join(draft, "root");
    const linked = [...(await run(["ldd", program])).matchAll(/(\/\S+) \(0x/g)].map((found) => found[1] ?? "");
    for (const library of linked) await copyInto(root, library, library);
    await copyInto(root, program, "/usr/local/bin/redis-server");
    for (const each of ["tmp", "proc", "sys", "dev", "etc"]) await mkdir(join(root, each), { recursive: true });
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

async function copyInto(root: string, from: string, to: string): Promise<void> {
  await mkdir(dirname(join(root, to)), { recursive: true });
  await copyFile(await realpath(from), join(root, to));
  await chmod(join(root, to), 0o755);
}
