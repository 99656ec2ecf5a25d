import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { needPrograms, run } from "./parts.ts";
import { cacheDirectory } from "./scene.ts";

/** Each of these runs on the C library of Debian 12. The suite's runc does not (GLIBC_2.38), so the installed one is used. */
const packages = ["docker.io", "docker-cli", "containerd", "docker-buildx"];
const source = "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main\n";

export type UnpackedEngine = {
  /** Directories to put first on PATH. */
  readonly path: readonly string[];
  /** Holds `docker-buildx`, a plugin of the `docker` program. */
  readonly pluginDirectory: string;
};

/**
 * The newest engine that Debian has (with containerd and buildx), unpacked into a directory of its own beside the installed one,
 * which stays as it is. Downloaded once a machine (75 MB), checked by Debian's signature as apt always does.
 */
export async function newestEngine(): Promise<UnpackedEngine> {
  const directory = join(cacheDirectory, "engine-newest");
  if (!existsSync(directory)) await unpackInto(directory);
  const root = join(directory, "usr");
  return { path: [join(root, "sbin"), join(root, "bin")], pluginDirectory: join(root, "libexec/docker/cli-plugins") };
}

async function unpackInto(directory: string): Promise<void> {
  needPrograms("apt-get", "dpkg-deb", "runc");
  await mkdir(cacheDirectory, { recursive: true });
  const draft = await mkdtemp(join(cacheDirectory, "draft-"));
  try {
    const archives = await download(draft);
    const root = join(draft, "root");
    for (const archive of archives) await run(["dpkg-deb", "--extract", archive, root]);
    await rename(root, directory);
  } catch (error) {
    // Another process may have been faster.
    if (!existsSync(directory)) throw error;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

/** Package lists, cache and sources of its own: the machine's package manager does not notice. */
async function download(draft: string): Promise<readonly string[]> {
  const [lists, cache, debs] = ["lists", "cache", "debs"].map((name) => join(draft, name)) as [string, string, string];
  for (const each of [join(lists, "partial"), join(cache, "archives", "partial"), debs]) {
    await mkdir(each, { recursive: true });
  }
  await writeFile(join(draft, "sources.list"), source);
  const options = [
    `Dir::Etc::SourceList=${join(draft, "sources.list")}`,
    "Dir::Etc::SourceParts=-",
    `Dir::State::Lists=${lists}`,
    `Dir::Cache=${cache}`,
    "APT::Sandbox::User=root",
    "Acquire::Languages=none",
  ].flatMap((option) => ["--option", option]);
  await run(["apt-get", ...options, "--quiet", "update"], { timeoutMs: 180_000 });
  await run(["apt-get", ...options, "--quiet", "download", ...packages], { timeoutMs: 300_000, directory: debs });
  return (await readdir(debs)).map((name) => join(debs, name));
}
