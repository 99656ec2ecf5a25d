import type { FileHandle } from "node:fs/promises";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** What waits in memory for a slow disk; beyond it lines are dropped and counted, never the caller slowed. */
const maxWaitingChars = 8_000_000;
/** A write is made at once when so much waits, else by the timer. */
const flushAtChars = 65_536;
const flushEveryMs = 100;

/**
 * Lines for one file, written in batches. Several processes may append to one file: each batch is one write in append
 * mode. `add` never waits and never throws.
 */
export class AppendFile {
  readonly file: string;
  /** Bytes written since the start, for whoever decides about rotation. */
  writtenBytes = 0;
  /** Lines lost because the disk was too slow, full or not there. */
  lostLines = 0;
  #waiting = "";
  #waitingLines = 0;
  #handle: FileHandle | null = null;
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<void> | null = null;

  constructor(file: string) {
    this.file = file;
  }

  /** `line` ends in a line feed. */
  add(line: string): void {
    if (this.#waiting.length > maxWaitingChars) {
      this.lostLines += 1;
      return;
    }
    this.#waiting += line;
    this.#waitingLines += 1;
    if (this.#writing !== null) return;
    if (this.#waiting.length >= flushAtChars) void this.flush();
    else this.#timer ??= setTimeout(() => void this.flush(), flushEveryMs).unref();
  }

  /** Resolves when everything added before is written, or lost. */
  async flush(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    while (this.#writing !== null) await this.#writing;
    if (this.#waiting === "") return;
    this.#writing = this.#write().finally(() => {
      this.#writing = null;
      if (this.#waiting !== "") this.#timer ??= setTimeout(() => void this.flush(), flushEveryMs).unref();
    });
    await this.#writing;
  }

  /** Goes on in the file that now has the name. Call it after a rotation. */
  async reopen(): Promise<void> {
    await this.flush();
    const old = this.#handle;
    this.#handle = null;
    await old?.close().catch(() => undefined);
  }

  async #write(): Promise<void> {
    const text = this.#waiting;
    const lines = this.#waitingLines;
    this.#waiting = "";
    this.#waitingLines = 0;
    try {
      this.#handle ??= await openForAppend(this.file);
      const { bytesWritten } = await this.#handle.write(text);
      this.writtenBytes += bytesWritten;
    } catch {
      // Disk full, folder gone: the lines are lost and counted; the next batch opens the file anew.
      this.lostLines += lines;
      const broken = this.#handle;
      this.#handle = null;
      await broken?.close().catch(() => undefined);
    }
  }
}

/** `file` becomes `file.1`, that `file.2`, and so on; at most `keep` old ones stay. Does nothing when there is no `file`. */
export async function rotateFile(file: string, keep: number): Promise<void> {
  await rm(`${file}.${keep}`, { force: true });
  for (let index = keep - 1; index >= 1; index -= 1) await renameIfThere(`${file}.${index}`, `${file}.${index + 1}`);
  if (keep > 0) await renameIfThere(file, `${file}.1`);
  else await rm(file, { force: true });
}

async function openForAppend(file: string): Promise<FileHandle> {
  await mkdir(dirname(file), { recursive: true });
  return open(file, "a", 0o640);
}

async function renameIfThere(from: string, to: string): Promise<void> {
  await rename(from, to).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
}
