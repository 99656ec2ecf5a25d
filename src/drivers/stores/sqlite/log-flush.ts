import { type FileHandle, open } from "node:fs/promises";

/**
 * Forces the log of a store in WAL mode to the disk, beside the program and not in its way as a full commit does. What was committed
 * without a flush is in the log alone: a checkpoint flushes what it takes out of it.
 */
export class LogFlush {
  readonly #file: string;
  #handle: Promise<FileHandle> | null = null;

  /** `file`: of the database; its log is beside it as long as it is open. */
  constructor(file: string) {
    this.#file = `${file}-wal`;
  }

  /** Resolves when all that was committed before the call is on disk. */
  async flush(): Promise<void> {
    this.#handle ??= open(this.#file, "r").catch((error: unknown) => {
      this.#handle = null;
      throw error;
    });
    await (await this.#handle).datasync();
  }

  async close(): Promise<void> {
    const handle = await this.#handle?.catch(() => null);
    this.#handle = null;
    await handle?.close();
  }
}
