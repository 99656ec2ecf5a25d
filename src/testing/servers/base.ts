import { existsSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { debianPackage } from "./deb.ts";
import { must, partsDirectory } from "./parts.ts";

/** What a fresh server of a provider may run. */
export type Release = "bookworm" | "trixie" | "noble";

type Recipe = {
  readonly archive: string;
  readonly components: string;
  /** The file of the archive's keys. */
  readonly keyring: () => Promise<string>;
  readonly include: readonly string[];
};

const debian: Recipe = {
  archive: "http://deb.debian.org/debian",
  components: "main",
  keyring: async () => "/usr/share/keyrings/debian-archive-keyring.gpg",
  include: [],
};
const recipes: Readonly<Record<Release, Recipe>> = {
  bookworm: debian,
  trixie: debian,
  noble: {
    archive: "http://archive.ubuntu.com/ubuntu",
    components: "main,universe",
    keyring: ubuntuKeyring,
    include: ["ufw"],
  },
};

/** What a bootstrap installs: a machine that has it already is ready in seconds. */
const stock = ["docker.io", "unattended-upgrades", "systemd-timesyncd", "nftables", "procps"];

/** As small as a provider's image gets: systemd, sshd, apt. */
const include = ["systemd-sysv", "dbus", "openssh-server", "ca-certificates", "iproute2", "kmod"];

/** Debian 13 has the engine's command apart. */
const stockOf: Readonly<Record<Release, readonly string[]>> = { bookworm: [], trixie: ["docker-cli"], noble: [] };

/** The directory of a system that was never started, made once a machine from the distribution's archive. Only to be read. */
export async function baseSystem(release: Release, { stocked = false } = {}): Promise<string> {
  const directory = join(partsDirectory, `${release}-${stocked ? "stocked-" : ""}2`);
  if (existsSync(directory)) return directory;
  await mkdir(partsDirectory, { recursive: true });
  const draft = `${directory}-draft-${process.pid}`;
  const { archive, components, keyring, include: more } = recipes[release];
  try {
    await must([
      "mmdebstrap",
      "--variant=apt",
      "--quiet",
      `--include=${[...include, ...more, ...(stocked ? [...stock, ...stockOf[release]] : [])].join(",")}`,
      `--components=${components}`,
      `--keyring=${await keyring()}`,
      release,
      draft,
      archive,
    ]);
    // No names are known in the machine but its own; packages come through the proxy.
    await rm(join(draft, "etc/resolv.conf"), { force: true });
    await writeFile(join(draft, "etc/hosts"), "127.0.0.1 localhost\n");
    // These systems live for minutes: what dpkg writes need not outlive a power cut.
    await writeFile(join(draft, "etc/dpkg/dpkg.cfg.d/no-sync"), "force-unsafe-io\n");
    await rename(draft, directory);
  } catch (error) {
    if (!existsSync(directory)) throw error;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return directory;
}

/** Debian 13 has Ubuntu's keys as a package; Debian 12 has not. */
async function ubuntuKeyring(): Promise<string> {
  const file = "usr/share/keyrings/ubuntu-archive-keyring.gpg";
  const directory = join(partsDirectory, "ubuntu-keyring");
  if (!existsSync(join(directory, file))) {
    await must(["dpkg-deb", "--extract", await debianPackage("trixie", "ubuntu-keyring"), directory]);
  }
  return join(directory, file);
}
