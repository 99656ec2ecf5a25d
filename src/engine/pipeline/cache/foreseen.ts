import { join } from "node:path";
import { globRoot } from "../../../core/pipeline/glob.ts";
import type { PackedEntry } from "../../../lib/pack.ts";
import { type FileMark, filesOf, markOf, meaning, namesInstalled, statOf } from "./files.ts";

/** So many files are looked at, then others have their turn. */
const looksInARow = 64;

/**
 * A checkout as it will be when outputs of steps are put into it, without putting them there: so a key can be told before anything is
 * unpacked. Each file of the checkout is looked at once, so nobody may change it meanwhile. What lies behind a link is not
 * foreseen, because names do not tell where it is, nor what would lie behind a file.
 */
export class Foreseen {
  readonly #top: string;
  /** Those of the checkout, as `filesOf` finds them. All paths here are from its top. */
  readonly #files: readonly string[];
  /** What lies over the checkout. */
  readonly #over = new Map<string, FileMark>();
  /** The directories with something of that in them. */
  readonly #overIn = new Set<string>();
  /** What of the checkout is there no more, with all that was below it. */
  readonly #gone = new Set<string>();
  readonly #seen = new Map<string, FileMark | null>();
  /** What is there and is no directory, of the paths on the way to others. */
  readonly #others = new Map<string, boolean>();

  constructor(top: string, files: readonly string[]) {
    this.#top = top;
    this.#files = files;
  }

  /** As `marksOf` what `filesOf` finds there would tell it; null where that is not foreseen. */
  async marksOf(directory: string, patterns: readonly string[]): Promise<readonly FileMark[] | null> {
    if (this.#areBehindOthers(directory, patterns)) return null;
    const isMeant = meaning(patterns);
    const paths: string[] = [];
    for (const path of await this.#filesFor(directory, patterns)) {
      const own = below(directory, path);
      if (own !== null && isMeant(own) && !this.#over.has(path) && !this.#isGone(path)) paths.push(path);
    }
    for (const path of this.#over.keys()) {
      const own = below(directory, path);
      if (own !== null && isMeant(own)) paths.push(path);
    }
    const marks: FileMark[] = [];
    for (const path of paths) {
      const [, kind, content] = this.#over.get(path) ?? (await this.#look(path)) ?? nothing;
      const own = below(directory, path);
      if (kind !== null && own !== null) marks.push([own, kind, content]);
    }
    return marks.sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /**
   * Puts outputs over it, as the cache puts them back: what a pattern names is removed first, and what is there gives way. False, and
   * nothing is done, where that is not foreseen.
   */
  putOver(directory: string, patterns: readonly string[], outputs: readonly PackedEntry[]): boolean {
    const named = patterns.filter((pattern) => !/[*?]/.test(pattern)).map((pattern) => join(directory, pattern));
    if (named.includes(".") || this.#areBehindOthers(directory, patterns)) return false;
    for (const path of named) this.#remove(path);
    for (const [own, kind, content] of outputs) {
      const path = join(directory, own);
      if (kind === "d") this.#makeDirectory(path);
      else {
        this.#remove(path);
        this.#over.set(path, [path, kind, content]);
        for (const parent of parentsOf(path)) this.#overIn.add(parent);
      }
    }
    return true;
  }

  async #filesFor(directory: string, patterns: readonly string[]): Promise<readonly string[]> {
    if (!namesInstalled(patterns)) return this.#files;
    return (await filesOf(join(this.#top, directory), patterns)).map((path) => join(directory, path));
  }

  async #look(path: string): Promise<FileMark | null> {
    const seen = this.#seen.get(path);
    if (seen !== undefined) return seen;
    const mark = await markOf(this.#top, path);
    this.#seen.set(path, mark);
    if (this.#seen.size % looksInARow === 0) await new Promise((resolve) => setImmediate(resolve));
    return mark;
  }

  #makeDirectory(path: string): void {
    this.#over.delete(path);
    if (!this.#isGone(path) && statOf(join(this.#top, path))?.isDirectory() === false) this.#gone.add(path);
  }

  #remove(path: string): void {
    this.#gone.add(path);
    this.#over.delete(path);
    if (!this.#overIn.delete(path)) return;
    for (const each of this.#over.keys()) if (each.startsWith(`${path}/`)) this.#over.delete(each);
  }

  #isGone(path: string): boolean {
    if (this.#gone.size === 0) return false;
    return this.#gone.has(path) || parentsOf(path).some((parent) => this.#gone.has(parent));
  }

  #areBehindOthers(directory: string, patterns: readonly string[]): boolean {
    const roots = patterns.map((pattern) => join(directory, globRoot(pattern)));
    const ways = [directory, ...parentsOf(directory), ...roots.flatMap(parentsOf)];
    return ways.some((path) => path !== "." && this.#isOther(path));
  }

  /** A link, or a file. */
  #isOther(path: string): boolean {
    if (this.#over.has(path)) return true;
    const known = this.#others.get(path) ?? statOf(join(this.#top, path))?.isDirectory() === false;
    this.#others.set(path, known);
    return known && !this.#isGone(path);
  }
}

const nothing = ["", null, ""] as const;

/** The path from the directory; null when it is not in it. */
function below(directory: string, path: string): string | null {
  if (directory === ".") return path;
  return path.startsWith(`${directory}/`) ? path.slice(directory.length + 1) : null;
}

function parentsOf(path: string): readonly string[] {
  const parts = path.split("/");
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join("/"));
}
