import { execFileSync } from "node:child_process";
import { closeSync, openSync, writeSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** A file system of 2 MiB in memory. Needs the right to mount; where that is missing the test says so, and in CI it fails. */
export async function smallDisk(directory: string, skip: (note: string) => void): Promise<string> {
  const disk = join(directory, "disk");
  await mkdir(disk);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], { stdio: "pipe" });
  } catch (cause) {
    const words =
      "the disk-full tests need the right to mount a tmpfs: run them as root, in a container with CAP_SYS_ADMIN";
    if (process.env.CI !== undefined) throw new Error(words, { cause });
    skip(words);
  }
  onTestFinished(() => void execFileSync("umount", ["--lazy", disk], { stdio: "pipe" }));
  return disk;
}

/** Writes until nothing fits any more; returns the file to remove. */
export function fillDisk(disk: string): string {
  const filler = join(disk, "filler");
  const handle = openSync(filler, "a");
  try {
    for (const size of [65_536, 4_096, 512]) {
      try {
        for (;;) writeSync(handle, Buffer.alloc(size));
      } catch {
        // Full, for writes of this size.
      }
    }
  } finally {
    closeSync(handle);
  }
  return filler;
}
