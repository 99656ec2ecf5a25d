import { open } from "node:fs/promises";
import { plain } from "./live.ts";

const tailBytes = 16 * 1024;

/** The last lines of a log, without colours; none where there is no log. */
export async function lastLines(log: string, shown: number): Promise<readonly string[]> {
  const file = await open(log, "r").catch(() => null);
  if (file === null) return [];
  try {
    const { size } = await file.stat();
    const buffer = Buffer.alloc(Math.min(size, tailBytes));
    await file.read(buffer, 0, buffer.length, size - buffer.length);
    const lines = plain(buffer.toString("utf8")).split(/\r?\n/);
    // The first may have lost its beginning.
    return (buffer.length < size ? lines.slice(1) : lines).filter((line) => line.trim() !== "").slice(-shown);
  } finally {
    await file.close();
  }
}
