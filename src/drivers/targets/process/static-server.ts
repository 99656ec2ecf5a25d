import { statSync } from "node:fs";
import { createServer } from "node:http";
import { staticHandler } from "./static-handler.ts";

/**
 * The program that serves the files of a `static` service: `static-server.js [fallback file]`. Serves its working directory on
 * `HOST:PORT`; with a fallback file, unknown paths without an extension get that file (single-page apps). Files are read in
 * when it starts: a revision's files do not change.
 */

/** Longer than the keep-alive of the edge's pools, so that it is always the edge that closes an idle connection. */
const keepAliveMs = 65_000;
/** While ending: a connection that has become idle is closed so soon. */
const closeIdleMs = 50;

const fallbackFile = process.argv[2] ?? null;
if (fallbackFile !== null) statSync(fallbackFile); // a wrong name fails the deployment, not every visitor
const server = createServer({ keepAliveTimeout: keepAliveMs }, staticHandler(process.cwd(), fallbackFile));
server.on("error", (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
server.listen(Number(process.env.PORT ?? 8080), process.env.HOST ?? "127.0.0.1");
// Answers what has arrived, takes nothing new, and ends by itself; the supervisor's grace is the limit.
process.on("SIGTERM", () => {
  server.close(() => process.exit(0));
  setInterval(() => server.closeIdleConnections(), closeIdleMs);
});
