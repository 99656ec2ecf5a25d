// The page: asks the API, through the edge, so that it always gets the release that is live.
import { createServer } from "node:http";

const server = createServer(async (request, response) => {
  if (request.url === "/up") return response.end("ok");
  response.setHeader("content-type", "text/html");
  response.setHeader("x-app-version", process.env.SLIPWAY_VERSION ?? "");
  try {
    const answer = await fetch(`${process.env.SLIPWAY_EDGE_URL}/api/greeting?name=visitor`, {
      signal: AbortSignal.timeout(5_000),
    });
    response.end(`<h1>${(await answer.json()).text}</h1>\n`);
  } catch (error) {
    console.error(`the api: ${error.message}`);
    response.end("<h1>Welcome</h1>\n");
  }
});
server.keepAliveTimeout = 75_000;
server.listen(Number(process.env.PORT), process.env.HOST, () => console.log("web listens"));
process.on("SIGTERM", () => server.close(() => process.exit(0)).closeIdleConnections());
