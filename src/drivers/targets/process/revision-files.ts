import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { RevisionId } from "../../../core/ids.ts";
import { unpackArchive } from "../../../lib/unpack.ts";
import type { DirectoryArtifact } from "../../../ports/target.ts";

/** How long after unpacking the disk is asked to have it all: a deployment's own first seconds are not the time for it. */
const settleMs = 2_000;

export type RevisionFilesOptions = {
  /** Which run of this machine it is; another after every reboot. */
  readonly boot?: string;
  readonly settleMs?: number;
};

/**
 * The unpacked files of each revision, in a directory that all its instances share. It is there whole or not at all, and
 * writable: programs keep caches beside their code. It goes with the revision.
 *
 * That it is whole holds over a loss of power too. To wait for the disk would stand between a release and its users, so a
 * mark beside the directory says in which boot it was unpacked, until the disk is known to have it. With the mark of an
 * earlier boot it is unpacked again.
 */
export class RevisionFiles {
  readonly #root: string;
  readonly #boot: string;
  readonly #settleMs: number;
  readonly #underWay = new Map<RevisionId, Promise<void>>();
  readonly #settling = new Map<RevisionId, NodeJS.Timeout>();
  readonly #closed = new AbortController();

  constructor(directory: string, options: RevisionFilesOptions = {}) {
    this.#root = join(directory, "revisions");
    this.#boot = options.boot ?? currentBoot();
    this.#settleMs = options.settleMs ?? settleMs;
  }

  /** What is not settled yet keeps its mark. */
  close(): void {
    this.#closed.abort();
    for (const timer of this.#settling.values()) clearTimeout(timer);
    this.#settling.clear();
  }

  /** What instances for one command left behind when their control plane was killed: nobody else looks for them. */
  sweep(prefix: string): void {
    for (const name of namesIn(this.#root)) {
      if (name.startsWith(prefix)) void rm(join(this.#root, name), { recursive: true, force: true, maxRetries: 3 });
    }
  }

  directoryOf(revision: RevisionId): string {
    return join(this.#root, revision);
  }

  /** Does nothing when it is there; calls at the same time share one unpacking. Errors: PackError. */
  async unpack(revision: RevisionId, artifact: DirectoryArtifact, signal: AbortSignal): Promise<void> {
    let work = this.#underWay.get(revision);
    if (work === undefined) {
      work = this.#unpack(revision, artifact, signal).finally(() => this.#underWay.delete(revision));
      this.#underWay.set(revision, work);
    }
    await work;
  }

  async remove(revision: RevisionId): Promise<void> {
    const directory = this.directoryOf(revision);
    // Out of the way first: a crash halfway leaves no half revision under its name.
    const doomed = `${directory}.${randomBytes(4).toString("hex")}.tmp`;
    try {
      await rename(directory, doomed);
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    }
    clearTimeout(this.#settling.get(revision));
    this.#settling.delete(revision);
    rmSync(this.#markOf(revision), { force: true });
    await this.#removeLeftovers(revision);
  }

  async #unpack(revision: RevisionId, artifact: DirectoryArtifact, signal: AbortSignal): Promise<void> {
    const directory = this.directoryOf(revision);
    // At once, in this thread: a trip through the thread pool takes longer than the look, and a deployment waits for it.
    if (isDirectory(directory)) {
      const boot = this.#bootOf(revision);
      if (boot === this.#boot) this.#settle(revision);
      if (boot === null || boot === this.#boot) return;
      // Power was lost before the disk had it all, for all that is known.
      await this.remove(revision);
    }
    mkdirSync(this.#root, { recursive: true, mode: 0o700 });
    await this.#removeLeftovers(revision);
    // Before the directory has its name: a file system that orders its names never has one without the other.
    writeFileSync(this.#markOf(revision), this.#boot, { mode: 0o600 });
    await unpackArchive(artifact, directory, { signal });
    this.#settle(revision);
  }

  /** Has the file system written to the disk, in a while and in the background, then takes the mark away. */
  #settle(revision: RevisionId): void {
    if (this.#settling.has(revision) || this.#closed.signal.aborted) return;
    const timer = setTimeout(() => {
      // Where there is no such program the mark stays: after a reboot the revision is unpacked again, and nothing is lost.
      execFile("sync", ["-f", this.directoryOf(revision)], { signal: this.#closed.signal }, (error) => {
        if (this.#settling.get(revision) !== timer) return;
        this.#settling.delete(revision);
        if (error === null) rmSync(this.#markOf(revision), { force: true });
      });
    }, this.#settleMs);
    timer.unref();
    this.#settling.set(revision, timer);
  }

  #markOf(revision: RevisionId): string {
    return `${this.directoryOf(revision)}.unsettled`;
  }

  /** The boot in the mark; null without one. */
  #bootOf(revision: RevisionId): string | null {
    try {
      return readFileSync(this.#markOf(revision), "utf8");
    } catch {
      return null;
    }
  }

  /** Of an unpacking or a removal that a crash cut short. */
  async #removeLeftovers(revision: RevisionId): Promise<void> {
    for (const name of namesIn(this.#root)) {
      const isLeftover = name.startsWith(`${revision}.`) && name.endsWith(".tmp");
      if (isLeftover) await rm(join(this.#root, name), { recursive: true, force: true, maxRetries: 3 });
    }
  }
}

/** Where the system does not tell, it never is another one: as if power were never lost. */
function currentBoot(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "unknown";
  }
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
