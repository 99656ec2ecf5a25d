import { lstatSync, utimesSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { globMatcher } from "../../../core/pipeline/glob.ts";
import { unlessAborted } from "../../../lib/unless-aborted.ts";
import { filesOf } from "./files.ts";

/** With more files nobody waits for watching all of them: then nothing is kept. */
const mostFiles = 50_000;

/** A step that runs in a checkout, and how what it reads is judged; null: whatever it reads is right. */
export type Reader = {
  readonly name: string;
  /** Whether nothing may run beside it. */
  readonly alone: boolean;
  readonly judged: {
    /** Whether a path is of its inputs, or of what it makes itself. */
    readonly inputs: (path: string) => boolean;
    /** Whether what that step makes is in its key: it needs it, also by way of others. */
    readonly needs: (step: string) => boolean;
  } | null;
};

/** What was seen of a step that must read nothing but its inputs. */
export type ReadFinding =
  | { readonly is: "nothing" }
  /** Of a step that it does not need, which may have been done or not when it read that. `needed`: or of one that it does need. */
  | {
      readonly is: "of-another";
      readonly path: string;
      readonly makers: readonly string[];
      readonly needed: boolean;
      readonly alone: boolean;
    }
  /** `alone`: nobody else can have read them. */
  | { readonly is: "undeclared"; readonly paths: readonly string[]; readonly alone: boolean }
  | { readonly is: "unknown"; readonly why: string };

type Kinds = {
  /** Whether the file system tells what is read. */
  readonly works: boolean;
  /** Whether a step of the run is judged. */
  readonly judges: boolean;
  /** The steps that say that they make a path. */
  readonly declared: (path: string) => readonly string[];
};

type Watch = { readonly seen: Set<string>; alone: boolean };

/**
 * Which files of a run's checkout are read while a step runs, by their times of access: they are set back to the beginning of
 * time, and a read sets them (also with relatime, which Linux has by default). Steps that run at the same time cannot be told
 * apart; so one that was seen with reads that are not its own runs alone the next time. What steps have made is watched in the same way:
 * what is there and was not committed is looked for when a step ends, and before one begins that is judged; it is of those that say that
 * they make it, else of those that were under way since the last look. What is only listed or looked for, what is outside the checkout, what is installed
 * (node_modules, .venv), and what another makes while it runs leaves no trace here.
 */
export class RunReads {
  readonly #source: string;
  /** Of the checkout, as it was committed. */
  readonly files: readonly string[];
  readonly #committed: ReadonlySet<string>;
  readonly #watches = new Set<Watch>();
  readonly #works: boolean;
  readonly #judges: boolean;
  readonly #declared: (path: string) => readonly string[];
  /** Path → the steps that may have made it. */
  readonly #made = new Map<string, readonly string[]>();
  /** Those that were under way since what was made was looked for. */
  #since = new Set<string>();
  readonly #names: string[] = [];
  #running = 0;
  #exclusive = false;
  readonly #waiting: (() => void)[] = [];

  constructor(source: string, files: readonly string[], { works, judges, declared }: Kinds) {
    this.#source = source;
    this.files = files;
    this.#committed = new Set(files);
    this.#works = works;
    this.#judges = judges;
    this.#declared = declared;
  }

  /** Runs the work beside others, or alone; where it is watched, what was read meanwhile is found. */
  async during<T>(
    reader: Reader,
    work: () => Promise<T>,
    signal: AbortSignal,
  ): Promise<{ readonly result: T; readonly found: ReadFinding }> {
    const { name, alone, judged } = reader;
    await this.#enter(alone, signal);
    this.#names.push(name);
    try {
      if (judged !== null && this.#canWatch) await this.#lookForMade();
      this.#since.add(name);
      const watch = judged === null || !this.#canWatch ? null : this.#begin(alone);
      try {
        const result = await work();
        if (this.#judges && this.#canWatch) await this.#lookForMade();
        return { result, found: this.#finding(watch, judged) };
      } finally {
        if (watch !== null) this.#watches.delete(watch);
      }
    } finally {
      this.#names.splice(this.#names.indexOf(name), 1);
      this.#leave(alone);
    }
  }

  /** What is there and was not committed. Too much of it is left to the steps that say that they make it. */
  async #lookForMade(): Promise<void> {
    const makers = this.#since;
    this.#since = new Set(this.#names);
    for (const path of await filesOf(this.#source, ["."])) {
      if (this.#committed.has(path) || this.#made.has(path) || this.#made.size >= mostFiles) continue;
      const declared = this.#declared(path);
      this.#made.set(path, declared.length > 0 ? declared : [...makers]);
      // That it was made is no read of those who are watched already.
      this.#setBack(path);
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
    for (const path of [...this.files, ...this.#made.keys()])
      if (this.#setBack(path)) for (const watch of this.#watches) watch.seen.add(path);
  }

  /** Whether it was read, or made, since it was set back. */
  #setBack(path: string): boolean {
    const file = join(this.#source, path);
    const stat = lstatSync(file, { throwIfNoEntry: false });
    if (stat === undefined || !stat.isFile() || stat.atimeMs === 0) return false;
    utimesSync(file, 0, stat.mtimeMs / 1000);
    return true;
  }

  #finding(watch: Watch | null, judged: Reader["judged"]): ReadFinding {
    if (judged === null) return { is: "nothing" };
    if (watch === null)
      return {
        is: "unknown",
        why: this.#works
          ? `the checkout has more than ${mostFiles} files`
          : "this file system does not tell what is read",
      };
    this.#collect();
    const { alone } = watch;
    const others = [...watch.seen].filter((path) => !judged.inputs(path));
    const paths = others.filter((path) => !this.#made.has(path));
    if (paths.length > 0) return { is: "undeclared", paths, alone };
    for (const path of others) {
      const makers = this.#made.get(path) ?? [];
      if (makers.length === 0 || !makers.every(judged.needs))
        return { is: "of-another", path, makers, needed: makers.some(judged.needs), alone };
    }
    return { is: "nothing" };
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
