import { createServer } from "node:http";
import { words } from "./sentence.js";

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://api.example");
  if (pathname === "/up") return response.end("ok\n");
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(words(searchParams.get("text") ?? "")));
});
server.listen(Number(process.env.PORT), process.env.HOST);
server.keepAliveTimeout = 75_000;
process.on("SIGTERM", () => server.close(() => process.exit(0)));
