import { readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { readJsonFile, writeJsonFile } from "../json-file.ts";
import type { SavedUnit } from "./unit.ts";

export type SavedState = {
  readonly version: 1;
  readonly boot: string;
  readonly portCursor: number;
  readonly units: readonly SavedUnit[];
};

export const stateFileName = "supervisor.json";
const retryMs = 1_000;
/** Changes within this are one write: whoever is told of them, and what is started next, does not wait for it. */
const soonMs = 20;

/**
 * What a new daemon needs to go on, in one file of mode 0600: it holds the environments of the processes, secrets too, because
 * the daemon must be able to restart them when nobody is there to give them again. Not forced to disk: after a loss of power
 * nothing of it runs any more, and whoever wants it to run says so again.
 */
export class StateFile {
  readonly #file: string;
  readonly #current: () => SavedState;
  #writing: Promise<void> | null = null;
  #next: Promise<void> | null = null;
  #soon: NodeJS.Timeout | null = null;

  constructor(file: string, current: () => SavedState) {
    this.#file = file;
    this.#current = current;
  }

  /** The kept state; null when there is none. A broken file is put aside, never overwritten. */
  static async read(file: string): Promise<SavedState | null> {
    await removeHalfWritten(file);
    try {
      const state = await readJsonFile<SavedState>(file);
      if (state !== null && (state.version !== 1 || !Array.isArray(state.units))) throw new Error("unknown form");
      return state;
    } catch {
      await rename(file, `${file}.broken-${Date.now()}`);
      return null;
    }
  }

  /** Resolves when the state of this moment, or a later one, is written. Calls meanwhile share one write. */
  save(): Promise<void> {
    if (this.#soon !== null) clearTimeout(this.#soon);
    this.#soon = null;
    this.#next ??= (this.#writing ?? Promise.resolve())
      .catch(() => undefined)
      .then(() => {
        this.#next = null;
        this.#writing = writeJsonFile(this.#file, this.#current(), { mode: 0o600, durable: false });
        return this.#writing;
      });
    return this.#next;
  }

  /** Resolves when what was to be saved is written; a write that failed is made again. */
  async settled(): Promise<void> {
    if (this.#soon !== null) return this.save();
    try {
      await (this.#next ?? this.#writing);
    } catch {
      await this.save();
    }
  }

  /** The same as `save` in the background; tried again until the disk takes it. */
  saveSoon(inMs = soonMs): void {
    this.#soon ??= setTimeout(() => {
      this.#soon = null;
      this.save().catch(() => this.saveSoon(retryMs));
    }, inMs);
  }
}

/** What a daemon was writing when it was killed. */
async function removeHalfWritten(file: string): Promise<void> {
  const directory = dirname(file);
  for (const name of await readdir(directory)) {
    if (name.startsWith(`${basename(file)}.`) && name.endsWith(".tmp"))
      await rm(join(directory, name), { force: true });
  }
}
