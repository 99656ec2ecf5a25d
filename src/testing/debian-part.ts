import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

export type DebianPart = {
  /** Of the directory it is kept in. */
  readonly name: string;
  readonly suite: string;
  readonly package: string;
  /** Whether all that it needs is unpacked with it, down to the C library: for a suite that is not this machine's. */
  readonly whole: boolean;
  /** Packages that are unpacked with it, for one that is not whole. */
  readonly beside?: readonly string[];
};

/** Where unpacked programs are kept between runs. */
const partsDirectory = process.env.SLIPWAY_TEST_PARTS ?? join(tmpdir(), "slipway-test-parts");

/**
 * The directory of a real program, from Debian's archive. Downloaded once a machine into a directory of its own, checked by
 * Debian's signature as apt always does; the machine's package manager does not notice. Needs Debian's apt-get and dpkg-deb.
 */
export async function debianPart(part: DebianPart): Promise<string> {
  const directory = join(partsDirectory, part.name);
  if (!existsSync(directory)) await unpackInto(directory, part);
  return directory;
}

async function unpackInto(directory: string, part: DebianPart): Promise<void> {
  await mkdir(partsDirectory, { recursive: true });
  const draft = await mkdtemp(join(partsDirectory, "draft-"));
  try {
    const archives = await download(draft, part);
    const root = join(draft, "root");
    for (const archive of archives) await run(["dpkg-deb", "--extract", archive, root], draft);
    await rename(root, directory);
  } catch (error) {
    // Another process may have been faster.
    if (!existsSync(directory))
      throw new Error(`Debian's ${part.package} of ${part.suite} could not be had`, { cause: error });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function download(draft: string, part: DebianPart): Promise<readonly string[]> {
  const [lists, cache, debs] = ["lists", "cache", "debs"].map((name) => join(draft, name)) as [string, string, string];
  for (const each of [join(lists, "partial"), join(cache, "archives", "partial"), debs])
    await mkdir(each, { recursive: true });
  const sources = join(draft, "sources.list");
  const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
  await writeFile(sources, `deb [signed-by=${keyring}] http://deb.debian.org/debian ${part.suite} main\n`);
  const options = [
    `Dir::Etc::SourceList=${sources}`,
    "Dir::Etc::SourceParts=-",
    `Dir::State::Lists=${lists}`,
    // What is installed here is not what it will run with.
    "Dir::State::Status=/dev/null",
    `Dir::Cache=${cache}`,
    "APT::Sandbox::User=root",
    "Acquire::Languages=none",
  ].flatMap((option) => ["--option", option]);
  await run(["apt-get", ...options, "--quiet", "update"], debs);
  const packages = part.whole
    ? await withItsNeeds(part.package, options, debs)
    : [part.package, ...(part.beside ?? [])];
  await run(["apt-get", ...options, "--quiet", "download", ...packages], debs);
  const archives = await readdir(debs);
  if (archives.length === 0) throw new Error("apt-get downloaded nothing");
  return archives.map((archive) => join(debs, archive));
}

async function withItsNeeds(name: string, options: readonly string[], directory: string): Promise<readonly string[]> {
  const not = ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"].map((each) => `--no-${each}`);
  const text = await run(["apt-cache", ...options, "depends", "--recurse", ...not, name], directory);
  // A package stands at the beginning of its line; what it needs is set in, and names that others provide are in brackets.
  return [...new Set(text.split("\n").filter((line) => /^[a-z0-9]/.test(line)))];
}

const downloadLimitMs = 300_000;

async function run([program = "", ...args]: readonly string[], directory: string): Promise<string> {
  const limits = { cwd: directory, timeout: downloadLimitMs, maxBuffer: 16_777_216 };
  return (await promisify(execFile)(program, args, limits)).stdout;
}
