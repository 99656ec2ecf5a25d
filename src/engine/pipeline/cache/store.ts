import { randomBytes } from "node:crypto";
import { copyFile, lstat, mkdir, readdir, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { globMatcher, globRoot } from "../../../core/pipeline/glob.ts";
import { readJsonFile, writeJsonFile } from "../../../lib/json-file.ts";
import { packDirectory } from "../../../lib/pack.ts";
import { unpackArchive } from "../../../lib/unpack.ts";
import type { StepOutcome } from "../outcome.ts";

/** What an unchanged step is restored from. */
export type Kept = {
  readonly run: string;
  readonly tookMs: number;
  readonly outcome: StepOutcome;
  readonly outputs: { readonly digest: string } | null;
  readonly bytes: number;
};

/** Results of steps, by the digest of all that they depend on; those that were used longest ago go first when there is no room. */
export class StepCache {
  readonly #directory: string;
  readonly #maxBytes: number;

  constructor(directory: string, { maxBytes = 5 * 1024 ** 3 }: { readonly maxBytes?: number } = {}) {
    this.#directory = directory;
    this.#maxBytes = maxBytes;
  }

  /** Null also when what was kept cannot be read: then the step is run. */
  async find(key: string): Promise<Kept | null> {
    const kept = await readJsonFile<Kept>(this.#file(key, "kept.json")).catch(() => null);
    if (kept === null) return null;
    const now = new Date();
    await utimes(this.#file(key, "kept.json"), now, now).catch(() => undefined);
    return kept;
  }

  /** Puts the outputs where the step would have made them, and its log. False when it cannot: then nothing of it may be relied on. */
  async restore(
    key: string,
    { outputs }: Kept,
    to: {
      readonly directory: string;
      readonly patterns: readonly string[];
      readonly log: string;
      readonly room: string;
    },
  ): Promise<boolean> {
    try {
      await copyFile(this.#file(key, "log"), to.log);
      if (outputs === null) return true;
      const unpacked = join(to.room, "restored");
      await rm(unpacked, { recursive: true, force: true });
      await unpackArchive({ file: this.#file(key, "outputs.tar"), digest: outputs.digest }, unpacked);
      for (const pattern of to.patterns.filter((each) => !/[*?]/.test(each)))
        await rm(join(to.directory, pattern), { recursive: true, force: true });
      await moveInto(unpacked, to.directory);
      await rm(unpacked, { recursive: true, force: true });
      return true;
    } catch {
      await rm(join(this.#directory, key), { recursive: true, force: true });
      return false;
    }
  }

  /** Keeps a result. Errors: PackError, when an output leads outside or is too large. */
  async keep(
    key: string,
    kept: Omit<Kept, "outputs" | "bytes">,
    from: { readonly directory: string; readonly patterns: readonly string[]; readonly log: string },
  ): Promise<void> {
    const making = join(this.#directory, `making-${randomBytes(6).toString("hex")}`);
    await mkdir(making, { recursive: true, mode: 0o700 });
    try {
      await copyFile(from.log, join(making, "log")).catch(() => writeFile(join(making, "log"), ""));
      const packed =
        from.patterns.length === 0
          ? null
          : await packDirectory(from.directory, join(making, "outputs.tar"), { skip: skipping(from.patterns) });
      const { size } = await stat(join(making, "log"));
      const all: Kept = {
        ...kept,
        outputs: packed === null ? null : { digest: packed.digest },
        bytes: size + (packed?.bytes ?? 0),
      };
      await writeJsonFile(join(making, "kept.json"), all, { mode: 0o600, durable: false });
      await rm(join(this.#directory, key), { recursive: true, force: true });
      await rename(making, join(this.#directory, key));
      await this.#makeRoom();
    } finally {
      await rm(making, { recursive: true, force: true });
    }
  }

  /** Whether a step is to run alone the next time, because it was not clear who had read what. */
  async isUnclear(step: string): Promise<boolean> {
    return (await lstat(this.#file("unclear", step)).catch(() => null)) !== null;
  }

  async setUnclear(step: string, unclear: boolean): Promise<void> {
    if (!unclear) return rm(this.#file("unclear", step), { force: true });
    await mkdir(join(this.#directory, "unclear"), { recursive: true, mode: 0o700 });
    await writeFile(this.#file("unclear", step), "");
  }

  #file(key: string, name: string): string {
    return join(this.#directory, key, name);
  }

  async #makeRoom(): Promise<void> {
    const keys = (await readdir(this.#directory)).filter((name) => /^[0-9a-f]{64}$/.test(name));
    const all = await Promise.all(
      keys.map(async (key) => ({
        key,
        bytes: (await readJsonFile<Kept>(this.#file(key, "kept.json")).catch(() => null))?.bytes ?? 0,
        usedAt: (await stat(this.#file(key, "kept.json")).catch(() => null))?.mtimeMs ?? 0,
      })),
    );
    let bytes = all.reduce((sum, one) => sum + one.bytes, 0);
    for (const { key, bytes: own } of all.toSorted((a, b) => a.usedAt - b.usedAt)) {
      if (bytes <= this.#maxBytes) return;
      await rm(join(this.#directory, key), { recursive: true, force: true });
      bytes -= own;
    }
  }
}

/** Only what a pattern means, and the directories on the way there. */
function skipping(patterns: readonly string[]): (path: string) => boolean {
  const matches = globMatcher(patterns);
  const roots = patterns.map((pattern) => ({ root: globRoot(pattern), open: /[*?]/.test(pattern) }));
  return (path) =>
    !matches(path) &&
    !roots.some(
      ({ root, open }) =>
        root.startsWith(`${path}/`) || (open && (root === "." || path === root || path.startsWith(`${root}/`))),
    );
}

async function moveInto(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const target = join(to, entry.name);
    const there = await lstat(target).catch(() => null);
    if (entry.isDirectory() && there?.isDirectory() === true) {
      await moveInto(join(from, entry.name), target);
    } else {
      await rm(target, { recursive: true, force: true });
      await rename(join(from, entry.name), target);
    }
  }
}
