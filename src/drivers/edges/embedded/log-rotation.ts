import { stat } from "node:fs/promises";
import { rotateFile } from "../../../lib/append-file.ts";
import type { EdgeConfig } from "../../../ports/edge.ts";
import type { Fleet } from "./fleet.ts";

const checkEveryMs = 250;

/** Rotates the access log, to which all workers append: the primary renames, then every worker opens the new file. */
export function rotateAccessLog(fleet: Fleet, config: () => EdgeConfig | null): NodeJS.Timeout {
  let sinceBytes = 0;
  let busy = false;
  const check = async (): Promise<void> => {
    const log = config()?.accessLog ?? null;
    // Asked of the file only when something was written.
    if (log === null || busy || fleet.totals.logBytes === sinceBytes) return;
    busy = true;
    try {
      sinceBytes = fleet.totals.logBytes;
      const { size } = await stat(log.file);
      if (size < log.maxBytes) return;
      await rotateFile(log.file, log.keep);
      fleet.reopenLogs();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") console.error("edge.log-not-rotated", String(error));
    } finally {
      busy = false;
    }
  };
  return setInterval(() => void check(), checkEveryMs).unref();
}
