import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Reachable } from "./engine-request.ts";
import { type Layer, type LoadedImage, loadImage } from "./image-archive.ts";
import { copyInto, keptLayer } from "./kept-layer.ts";
import { needPrograms, run } from "./parts.ts";

/** `amd64`, `arm64`: this machine in the words of images. */
export const architecture = process.arch === "x64" ? "amd64" : process.arch;

/**
 * `slipway-test/shell:1`: this machine's busybox and nothing more, 2 MB. For whatever needs no node, which is sixty times as large and
 * costs seconds of processor time wherever it is loaded, exported or packed.
 */
export async function shellImage(engine: Reachable): Promise<LoadedImage> {
  const config = { Env: ["PATH=/bin"], Cmd: ["sh"] };
  return loadImage(engine, "slipway-test/shell:1", { architecture, config, layers: [await shellLayer()] });
}

export async function shellLayer(): Promise<Layer> {
  return keptLayer(`shell-${architecture}`, fillWithShell);
}

/** Busybox under the names of all its applets, and what a program expects around it. */
export async function fillWithShell(root: string): Promise<void> {
  const [busybox = ""] = needPrograms("busybox");
  await copyInto(root, busybox, "/bin/busybox");
  const applets = (await run([busybox, "--list"])).split("\n").filter((name) => name !== "" && name !== "busybox");
  for (const applet of applets) await symlink("busybox", join(root, "bin", applet));
  for (const each of ["tmp", "app", "proc", "sys", "dev", "etc", "home/node"])
    await mkdir(join(root, each), { recursive: true });
  await writeFile(join(root, "etc/passwd"), "root:x:0:0::/root:/bin/sh\nnode:x:1000:1000::/home/node:/bin/sh\n");
  await writeFile(join(root, "etc/group"), "root:x:0:\nnode:x:1000:\n");
  await writeFile(join(root, "etc/nsswitch.conf"), "hosts: files dns\n");
}
