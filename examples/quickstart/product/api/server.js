// The API of the quickstart: GET /api/greeting?name=Ada, GET /api/health.
import { createServer } from "node:http";
import { greet, health, version } from "./greeting.js";

const server = createServer((request, response) => {
  const url = new URL(request.url ?? "/", "http://api");
  if (url.pathname === "/api/health") return answer(response, health().status === "healthy" ? 200 : 503, health());
  if (url.pathname !== "/api/greeting") return answer(response, 404, { error: "no such path" });
  try {
    answer(response, 200, { text: greet(url.searchParams.get("name") ?? "world"), version });
  } catch (error) {
    console.error(`GET ${url.pathname} failed: ${error.message}`);
    answer(response, 500, { error: "the greeting could not be made", version });
  }
});

function answer(response, status, body) {
  // The version lets whoever looks at the traffic tell an answer of this service from one that the edge made.
  response.writeHead(status, { "content-type": "application/json", "x-app-version": version });
  response.end(`${JSON.stringify(body)}\n`);
}

server.listen(Number(process.env.PORT), process.env.HOST, () =>
  console.log(`api ${version} listens on ${process.env.PORT}`),
);
// Longer than the edge keeps an idle connection, so that it is never this side that closes one under a request.
server.keepAliveTimeout = 75_000;

process.on("SIGTERM", () => {
  console.log("api stops: answering what is in flight");
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
