import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { RevisionId } from "../../../core/ids.ts";

/** More than this means that nobody will come back for them. */
const maxEntries = 1_000;

/** Something about a revision at a host. */
export type AtHost = { readonly host: string; readonly revision: RevisionId };

/** A short list on disk, read anew each time, because several targets of a product share the file. Not forced to disk. */
export class ListFile<Entry extends AtHost> {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  /** A file that is not there, or that a full disk cut short, is an empty one. */
  all(): readonly Entry[] {
    try {
      const entries: unknown = JSON.parse(readFileSync(this.#file, "utf8"));
      return Array.isArray(entries) ? (entries.filter(isEntry) as Entry[]) : [];
    } catch {
      return [];
    }
  }

  add(entry: Entry): void {
    this.#write([...this.all(), entry].slice(-maxEntries));
  }

  dropWhere(isGone: (each: Entry) => boolean): void {
    const all = this.all();
    const kept = all.filter((each) => !isGone(each));
    if (kept.length < all.length) this.#write(kept);
  }

  #write(entries: readonly Entry[]): void {
    mkdirSync(dirname(this.#file), { recursive: true, mode: 0o700 });
    writeFileSync(`${this.#file}.tmp`, JSON.stringify(entries), { mode: 0o600 });
    renameSync(`${this.#file}.tmp`, this.#file);
  }
}

function isEntry(each: unknown): boolean {
  return typeof each === "object" && each !== null && "host" in each && "revision" in each;
}
