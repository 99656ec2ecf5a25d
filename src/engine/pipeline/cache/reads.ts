import { lstatSync, utimesSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { globMatcher } from "../../../core/pipeline/glob.ts";
import { unlessAborted } from "../../../lib/unless-aborted.ts";

/** With more files nobody waits for watching all of them: then nothing is kept. */
const mostFiles = 50_000;

/** What was seen of a step that must read nothing but its inputs. */
export type ReadFinding =
  | { readonly is: "nothing" }
  /** `alone`: nobody else can have read them. */
  | { readonly is: "undeclared"; readonly paths: readonly string[]; readonly alone: boolean }
  | { readonly is: "unknown"; readonly why: string };

type Watch = { readonly seen: Set<string>; alone: boolean };

/**
 * Which files of a run's checkout are read while a step runs, by their times of access: they are set back to the beginning of
 * time, and a read sets them (also with relatime, which Linux has by default). Steps that run at the same time cannot be told
 * apart; so one that was seen with reads that are not its own runs alone the next time. What is only listed or looked for, what
 * is outside the checkout, and what was made by other steps leaves no trace here.
 */
export class RunReads {
  readonly #source: string;
  /** Of the checkout, as it was committed. */
  readonly files: readonly string[];
  readonly #watches = new Set<Watch>();
  readonly #works: boolean;
  #running = 0;
  #exclusive = false;
  readonly #waiting: (() => void)[] = [];

  constructor(source: string, files: readonly string[], works: boolean) {
    this.#source = source;
    this.files = files;
    this.#works = works;
  }

  /** Runs the work beside others, or alone; where it is watched, what was read meanwhile is found. */
  async during<T>(
    options: { readonly alone: boolean; readonly inputs: ((path: string) => boolean) | null },
    work: () => Promise<T>,
    signal: AbortSignal,
  ): Promise<{ readonly result: T; readonly found: ReadFinding }> {
    await this.#enter(options.alone, signal);
    const watch = options.inputs === null || !this.#canWatch ? null : this.#begin(options.alone);
    try {
      const result = await work();
      return { result, found: this.#finding(watch, options.inputs) };
    } finally {
      if (watch !== null) this.#watches.delete(watch);
      this.#leave(options.alone);
    }
  }

  get #canWatch(): boolean {
    return this.#works && this.files.length <= mostFiles;
  }

  async #enter(alone: boolean, signal: AbortSignal): Promise<void> {
    while (this.#exclusive || (alone && this.#running > 0)) {
      const woken = new Promise<void>((resolve) => this.#waiting.push(resolve));
      await unlessAborted(woken, signal);
    }
    this.#running += 1;
    this.#exclusive = alone;
    for (const watch of this.#watches) watch.alone &&= this.#running === 1;
  }

  #leave(alone: boolean): void {
    this.#running -= 1;
    if (alone) this.#exclusive = false;
    for (const wake of this.#waiting.splice(0)) wake();
  }

  #begin(alone: boolean): Watch {
    this.#collect();
    const watch: Watch = { seen: new Set(), alone: alone || this.#running === 1 };
    this.#watches.add(watch);
    return watch;
  }

  /** What was read since the last look goes to all who watch, and is set back. */
  #collect(): void {
    for (const path of this.files) {
      const file = join(this.#source, path);
      const stat = lstatSync(file, { throwIfNoEntry: false });
      if (stat === undefined || !stat.isFile() || stat.atimeMs === 0) continue;
      for (const watch of this.#watches) watch.seen.add(path);
      utimesSync(file, 0, stat.mtimeMs / 1000);
    }
  }

  #finding(watch: Watch | null, inputs: ((path: string) => boolean) | null): ReadFinding {
    if (inputs === null) return { is: "nothing" };
    if (watch === null)
      return {
        is: "unknown",
        why: this.#works
          ? `the checkout has more than ${mostFiles} files`
          : "this file system does not tell what is read",
      };
    this.#collect();
    const paths = [...watch.seen].filter((path) => !inputs(path));
    return paths.length === 0 ? { is: "nothing" } : { is: "undeclared", paths, alone: watch.alone };
  }
}

/** Whether a read leaves its time in a file here: not where the disk is mounted with noatime. */
export async function tellsReads(directory: string): Promise<boolean> {
  const room = await mkdtemp(join(directory, "atime-"));
  try {
    const file = join(room, "file");
    await writeFile(file, "x");
    utimesSync(file, 0, Date.now() / 1000);
    await readFile(file);
    return lstatSync(file).atimeMs > 0;
  } finally {
    await rm(room, { recursive: true, force: true });
  }
}

/** Whether a path, from the top of the checkout, is one of a step's inputs, or of what it makes itself. */
export function isInput(directory: string, patterns: readonly string[]): (path: string) => boolean {
  const matches = globMatcher(patterns);
  const prefix = directory === "." ? "" : `${directory}/`;
  return (path) => path.startsWith(prefix) && matches(path.slice(prefix.length));
}
