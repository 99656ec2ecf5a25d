import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqliteStore } from "../../drivers/stores/sqlite/index.ts";
import { sqliteEngine } from "../../engine/sqlite/engine.ts";
import { compiledFile } from "../../lib/entry.ts";
import type { EngineHarness, OpenPlace } from "./harness.ts";
import { wallClock } from "./wall-clock.ts";

/** The embedded engine: a directory is a place. */
export const sqliteHarness: EngineHarness = {
  takesOver: false,
  place: async () => {
    const directory = await mkdtemp(join(tmpdir(), "slipway-engine-"));
    return {
      child: { file: compiledFile(import.meta.url, "./sqlite-child.ts"), args: [directory] },
      open: () => openSqlitePlace(directory),
      remove: () => rm(directory, { recursive: true, force: true }),
    };
  },
};

export async function openSqlitePlace(directory: string): Promise<OpenPlace> {
  const store = await openSqliteStore({ directory, clock: wallClock });
  return {
    store,
    engine: (options = {}) => sqliteEngine({ store, clock: wallClock, ...options }),
    close: () => store.close(),
  };
}
