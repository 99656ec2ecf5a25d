import { closeSync, fstatSync, openSync, readSync, renameSync, rmSync, writeSync } from "node:fs";

export type LogFileOptions = { readonly maxBytes: number; readonly keep: number };

const chunkBytes = 64 * 1024;

/**
 * An append-only file of lines: at `maxBytes` it becomes `<file>.1`, that becomes `.2`, up to `.keep`. A full disk loses
 * lines, never more: they are counted, and `takeLost` says how many.
 */
export class LogFile {
  readonly #file: string;
  readonly #options: LogFileOptions;
  #fd: number | null = null;
  #size = 0;
  #lost = 0;

  constructor(file: string, options: LogFileOptions) {
    this.#file = file;
    this.#options = options;
  }

  append(lines: readonly string[]): void {
    const bytes = Buffer.from(`${lines.join("\n")}\n`);
    try {
      this.#open();
      if (this.#size > 0 && this.#size + bytes.length > this.#options.maxBytes) this.#rotate();
      const fd = this.#open();
      // A write cut short by a full disk leaves half a line: end it, so that the next line is whole.
      const written = writeSync(fd, bytes);
      this.#size += written;
      if (written < bytes.length) {
        this.#lost += 1;
        this.#size += writeSync(fd, "\n");
      }
    } catch {
      this.#lost += lines.length;
    }
  }

  /** Lines that could not be written since the last call. */
  takeLost(): number {
    const lost = this.#lost;
    this.#lost = 0;
    return lost;
  }

  close(): void {
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
  }

  #open(): number {
    if (this.#fd === null) {
      this.#fd = openSync(this.#file, "a", 0o600);
      this.#size = fstatSync(this.#fd).size;
    }
    return this.#fd;
  }

  #rotate(): void {
    this.close();
    rmSync(`${this.#file}.${this.#options.keep}`, { force: true });
    for (let i = this.#options.keep - 1; i >= 1; i--) renameIfThere(`${this.#file}.${i}`, `${this.#file}.${i + 1}`);
    if (this.#options.keep > 0) renameIfThere(this.#file, `${this.#file}.1`);
    else rmSync(this.#file, { force: true });
  }
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
}

/**
 * The lines that a log file and its rotated ones hold at this moment, to be read while it is written and rotated on: the files
 * are opened now, and nothing behind their present end is read.
 */
export class LogSnapshot {
  /** Newest first. */
  readonly #parts: { readonly fd: number; readonly size: number }[] = [];

  constructor(file: string, keep: number) {
    for (const name of [file, ...Array.from({ length: keep }, (_, i) => `${file}.${i + 1}`)]) {
      try {
        const fd = openSync(name, "r");
        this.#parts.push({ fd, size: fstatSync(fd).size });
      } catch {
        break; // none older
      }
    }
  }

  /** The newest `count` lines, oldest first. Reads from the end, so its cost follows `count`, not the size. */
  tail(count: number): string[] {
    const lines: string[] = [];
    for (const { fd, size } of this.#parts) {
      let rest = Buffer.alloc(0);
      for (let end = size; end > 0 && lines.length < count; ) {
        const from = Math.max(0, end - chunkBytes);
        const chunk = Buffer.concat([read(fd, from, end - from), rest]);
        const first = from === 0 ? -1 : chunk.indexOf(10);
        end = from;
        if (from > 0 && first === -1) {
          rest = chunk; // one line, longer than a chunk
          continue;
        }
        rest = from === 0 ? Buffer.alloc(0) : chunk.subarray(0, first + 1);
        const whole = chunk
          .toString("utf8", first + 1)
          .split("\n")
          .filter(Boolean);
        for (let i = whole.length - 1; i >= 0 && lines.length < count; i--) lines.push(whole[i] as string);
      }
    }
    return lines.reverse();
  }

  /** Every line, oldest first, some at a time. */
  *all(): Generator<string[]> {
    for (const { fd, size } of [...this.#parts].reverse()) {
      let rest = Buffer.alloc(0);
      for (let at = 0; at < size; ) {
        const chunk = Buffer.concat([rest, read(fd, at, Math.min(chunkBytes, size - at))]);
        at += chunk.length - rest.length || size;
        const last = chunk.lastIndexOf(10);
        rest = chunk.subarray(last + 1);
        yield chunk
          .toString("utf8", 0, last + 1)
          .split("\n")
          .filter(Boolean);
      }
    }
  }

  close(): void {
    for (const { fd } of this.#parts.splice(0)) closeSync(fd);
  }
}

function read(fd: number, position: number, length: number): Buffer {
  const buffer = Buffer.allocUnsafe(length);
  return buffer.subarray(0, readSync(fd, buffer, 0, length, position));
}
