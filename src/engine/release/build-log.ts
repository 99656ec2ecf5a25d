import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import type { World } from "../world.ts";

/** Where a run works: a directory of its own, its checkout in it, and what its builds said. */
export type Workspace = {
  readonly directory: string;
  readonly source: string;
  /** HOME and TMPDIR of its steps. */
  readonly home: string;
  readonly temporary: string;
  /** The paths of all files of the checkout, each ended by a NUL; where steps have inputs. */
  readonly files: string;
  /** What its steps printed, one directory a step. */
  readonly steps: string;
  readonly log: string;
};

export function workspaceOf(world: Pick<World, "runsDirectory">, run: string): Workspace {
  const directory = join(world.runsDirectory, run);
  return {
    directory,
    source: join(directory, "source"),
    home: join(directory, "home"),
    temporary: join(directory, "tmp"),
    files: join(directory, "files"),
    steps: join(directory, "steps"),
    log: join(directory, "build.log"),
  };
}

/** The output of one service's build, line by line in the run's log. */
export class BuildLog {
  readonly #workspace: Workspace;
  readonly #service: string;
  #writing = Promise.resolve();

  constructor(workspace: Workspace, service: string) {
    this.#workspace = workspace;
    this.#service = service;
  }

  write(line: string): void {
    this.#writing = this.#writing.then(() => appendFile(this.#workspace.log, `${this.#service} | ${line}\n`));
  }

  /** Resolves when all is written. */
  async close(): Promise<void> {
    await this.#writing;
  }
}
