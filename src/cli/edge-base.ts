import { join } from "node:path";
import type { EdgePlace } from "../engine/traffic/sites.ts";
import type { EdgeConfig } from "../ports/edge.ts";

/** Where Caddy has its room on a server of its own: made by `slipway server bootstrap`. */
export const edgeRoom = "/var/lib/slipway/edge";

/** What holds for every environment: limits that protect the machine. Sources: docs/config.md, "Limits of the edge". */
export const edgeBase = (directory: string, place: EdgePlace): Omit<EdgeConfig, "listeners" | "trustedProxies"> => ({
  limits: {
    headerBytes: 16 * 1024,
    bodyBytes: 1024 ** 3,
    headersTimeoutMs: 10_000,
    requestTimeoutMs: 300_000,
    idleTimeoutMs: 65_000,
    upstreamTimeoutMs: 60_000,
    connectTimeoutMs: 2_000,
    maxConnections: 10_000,
  },
  accessLog: { file: accessLogOf(directory, place), maxBytes: 32 * 1024 ** 2, keep: 4 },
});

/** One file an edge: each turns its own over. */
function accessLogOf(directory: string, { driver, server }: EdgePlace): string {
  if (server !== null) return `${edgeRoom}/access.log`;
  return join(directory, "logs", driver === "embedded" ? "access.log" : `access-${driver}.log`);
}
