import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Reachable } from "./engine-request.ts";
import { type LoadedImage, loadImage } from "./image-archive.ts";
import { copyInto, keptLayer } from "./kept-layer.ts";
import { needPrograms, run } from "./parts.ts";
import { architecture } from "./shell-image.ts";

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
  return loadImage(engine, name, {
    architecture,
    config,
    layers: [await keptLayer(`redis-${architecture}`, fillWithRedis)],
  });
}

async function fillWithRedis(root: string): Promise<void> {
  const [program = ""] = needPrograms("redis-check-rdb", "ldd");
  const linked = [...(await run(["ldd", program])).matchAll(/(\/\S+) \(0x/g)].map((found) => found[1] ?? "");
  for (const library of linked) await copyInto(root, library, library);
  await copyInto(root, program, "/usr/local/bin/redis-server");
  for (const each of ["tmp", "proc", "sys", "dev", "etc"]) await mkdir(join(root, each), { recursive: true });
}
