import { createHash } from "node:crypto";
import { readdirSync, readFileSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";

/** A larger file is told by its size and time: reading it to the end would hold up all other visitors. */
const maxBytes = 8 * 1024 * 1024;

/**
 * Entity tags of the files below a directory, made of what they contain: a file that a new release has not changed is not
 * sent again to those who have it. Read when they are first asked for, and never again: a revision's files do not change.
 */
export class ContentTags {
  readonly #directory: string;
  readonly #tags = new Map<string, string>();
  #files: ReadonlyMap<string, string> | null = null;

  constructor(directory: string) {
    this.#directory = directory;
  }

  of(stats: Stats): string {
    const key = identity(stats);
    const known = this.#tags.get(key);
    if (known !== undefined) return known;
    this.#files ??= filesBelow(this.#directory);
    const file = this.#files.get(key);
    const tag = (file === undefined || stats.size > maxBytes ? null : contentTag(file)) ?? timeTag(stats);
    this.#tags.set(key, tag);
    return tag;
  }
}

/** Does an `If-None-Match` name the tag? Compared weakly, as RFC 9110 §13.1.2 asks for. */
export function isNamed(tag: string, ifNoneMatch: string | undefined): boolean {
  if (ifNoneMatch === undefined) return false;
  const plain = (text: string): string => text.trim().replace(/^W\//, "");
  return ifNoneMatch.trim() === "*" || ifNoneMatch.split(",").some((each) => plain(each) === plain(tag));
}

/** Weak, because an edge or a CDN on the way may compress. */
function contentTag(file: string): string | null {
  try {
    return `W/"${createHash("sha256").update(readFileSync(file)).digest("base64url").slice(0, 27)}"`;
  } catch {
    return null;
  }
}

function timeTag({ size, mtimeMs }: Stats): string {
  return `W/"${size}-${Math.floor(mtimeMs)}"`;
}

function identity({ dev, ino }: Stats): string {
  return `${dev}:${ino}`;
}

/** By identity, because what serves a file tells only its numbers. */
function filesBelow(directory: string): Map<string, string> {
  const found = new Map<string, string>();
  const open = [directory];
  for (let at = open.pop(); at !== undefined; at = open.pop()) {
    for (const entry of readdirSync(at, { withFileTypes: true })) {
      const path = join(at, entry.name);
      // Links lead nowhere out of the directory, and to what is listed there anyway.
      if (entry.isDirectory()) open.push(path);
      else if (entry.isFile()) found.set(identity(statSync(path)), path);
    }
  }
  return found;
}
