import type { FileHandle } from "node:fs/promises";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** Two buffers of this size a file: one is filled while the other is written. Beyond it lines are dropped and counted. */
const bufferBytes = 1_048_576;
/** A write is made at once when so much waits, else by the timer. */
const flushAtBytes = 65_536;
const flushEveryMs = 100;

/**
 * Lines for one file, written in batches. Several processes may append to one file: each batch is one write in append
 * mode. `add` never waits and never throws: a disk that is slow, full or gone costs lines, never the caller's time.
 */
export class AppendFile {
  readonly file: string;
  /** Bytes written since the start, for whoever decides about rotation. */
  writtenBytes = 0;
  /** Lines lost because the disk was too slow, full or not there. */
  lostLines = 0;
  #filling = Buffer.allocUnsafe(bufferBytes);
  #spare = Buffer.allocUnsafe(bufferBytes);
  #bytes = 0;
  #lines = 0;
  #handle: FileHandle | null = null;
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<void> | null = null;

  constructor(file: string) {
    this.file = file;
  }

  /** `line` is ASCII and ends in a line feed. Straight into the buffer: collecting text first costs more CPU. */
  add(line: string): void {
    if (this.#bytes + line.length > bufferBytes) {
      this.lostLines += 1;
      return;
    }
    this.#bytes += this.#filling.write(line, this.#bytes, "latin1");
    this.#lines += 1;
    if (this.#writing !== null) return;
    if (this.#bytes >= flushAtBytes) void this.flush();
    else this.#timer ??= setTimeout(() => void this.flush(), flushEveryMs).unref();
  }

  /** Resolves when everything added before is written, or lost. */
  async flush(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    while (this.#writing !== null) await this.#writing;
    if (this.#bytes === 0) return;
    this.#writing = this.#write().finally(() => {
      this.#writing = null;
      if (this.#bytes > 0) this.#timer ??= setTimeout(() => void this.flush(), flushEveryMs).unref();
    });
    await this.#writing;
  }

  /** Goes on in the file that now has the name. For after a rotation, and to let go of the file at the end. */
  async reopen(): Promise<void> {
    await this.flush();
    await this.#close();
  }

  async #write(): Promise<void> {
    const batch = this.#filling.subarray(0, this.#bytes);
    const lines = this.#lines;
    [this.#filling, this.#spare] = [this.#spare, this.#filling];
    this.#bytes = 0;
    this.#lines = 0;
    try {
      this.#handle ??= await openForAppend(this.file);
      await this.#handle.writeFile(batch);
      this.writtenBytes += batch.length;
    } catch {
      this.lostLines += lines;
      // The next batch opens the file anew.
      await this.#close();
    }
  }

  async #close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = null;
    await handle?.close().catch(() => undefined);
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
