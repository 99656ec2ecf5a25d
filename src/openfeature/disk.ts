import { createHash, randomBytes } from "node:crypto";
import { open, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type FlagDocument, flagDocument, mostDocumentBytes } from "../core/flags/document.ts";

/** Where the last known values are kept when nothing else is said: one file for each place that is asked. */
export function fileFor(url: string): string {
  const digest = createHash("sha256").update(url).digest("hex").slice(0, 16);
  return join(tmpdir(), `slipway-flags-${process.getuid?.() ?? 0}-${digest}.json`);
}

/** What was known last; null when there is none, or one that somebody else has put there. */
export async function readKept(file: string): Promise<FlagDocument | null> {
  try {
    const handle = await open(file, "r");
    try {
      const seen = await handle.stat();
      const isOurs = process.getuid === undefined || (seen.uid === process.getuid() && (seen.mode & 0o022) === 0);
      if (!isOurs || !seen.isFile() || seen.size > mostDocumentBytes) return null;
      return flagDocument.parse(JSON.parse(await handle.readFile("utf8")));
    } finally {
      await handle.close();
    }
  } catch {
    return null;
  }
}

/** In one step; a disk that takes nothing keeps no flag from being read. */
export async function keep(file: string, document: FlagDocument): Promise<void> {
  const draft = `${file}.${randomBytes(4).toString("hex")}.tmp`;
  try {
    await writeFile(draft, JSON.stringify(document), { mode: 0o600, flag: "wx" });
    await rename(draft, file);
  } catch {
    await rm(draft, { force: true }).catch(() => {});
  }
}
