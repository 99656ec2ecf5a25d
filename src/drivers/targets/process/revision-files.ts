import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, statSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { RevisionId } from "../../../core/ids.ts";
import { unpackArchive } from "../../../lib/unpack.ts";
import type { DirectoryArtifact } from "../../../ports/target.ts";

/**
 * The unpacked files of each revision, in a directory that all its instances share. It is there whole or not at all, and
 * writable: programs keep caches beside their code. It goes with the revision.
 */
export class RevisionFiles {
  readonly #root: string;
  readonly #underWay = new Map<RevisionId, Promise<void>>();

  constructor(directory: string) {
    this.#root = join(directory, "revisions");
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
    await this.#removeLeftovers(revision);
  }

  async #unpack(revision: RevisionId, artifact: DirectoryArtifact, signal: AbortSignal): Promise<void> {
    const directory = this.directoryOf(revision);
    // At once, in this thread: a trip through the thread pool takes longer than the look, and a deployment waits for it.
    if (isDirectory(directory)) return;
    mkdirSync(this.#root, { recursive: true, mode: 0o700 });
    await this.#removeLeftovers(revision);
    await unpackArchive(artifact, directory, { signal });
  }

  /** Of an unpacking or a removal that a crash cut short. */
  async #removeLeftovers(revision: RevisionId): Promise<void> {
    for (const name of namesIn(this.#root)) {
      const isLeftover = name.startsWith(`${revision}.`) && name.endsWith(".tmp");
      if (isLeftover) await rm(join(this.#root, name), { recursive: true, force: true, maxRetries: 3 });
    }
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
