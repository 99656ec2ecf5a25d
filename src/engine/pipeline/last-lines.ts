import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { plain } from "./live.ts";

const tailBytes = 16 * 1024;

/** The last lines of a log, without colours; none where there is no log. In this thread: it is little, and a step's end waits for it. */
export function lastLines(log: string, shown: number): readonly string[] {
  const end = endOf(log);
  if (end === null) return [];
  const lines = plain(end.text).split(/\r?\n/);
  // The first may have lost its beginning.
  return (end.isCut ? lines.slice(1) : lines).filter((line) => line.trim() !== "").slice(-shown);
}

function endOf(log: string): { readonly text: string; readonly isCut: boolean } | null {
  let file: number;
  try {
    file = openSync(log, "r");
  } catch {
    return null;
  }
  try {
    const { size } = fstatSync(file);
    const buffer = Buffer.alloc(Math.min(size, tailBytes));
    readSync(file, buffer, 0, buffer.length, size - buffer.length);
    return { text: buffer.toString("utf8"), isCut: buffer.length < size };
  } finally {
    closeSync(file);
  }
}
