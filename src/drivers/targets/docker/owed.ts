import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { RevisionId } from "../../../core/ids.ts";

/** More than this means that nobody will come back for them. */
const maxOwed = 1_000;

type Entry = { readonly host: string; readonly revision: RevisionId };

/**
 * Revisions to remove at hosts that were away when it was asked for. On disk, because the host may be away for longer than we live,
 * and read anew each time, because several targets of a product share the file.
 */
export class Owed {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  at(host: string): readonly RevisionId[] {
    return read(this.#file)
      .filter((each) => each.host === host)
      .map((each) => each.revision);
  }

  add(host: string, revision: RevisionId): void {
    if (this.at(host).includes(revision)) return;
    this.#write([...read(this.#file), { host, revision }].slice(-maxOwed));
  }

  done(host: string, revision: RevisionId): void {
    this.#dropWhere((each) => each.host === host && each.revision === revision);
  }

  forgive(revision: RevisionId): void {
    this.#dropWhere((each) => each.revision === revision);
  }

  #dropWhere(isGone: (each: Entry) => boolean): void {
    const all = read(this.#file);
    const kept = all.filter((each) => !isGone(each));
    if (kept.length < all.length) this.#write(kept);
  }

  #write(entries: readonly Entry[]): void {
    mkdirSync(dirname(this.#file), { recursive: true, mode: 0o700 });
    writeFileSync(`${this.#file}.tmp`, JSON.stringify(entries), { mode: 0o600 });
    renameSync(`${this.#file}.tmp`, this.#file);
  }
}

/** A file that is not there, or that a full disk cut short, owes nothing. */
function read(file: string): Entry[] {
  try {
    const entries: unknown = JSON.parse(readFileSync(file, "utf8"));
    return Array.isArray(entries) ? entries.filter(isEntry) : [];
  } catch {
    return [];
  }
}

function isEntry(each: unknown): each is Entry {
  return typeof each === "object" && each !== null && "host" in each && "revision" in each;
}
