// The API: greets people, and counts in Redis how often.
import { createServer } from "node:http";
import { greet, health, version } from "./greeting.js";
import { openRedis } from "./redis.js";

const greeting = process.env.GREETING ?? "Hello";
const redis = openRedis({ host: "redis", port: 6379 });

const server = createServer(async (request, response) => {
  const url = new URL(request.url, "http://api");
  response.setHeader("content-type", "application/json");
  response.setHeader("x-app-version", version);
  try {
    const isHealth = url.pathname === "/api/health";
    const answer = isHealth ? await health() : await greet(url.searchParams.get("name") ?? "you", { greeting, redis });
    response.statusCode = isHealth && answer.status !== "healthy" ? 503 : 200;
    response.end(JSON.stringify(answer));
  } catch (error) {
    console.error(`GET ${url.pathname} failed: ${error.message}`);
    response.statusCode = 500;
    response.end(JSON.stringify({ error: error.message }));
  }
});
server.keepAliveTimeout = 75_000;
server.listen(Number(process.env.PORT), process.env.HOST, () => console.log(`api ${version} listens`));
process.on("SIGTERM", () => server.close(() => process.exit(0)).closeIdleConnections());
