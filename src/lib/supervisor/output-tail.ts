import { closeSync, fstatSync, ftruncateSync, openSync, readFileSync, readSync, writeFileSync } from "node:fs";

export const outputLimits = {
  /** Read from one stream at one look. At most fifty looks a second: 13 MB and 10,000 lines a second. */
  bytesPerLook: 256 * 1024,
  linesPerLook: 200,
  /** What a process writes faster than that may wait up to here; then it is dropped, counted and said. */
  backlogBytes: 4 * 1024 * 1024,
  /** A longer line is cut. */
  lineBytes: 16 * 1024,
  /** A line without its end is passed on after this. */
  partialMs: 500,
  /** The file is emptied when all of it is read and it is larger than this. */
  truncateBytes: 1024 * 1024,
} as const;

export type Look = { readonly lines: readonly string[]; readonly droppedBytes: number; readonly more: boolean };

const nothing: Look = { lines: [], droppedBytes: 0, more: false };
const newline = 10;
const buffer = Buffer.allocUnsafe(outputLimits.bytesPerLook);

/**
 * Reads what a process writes to a file it has open for appending, and empties the file behind it. A file and not a pipe:
 * so the process neither waits for us nor notices our death, and what it wrote meanwhile is found. How far was read is kept
 * beside it, so the next daemon goes on there; at a crash the lines of one look may come twice, none is lost. What arrives
 * between the last look at the size and the emptying (microseconds, once a megabyte) is lost: the price of a file without a
 * reader's lock. Disk errors are swallowed: they must not reach the process, nor the daemon.
 */
export class OutputTail {
  readonly #fd: number;
  readonly #offsetFile: string;
  #offset: number;
  #lastSize = -1;
  /** A line without its end, by where it begins, and when it was first seen. */
  #partial: { readonly offset: number; readonly since: number } | null = null;
  /** Inside a line of which the beginning was passed on and the rest is thrown away. */
  #skipping = false;

  constructor(file: string) {
    this.#fd = openSync(file, "r+");
    this.#offsetFile = `${file}.read`;
    this.#offset = readOffset(this.#offsetFile);
    // Emptied, but the daemon died before it could write that down.
    if (this.#offset > fstatSync(this.#fd).size) this.#offset = 0;
  }

  /** What has come since the last look, as lines. `flush` takes the last line also without its end. */
  look(now: number, flush = false): Look {
    try {
      return this.#look(now, flush);
    } catch {
      return nothing;
    }
  }

  close(): void {
    closeSync(this.#fd);
  }

  #look(now: number, flush: boolean): Look {
    const size = fstatSync(this.#fd).size;
    if (size < this.#offset) this.#offset = 0; // emptied by someone else
    if (size === this.#lastSize && this.#partial === null && size === this.#offset) return nothing;
    this.#lastSize = size;
    const before = this.#offset;
    const lines = this.#take(size, now, flush);
    let droppedBytes = 0;
    const rest = size - this.#offset;
    if (rest > outputLimits.backlogBytes) {
      droppedBytes = rest;
      this.#offset = size;
      this.#skipping = true;
      this.#partial = null;
    }
    if (this.#offset === size && (size >= outputLimits.truncateBytes || droppedBytes > 0)) this.#empty();
    if (this.#offset !== before) writeFileSync(this.#offsetFile, String(this.#offset), { mode: 0o600 });
    return { lines, droppedBytes, more: this.#offset < size && this.#partial === null };
  }

  #take(size: number, now: number, flush: boolean): string[] {
    const lines: string[] = [];
    const length = readSync(this.#fd, buffer, 0, Math.min(buffer.length, size - this.#offset), this.#offset);
    let at = 0;
    while (at < length && lines.length < outputLimits.linesPerLook) {
      const end = buffer.subarray(at, length).indexOf(newline);
      if (end === -1) break;
      if (this.#skipping) this.#skipping = false;
      else lines.push(textOf(at, at + end));
      at += end + 1;
    }
    at += this.#takePartial(at, length, { now, flush, lines });
    this.#offset += at;
    return lines;
  }

  /** The bytes taken of a line that has no end yet. */
  #takePartial(at: number, length: number, context: { now: number; flush: boolean; lines: string[] }): number {
    const { now, flush, lines } = context;
    const rest = length - at;
    if (rest === 0 || lines.length >= outputLimits.linesPerLook) {
      this.#partial = null;
      return 0;
    }
    if (this.#skipping) return rest;
    if (rest > outputLimits.lineBytes) {
      lines.push(textOf(at, length));
      this.#skipping = true;
      this.#partial = null;
      return rest;
    }
    const offset = this.#offset + at;
    if (this.#partial?.offset !== offset) this.#partial = { offset, since: now };
    if (!flush && now - this.#partial.since < outputLimits.partialMs) return 0;
    lines.push(textOf(at, length));
    this.#partial = null;
    return rest;
  }

  #empty(): void {
    if (fstatSync(this.#fd).size !== this.#offset && !this.#skipping) return;
    ftruncateSync(this.#fd, 0);
    this.#offset = 0;
    this.#lastSize = 0;
  }
}

/** Bytes that are no UTF-8 become U+FFFD. */
function textOf(from: number, to: number): string {
  const end = to > from && buffer[to - 1] === 13 ? to - 1 : to;
  if (end - from <= outputLimits.lineBytes) return buffer.toString("utf8", from, end);
  let cut = from + outputLimits.lineBytes;
  while (((buffer[cut] ?? 0) & 0xc0) === 0x80) cut--; // not inside a character
  return `${buffer.toString("utf8", from, cut)} …[cut]`;
}

function readOffset(file: string): number {
  try {
    const offset = Number(readFileSync(file, "utf8"));
    return Number.isSafeInteger(offset) && offset >= 0 ? offset : 0;
  } catch {
    return 0;
  }
}
