import { randomBytes } from "node:crypto";
import { copyFile, lstat, mkdir, readdir, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { globMatcher, globRoot } from "../../../core/pipeline/glob.ts";
import { readJsonFile, writeJsonFile } from "../../../lib/json-file.ts";
import { type PackedEntry, packDirectory } from "../../../lib/pack.ts";
import { unpackArchive } from "../../../lib/unpack.ts";
import type { StepOutcome } from "../outcome.ts";

/** What an unchanged step is restored from. */
export type Kept = {
  readonly run: string;
  readonly tookMs: number;
  readonly outcome: StepOutcome;
  readonly outputs: { readonly digest: string } | null;
  readonly bytes: number;
  /** Another control plane has made it. */
  readonly elsewhere?: boolean;
};

/** What is being made for so long is made by nobody any more. */
const makingMs = 24 * 60 * 60_000;

/** Results of steps, by the digest of all that they depend on; those that were used longest ago go first when there is no room. */
export class StepCache {
  readonly #directory: string;
  readonly #maxBytes: number;

  constructor(directory: string, { maxBytes = 5 * 1024 ** 3 }: { readonly maxBytes?: number } = {}) {
    this.#directory = directory;
    this.#maxBytes = maxBytes;
  }

  /** Null also when what was kept cannot be read, or is not whole: then the step is run. */
  async find(key: string): Promise<Kept | null> {
    const kept = await readJsonFile<Kept>(this.#file(key, "kept.json")).catch(() => null);
    if (kept === null || !(await this.#isWhole(key, kept))) return null;
    const now = new Date();
    await utimes(this.#file(key, "kept.json"), now, now).catch(() => undefined);
    return kept;
  }

  /** What the outputs of a result are, by paths from the step's directory; null where that was not written down. */
  async outputsOf(key: string, { outputs }: Kept): Promise<readonly PackedEntry[] | null> {
    return outputs === null ? [] : readJsonFile<PackedEntry[]>(this.#file(key, "outputs.json")).catch(() => null);
  }

  /** Puts its log where the step would have written it. False when it cannot: then nothing of the result may be relied on. */
  async restoreLog(key: string, to: string): Promise<boolean> {
    return copyFile(this.#file(key, "log"), to).then(
      () => true,
      () => this.#forget(key),
    );
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
      return this.#forget(key);
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
      const packed = from.patterns.length === 0 ? null : await pack(from, making);
      const { size } = await stat(join(making, "log"));
      const all: Kept = {
        ...kept,
        outputs: packed === null ? null : { digest: packed.digest },
        bytes: size + (packed?.bytes ?? 0),
      };
      await writeJsonFile(join(making, "kept.json"), all, { mode: 0o600, durable: false });
      await this.#put(making, key);
      await this.#makeRoom();
    } finally {
      await rm(making, { recursive: true, force: true });
    }
  }

  /**
   * Keeps what `bring` puts into a directory, when it says that it has: a result that another cache has kept under this key. Null when there is
   * none, or it is not whole.
   */
  async adopt(key: string, bring: (into: string) => Promise<boolean>): Promise<Kept | null> {
    const making = join(this.#directory, `making-${randomBytes(6).toString("hex")}`);
    const entry = join(making, "entry");
    await mkdir(making, { recursive: true, mode: 0o700 });
    try {
      if (!(await bring(entry))) return null;
      const kept = await readJsonFile<Kept>(join(entry, "kept.json"));
      if (kept === null) return null;
      const all: Kept = { ...kept, elsewhere: true };
      await writeJsonFile(join(entry, "kept.json"), all, { mode: 0o600, durable: false });
      await this.#put(entry, key);
      await this.#makeRoom();
      return all;
    } catch {
      return null;
    } finally {
      await rm(making, { recursive: true, force: true });
    }
  }

  /** In the place of what is there. Two runs may keep the same at once: then the first stays, for both are results of one key. */
  async #put(made: string, key: string): Promise<void> {
    const place = join(this.#directory, key);
    const before = join(this.#directory, `making-${randomBytes(6).toString("hex")}`);
    await rename(place, before).catch(() => undefined);
    await rename(made, place).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
      await rm(made, { recursive: true, force: true });
    });
    await rm(before, { recursive: true, force: true });
  }

  directoryOf(key: string): string {
    return join(this.#directory, key);
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

  async #forget(key: string): Promise<false> {
    await rm(join(this.#directory, key), { recursive: true, force: true });
    return false;
  }

  /** By its size: what is in it is compared with its digest when it is put back. */
  async #isWhole(key: string, { outputs, bytes }: Kept): Promise<boolean> {
    const names = ["log", ...(outputs === null ? [] : ["outputs.tar"])];
    const sizes = names.map((name) => stat(this.#file(key, name)).then(({ size }) => size));
    return Promise.all(sizes).then(
      (all) => all.reduce((sum, size) => sum + size, 0) === bytes,
      () => false,
    );
  }

  async #makeRoom(): Promise<void> {
    const names = await readdir(this.#directory);
    for (const name of names.filter((each) => each.startsWith("making-"))) {
      const seen = await stat(join(this.#directory, name)).catch(() => null);
      // Somebody has died over it.
      if (seen !== null && Date.now() - seen.mtimeMs > makingMs)
        await rm(join(this.#directory, name), { recursive: true, force: true });
    }
    const keys = names.filter((name) => /^[0-9a-f]{64}$/.test(name));
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

async function pack(
  { directory, patterns }: { readonly directory: string; readonly patterns: readonly string[] },
  making: string,
): Promise<{ readonly digest: string; readonly bytes: number }> {
  const entries: PackedEntry[] = [];
  const onEntry = (entry: PackedEntry): void => void entries.push(entry);
  const packed = await packDirectory(directory, join(making, "outputs.tar"), { skip: skipping(patterns), onEntry });
  await writeJsonFile(join(making, "outputs.json"), entries, { mode: 0o600, durable: false });
  return packed;
}

/** Only what a pattern means, and the directories on the way there. */
export function skipping(patterns: readonly string[]): (path: string) => boolean {
  const matches = globMatcher(patterns);
  const roots = patterns.map((pattern) => ({ root: globRoot(pattern), open: /[*?]/.test(pattern) }));
  return (path) =>
    !matches(path) &&
    !roots.some(
      ({ root, open }) =>
        root.startsWith(`${path}/`) || (open && (root === "." || path === root || path.startsWith(`${root}/`))),
    );
}

/** Takes the place of what is there; writes through no link. */
export async function moveInto(from: string, to: string): Promise<void> {
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
