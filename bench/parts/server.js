// The service that the benches deploy: answers with its version, and with what a POST has sent it.
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { version } from "./version.js";

const server = createServer((request, response) => {
  if (request.url === "/up") return response.end("ok\n");
  const digest = createHash("sha256");
  request.on("data", (chunk) => digest.update(chunk));
  request.on("end", () => {
    response.writeHead(200, { "content-type": "application/json", "x-app-version": version });
    response.end(JSON.stringify({ version, method: request.method, digest: digest.digest("hex") }));
  });
});

// Longer than a proxy keeps an idle connection, so that it is never this side that closes one under a request.
server.keepAliveTimeout = 75_000;
server.listen(Number(process.env.PORT), process.env.HOST ?? "127.0.0.1");

process.on("SIGTERM", () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
