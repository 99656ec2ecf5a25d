import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { must, partsDirectory } from "./parts.ts";

/** A package file of Debian's archive, checked by Debian's signature as apt always does, kept between runs. This machine's apt does not notice. */
export async function debianPackage(suite: string, name: string): Promise<string> {
  const directory = join(partsDirectory, `deb-${suite}-${name}`);
  const kept = await fileIn(directory);
  if (kept !== null) return kept;
  await mkdir(partsDirectory, { recursive: true });
  const draft = await mkdtemp(join(partsDirectory, "draft-"));
  try {
    const [lists, cache, debs] = ["lists", "cache", "debs"].map((part) => join(draft, part)) as [
      string,
      string,
      string,
    ];
    for (const each of [join(lists, "partial"), join(cache, "archives/partial"), debs])
      await mkdir(each, { recursive: true });
    const sources = join(draft, "sources.list");
    await writeFile(
      sources,
      `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian ${suite} main\n`,
    );
    const options = [
      `Dir::Etc::SourceList=${sources}`,
      "Dir::Etc::SourceParts=-",
      `Dir::State::Lists=${lists}`,
      `Dir::Cache=${cache}`,
      "APT::Sandbox::User=root",
      "Acquire::Languages=none",
    ].flatMap((option) => ["-o", option]);
    await must(["apt-get", ...options, "-q", "update"], { directory: debs });
    await must(["apt-get", ...options, "-q", "download", name], { directory: debs });
    await rename(debs, directory);
  } catch (error) {
    // Another process may have been faster.
    if ((await fileIn(directory)) === null) throw error;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  const file = await fileIn(directory);
  if (file === null) throw new Error(`apt-get downloaded no ${name} of ${suite}`);
  return file;
}

async function fileIn(directory: string): Promise<string | null> {
  const [file] = await readdir(directory).catch(() => []);
  return file === undefined ? null : join(directory, file);
}
