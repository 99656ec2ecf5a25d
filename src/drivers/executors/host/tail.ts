import { type FileHandle, open } from "node:fs/promises";
import { Masker } from "../../../lib/mask.ts";

/** Taken at one look: memory stays flat however much is written. */
const chunkBytes = 256 * 1024;

/** Takes what a process appends to a file over to its log, without the secrets. The log is written anew from the beginning. */
export class Tail {
  readonly #raw: FileHandle;
  readonly #log: FileHandle;
  readonly #masker: Masker;
  readonly #onOutput: (chunk: Buffer) => void;
  readonly #buffer = Buffer.allocUnsafe(chunkBytes);
  #offset = 0;

  private constructor(raw: FileHandle, log: FileHandle, masker: Masker, onOutput: (chunk: Buffer) => void) {
    this.#raw = raw;
    this.#log = log;
    this.#masker = masker;
    this.#onOutput = onOutput;
  }

  static async open(
    files: { readonly raw: string; readonly log: string },
    secrets: readonly string[],
    onOutput: (chunk: Buffer) => void,
  ): Promise<Tail> {
    const raw = await open(files.raw, "r");
    try {
      return new Tail(raw, await open(files.log, "w", 0o600), new Masker(secrets), onOutput);
    } catch (error) {
      await raw.close();
      throw error;
    }
  }

  /** How much the process has written, as far as it was read. */
  get bytes(): number {
    return this.#offset;
  }

  /** All that is there now. */
  async read(): Promise<void> {
    for (;;) {
      const { bytesRead } = await this.#raw.read(this.#buffer, 0, chunkBytes, this.#offset);
      if (bytesRead === 0) return;
      this.#offset += bytesRead;
      await this.#write(this.#masker.push(Buffer.from(this.#buffer.subarray(0, bytesRead))));
    }
  }

  /** The process has ended: what was held back comes too. */
  async finish(): Promise<void> {
    await this.read();
    await this.#write(this.#masker.flush());
  }

  async close(): Promise<void> {
    await Promise.all([this.#raw.close(), this.#log.close()]);
  }

  async #write(chunk: Buffer): Promise<void> {
    if (chunk.length === 0) return;
    await this.#log.writeFile(chunk);
    this.#onOutput(chunk);
  }
}
