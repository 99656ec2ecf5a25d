import { type FileHandle, open } from "node:fs/promises";
import { containerLogs } from "../../../lib/docker/containers.ts";
import type { Docker } from "../../../lib/docker/docker.ts";
import { framesOf } from "../../../lib/docker/frames.ts";
import { Masker } from "../../../lib/mask.ts";

/** Of each of those beside a step that has failed. */
const besideBytes = 1024 * 1024;
const besideLines = 5_000;
const space = 0x20;

/** What a container has printed, and goes on to print, as the log of its step: from the beginning, without the secrets. */
export class ContainerLog {
  readonly #file: FileHandle;
  readonly #masker: Masker;
  readonly #onOutput: (chunk: Buffer) => void;
  bytes = 0;
  /** Until the lines so far are in it. */
  #written: Promise<void> = Promise.resolve();

  private constructor(file: FileHandle, secrets: readonly string[], onOutput: (chunk: Buffer) => void) {
    this.#file = file;
    this.#masker = new Masker(secrets);
    this.#onOutput = onOutput;
  }

  static async open(
    file: string,
    secrets: readonly string[],
    onOutput: (chunk: Buffer) => void = () => {},
  ): Promise<ContainerLog> {
    return new ContainerLog(await open(file, "w", 0o600), secrets, onOutput);
  }

  /** To the end of the container, when it is followed; a broken connection is an error. */
  async take(docker: Docker, id: string, follow: boolean, signal: AbortSignal): Promise<void> {
    const tail = follow ? null : besideLines;
    for await (const { data } of framesOf(await containerLogs(docker, id, { follow, tail }, signal))) {
      // Each message has its time before it.
      const text = data.subarray(data.indexOf(space) + 1);
      this.bytes += text.length;
      if (!follow && this.bytes > besideBytes) return;
      await this.#write(this.#masker.push(text));
    }
  }

  /** Of what is no container: one line, in turn. */
  line(text: string): void {
    const chunk = this.#masker.push(Buffer.from(`${text}\n`));
    this.#written = this.#written.then(() => this.#write(chunk));
  }

  async close(): Promise<void> {
    await this.#written;
    await this.#write(this.#masker.flush());
    await this.#file.close();
  }

  async #write(chunk: Buffer): Promise<void> {
    if (chunk.length === 0) return;
    await this.#file.writeFile(chunk);
    this.#onOutput(chunk);
  }
}
