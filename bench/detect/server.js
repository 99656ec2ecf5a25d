// The service whose versions fail: number n of its answers fails or not by the version's seed and share alone, so that two
// deployments of the same kind give their users the same answers, one after the other.
import { createServer } from "node:http";
import { failed } from "./answers.js";
import { version } from "./version.js";

let answers = 0;
const server = createServer((request, response) => {
  if (request.url === "/up") return response.end("ok\n");
  const number = answers;
  answers += 1;
  response.writeHead(failed(version, number) ? 500 : 200, {
    "content-type": "text/plain",
    "x-app-version": version.name,
    "x-app-answer": number,
  });
  response.end("answered\n");
});
// Longer than a proxy keeps an idle connection, so that it is never this side that closes one under a request.
server.keepAliveTimeout = 75_000;
server.listen(Number(process.env.PORT), process.env.HOST ?? "127.0.0.1");

process.on("SIGTERM", () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
