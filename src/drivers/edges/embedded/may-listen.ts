import { listenTrouble } from "../../../lib/listen-trouble.ts";
import type { EdgeConfig } from "../../../ports/edge.ts";

type Address = EdgeConfig["listeners"][number];

/**
 * The first of the new addresses that cannot be had, with the system's word for it, found out by listening on each for a moment. A worker
 * must not be the one to find out: node:cluster counts its attempts at an address, the failed ones too, and shares a socket only among
 * workers that have counted as far. The first worker would then have the port for itself, the second be told that another program has
 * it, also long after that program is gone (Node 20.20, lib/internal/cluster/child.js: `rr` and `shared` forget the index on close only).
 */
export async function firstTaken(
  wanted: readonly Address[],
  had: readonly Address[],
): Promise<{ readonly address: string; readonly code: string } | null> {
  for (const { host, port } of wanted) {
    if (had.some((other) => other.host === host && other.port === port)) continue;
    const code = await listenTrouble({ host, port });
    if (code !== null) return { address: `${host}:${port}`, code };
  }
  return null;
}
