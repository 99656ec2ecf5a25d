import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { RevisionId } from "../../../core/ids.ts";

/** More than this means that nobody will come back for them. */
const maxOwed = 1_000;

/** Revisions to remove at hosts that were away when it was asked for. On disk, because the host may be away for longer than we live. */
export class Owed {
  readonly #file: string;
  readonly #entries: { readonly host: string; readonly revision: RevisionId }[];

  constructor(file: string) {
    this.#file = file;
    this.#entries = read(file);
  }

  at(host: string): readonly RevisionId[] {
    return this.#entries.filter((each) => each.host === host).map((each) => each.revision);
  }

  add(host: string, revision: RevisionId): void {
    if (this.at(host).includes(revision)) return;
    this.#entries.push({ host, revision });
    this.#entries.splice(0, Math.max(0, this.#entries.length - maxOwed));
    this.#write();
  }

  done(host: string, revision: RevisionId): void {
    this.#dropWhere((each) => each.host === host && each.revision === revision);
  }

  forgive(revision: RevisionId): void {
    this.#dropWhere((each) => each.revision === revision);
  }

  #dropWhere(isGone: (each: { host: string; revision: RevisionId }) => boolean): void {
    const kept = this.#entries.filter((each) => !isGone(each));
    if (kept.length === this.#entries.length) return;
    this.#entries.splice(0, this.#entries.length, ...kept);
    this.#write();
  }

  #write(): void {
    mkdirSync(dirname(this.#file), { recursive: true, mode: 0o700 });
    writeFileSync(`${this.#file}.tmp`, JSON.stringify(this.#entries), { mode: 0o600 });
    renameSync(`${this.#file}.tmp`, this.#file);
  }
}

/** A file that is not there, or that a full disk cut short, owes nothing. */
function read(file: string): { host: string; revision: RevisionId }[] {
  try {
    const entries: unknown = JSON.parse(readFileSync(file, "utf8"));
    return Array.isArray(entries) ? entries.filter(isEntry) : [];
  } catch {
    return [];
  }
}

function isEntry(each: unknown): each is { host: string; revision: RevisionId } {
  return typeof each === "object" && each !== null && "host" in each && "revision" in each;
}
