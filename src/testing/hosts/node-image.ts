import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, mkdtemp, readFile, realpath, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { packDirectory } from "../../lib/pack.ts";
import type { Reachable } from "./engine-request.ts";
import { type Layer, type LoadedImage, loadImage } from "./image-archive.ts";
import { needPrograms, run } from "./parts.ts";
import { cacheDirectory } from "./scene.ts";

/** `amd64`, `arm64`: this machine in the words of images. */
export const architecture = process.arch === "x64" ? "amd64" : process.arch;

export const nodeConfig = {
  Env: ["PATH=/usr/local/bin:/bin"],
  WorkingDir: "/app",
  Cmd: ["node"],
} as const;

/** `slipway-test/node:<version>`: this machine's own node and busybox, imported. The base of every sample image. */
export async function nodeImage(engine: Reachable): Promise<LoadedImage> {
  const layers = [await nodeLayer()];
  return loadImage(engine, `slipway-test/node:${process.versions.node}`, { architecture, config: nodeConfig, layers });
}

/** Made once for a version of node, then kept. */
export async function nodeLayer(): Promise<Layer> {
  const directory = join(cacheDirectory, `node-${process.version}-${architecture}`);
  if (!existsSync(directory)) await makeLayer(directory);
  return {
    digest: await readFile(join(directory, "digest"), "utf8"),
    content: { file: join(directory, "layer.tar") },
  };
}

async function makeLayer(directory: string): Promise<void> {
  const [busybox = ""] = needPrograms("busybox", "ldd");
  await mkdir(cacheDirectory, { recursive: true });
  const draft = await mkdtemp(join(cacheDirectory, "draft-"));
  try {
    const root = join(draft, "root");
    const node = await realpath(process.execPath);
    await copyInto(root, node, "/usr/local/bin/node");
    for (const library of await librariesOf(node)) await copyInto(root, library, library);
    await copyInto(root, busybox, "/bin/busybox");
    const applets = (await run([busybox, "--list"])).split("\n").filter((name) => name !== "" && name !== "busybox");
    for (const applet of applets) await symlink("busybox", join(root, "bin", applet));
    for (const each of ["tmp", "app", "proc", "sys", "dev", "etc", "home/node"])
      await mkdir(join(root, each), { recursive: true });
    await writeFile(join(root, "etc/passwd"), "root:x:0:0::/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\n");
    await writeFile(join(root, "etc/group"), "root:x:0:\nnode:x:1000:\n");
    await writeFile(join(root, "etc/nsswitch.conf"), "hosts: files dns\n");
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

/** What the dynamic linker would load, and what looking up names and users loads later. */
async function librariesOf(program: string): Promise<readonly string[]> {
  const linked = [...(await run(["ldd", program])).matchAll(/(\/\S+) \(0x/g)].map((found) => found[1] ?? "");
  const libc = linked.find((path) => /\/libc\.so/.test(path));
  const later = ["libnss_dns.so.2", "libnss_files.so.2", "libresolv.so.2"]
    .map((name) => join(dirname(libc ?? "/lib"), name))
    .filter((path) => existsSync(path));
  return [...new Set([...linked, ...later])];
}
