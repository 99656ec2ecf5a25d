import { createHash } from "node:crypto";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { must } from "./parts.ts";

/** A real apt repository in a directory, signed by a key made for it, with the layout of Caddy's own. */
export async function makeAptRepository(
  directory: string,
  packages: readonly string[],
): Promise<{ readonly armoredKey: string }> {
  const pool = join(directory, "pool");
  const suite = join(directory, "dists/any-version");
  const binary = join(suite, "main/binary-amd64");
  for (const each of [pool, binary]) await mkdir(each, { recursive: true });
  const stanzas = [];
  for (const file of packages) {
    await copyFile(file, join(pool, basename(file)));
    const content = await readFile(file);
    const control = (await must(["dpkg-deb", "--field", file])).trim();
    stanzas.push(`${control}\nFilename: pool/${basename(file)}\nSize: ${content.length}\nSHA256: ${sha256(content)}\n`);
  }
  const index = stanzas.join("\n");
  await writeFile(join(binary, "Packages"), index);
  const release = `Suite: any-version\nCodename: any-version\nComponents: main\nArchitectures: amd64\nDate: ${new Date().toUTCString()}\nSHA256:\n ${sha256(index)} ${Buffer.byteLength(index)} main/binary-amd64/Packages\n`;
  await writeFile(join(suite, "Release"), release);
  return { armoredKey: await sign(directory, suite) };
}

async function sign(directory: string, suite: string): Promise<string> {
  const home = join(directory, "gpg");
  await mkdir(home, { mode: 0o700 });
  const gpg = [
    "gpg",
    "--homedir",
    home,
    "--batch",
    "--yes",
    "--quiet",
    "--pinentry-mode",
    "loopback",
    "--passphrase",
    "",
  ];
  await must([...gpg, "--quick-generate-key", "Test repository <test@example.com>", "ed25519", "sign", "0"]);
  await must([...gpg, "--clearsign", "--output", join(suite, "InRelease"), join(suite, "Release")]);
  const key = await must([...gpg, "--armor", "--export"]);
  await must(["gpgconf", "--homedir", home, "--kill", "gpg-agent"]);
  return key.trim();
}

function sha256(content: string | Buffer): string {
  return createHash("sha256").update(content).digest("hex");
}
