import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { reasonOf } from "../../core/errors/error.ts";
import type { Log } from "../../ports/log.ts";
import type { EdgeSites } from "./sites.ts";

/**
 * After an upgrade the edge still runs the code it was started with. Its workers are replaced, once a version, without a
 * failed request; `file` remembers for which. What fails is tried again at the next start.
 */
export async function renewAfterUpgrade(edges: EdgeSites, file: string, version: string, log: Log): Promise<void> {
  const before = await readFile(file, "utf8").catch(() => null);
  if (before === version) return;
  try {
    if (before !== null) {
      await edges.renew();
      log.info("edge.renewed", { from: before, to: version });
    }
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await writeFile(file, version, { mode: 0o600 });
  } catch (error) {
    log.warn("edge.not-renewed", { reason: reasonOf(error) });
  }
}
