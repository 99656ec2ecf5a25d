import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

/** Caddys of Debian, which run unpacked, beside what is installed. */
const parts = {
  /** What users are told to have: 2.8 or newer. */
  caddy: { suite: "sid", package: "caddy", path: "usr/bin/caddy" },
  /** Debian 12's and 13's 2.6.2, which is refused. */
  "caddy-old": { suite: "bookworm", package: "caddy", path: "usr/bin/caddy" },
} as const;

export type Part = keyof typeof parts;

/** Where unpacked programs are kept between runs. */
const partsDirectory = process.env.SLIPWAY_TEST_PARTS ?? join(tmpdir(), "slipway-test-parts");

/**
 * The path of a real program, from Debian's archive. Downloaded once a machine into a directory of its own, checked by
 * Debian's signature as apt always does; the machine's package manager does not notice. Needs Debian's apt-get and dpkg-deb.
 */
export async function caddyPart(part: Part): Promise<string> {
  const directory = join(partsDirectory, part);
  const program = join(directory, parts[part].path);
  if (!existsSync(program)) await unpackInto(directory, part);
  return program;
}

async function unpackInto(directory: string, part: Part): Promise<void> {
  await mkdir(partsDirectory, { recursive: true });
  const draft = await mkdtemp(join(partsDirectory, "draft-"));
  try {
    const archive = await download(draft, part);
    const root = join(draft, "root");
    await run(["dpkg-deb", "--extract", archive, root], draft);
    await rename(root, directory);
  } catch (error) {
    // Another process may have been faster.
    if (!existsSync(directory))
      throw new Error(`Debian's ${parts[part].package} of ${parts[part].suite} could not be had`, { cause: error });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function download(draft: string, part: Part): Promise<string> {
  const [lists, cache, debs] = ["lists", "cache", "debs"].map((name) => join(draft, name)) as [string, string, string];
  for (const each of [join(lists, "partial"), join(cache, "archives", "partial"), debs])
    await mkdir(each, { recursive: true });
  const sources = join(draft, "sources.list");
  const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
  await writeFile(sources, `deb [signed-by=${keyring}] http://deb.debian.org/debian ${parts[part].suite} main\n`);
  const options = [
    `Dir::Etc::SourceList=${sources}`,
    "Dir::Etc::SourceParts=-",
    `Dir::State::Lists=${lists}`,
    `Dir::Cache=${cache}`,
    "APT::Sandbox::User=root",
    "Acquire::Languages=none",
  ].flatMap((option) => ["--option", option]);
  await run(["apt-get", ...options, "--quiet", "update"], debs);
  await run(["apt-get", ...options, "--quiet", "download", parts[part].package], debs);
  const [archive] = await readdir(debs);
  if (archive === undefined) throw new Error("apt-get downloaded nothing");
  return join(debs, archive);
}

const downloadLimitMs = 300_000;

async function run([program = "", ...args]: readonly string[], directory: string): Promise<void> {
  await promisify(execFile)(program, args, { cwd: directory, timeout: downloadLimitMs });
}
