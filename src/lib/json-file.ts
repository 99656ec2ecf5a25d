import { randomBytes } from "node:crypto";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/** The parsed file, or null when there is none. Throws on broken JSON: the caller decides what that means. */
export async function readJsonFile<T>(file: string): Promise<T | null> {
  try {
    return JSON.parse(await readFile(file, "utf8")) as T;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}

/**
 * Replaces the file in one step: whoever reads it, also after a crash of this process, finds the old or the new, never a part.
 * With `durable` (the default) that holds for a loss of power as well, and it returns when the new one is on disk: two fsyncs,
 * 3 to 10 ms. Without, a loss of power may leave an empty file: for what is of no use after one.
 */
export async function writeJsonFile(
  file: string,
  value: unknown,
  options: { readonly mode?: number; readonly durable?: boolean } = {},
): Promise<void> {
  const durable = options.durable ?? true;
  const temporary = `${file}.${randomBytes(4).toString("hex")}.tmp`;
  if (!durable) return writeAtOnce(file, temporary, value, options.mode ?? 0o600);
  try {
    const handle = await open(temporary, "wx", options.mode ?? 0o600);
    try {
      await handle.writeFile(`${JSON.stringify(value)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
    const directory = await open(dirname(file), "r");
    await directory.sync().finally(() => directory.close());
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** In this thread: four trips through the thread pool take milliseconds of a busy machine, and this some microseconds. */
function writeAtOnce(file: string, temporary: string, value: unknown, mode: number): void {
  try {
    writeFileSync(temporary, `${JSON.stringify(value)}\n`, { flag: "wx", mode });
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
