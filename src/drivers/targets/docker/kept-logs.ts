import { createReadStream, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { containerLogs } from "../../../lib/docker/containers.ts";
import { isAbsent } from "../../../lib/docker/errors.ts";
import type { RevisionSelector } from "../../../ports/target.ts";
import type { Host } from "./host.ts";
import { containerName, type Identity, isSelected } from "./labels.ts";
import { linesOf, type StampedLine } from "./log-lines.ts";

/** The newest lines of each container that is removed. */
const linesAContainer = 2_000;
const maxFileBytes = 4_194_304;
/** Files, one a revision; the oldest go. */
const maxFiles = 200;

/**
 * The last words of containers that are gone. An engine forgets a container's log with the container, and that of a release that
 * was taken back is the one that somebody wants to read. One file a revision, for the user alone.
 */
export class KeptLogs {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async keep(host: Host, container: string, identity: Identity, signal: AbortSignal): Promise<void> {
    const lines: string[] = [];
    try {
      const body = await containerLogs(host.docker, container, { follow: false, tail: linesAContainer }, signal);
      for await (const line of linesOf(body, identity)) lines.push(JSON.stringify([identity.environment, line]));
    } catch (error) {
      // Removed meanwhile, or a log driver that cannot read (journald off, a remote one): there is nothing to keep.
      signal.throwIfAborted();
      if (!isAbsent(error) && !isUnreadable(error)) throw error;
    }
    if (lines.length === 0) return;
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
    const file = this.#fileOf(identity.revision);
    if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > maxFileBytes) rmSync(file, { force: true });
    await appendFile(file, `${lines.join("\n")}\n`, { mode: 0o600 });
    this.#prune();
  }

  /** Of removed containers that are selected, in no order. */
  async lines(selector: RevisionSelector): Promise<readonly StampedLine[]> {
    const files = selector.revision === undefined ? this.#files() : [this.#fileOf(selector.revision)];
    const all: StampedLine[] = [];
    for (const file of files) {
      if (statSync(file, { throwIfNoEntry: false }) === undefined) continue;
      for await (const text of createInterface({
        input: createReadStream(file),
        crlfDelay: Number.POSITIVE_INFINITY,
      })) {
        const [environment, line] = parsed(text);
        if (line !== null && isSelected({ ...line, environment }, selector)) all.push(line);
      }
    }
    return all;
  }

  #fileOf(revision: Identity["revision"]): string {
    return join(this.#directory, `${containerName(revision)}.jsonl`);
  }

  #files(): readonly string[] {
    try {
      return readdirSync(this.#directory).map((name) => join(this.#directory, name));
    } catch {
      return [];
    }
  }

  #prune(): void {
    const files = this.#files();
    if (files.length <= maxFiles) return;
    const byAge = files
      .map((file) => ({ file, atMs: statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
      .sort((one, other) => one.atMs - other.atMs);
    for (const { file } of byAge.slice(0, files.length - maxFiles)) rmSync(file, { force: true });
  }
}

function parsed(text: string): readonly [Identity["environment"], StampedLine | null] {
  try {
    return JSON.parse(text) as [Identity["environment"], StampedLine];
  } catch {
    // The disk was full in the middle of a line.
    return ["" as Identity["environment"], null];
  }
}

function isUnreadable(error: unknown): boolean {
  return error instanceof Error && /logging driver does not support reading|can not get logs/i.test(error.message);
}
