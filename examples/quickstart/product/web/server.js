// The web front of the quickstart: one page that asks the API through the same address it came from.
import { createServer } from "node:http";

const page = `<!doctype html>
<html lang="en">
  <meta charset="utf-8">
  <title>Slipway quickstart</title>
  <style>body { font: 20px system-ui; display: grid; place-items: center; height: 100vh; margin: 0 }</style>
  <h1 id="greeting">…</h1>
  <script>
    async function refresh() {
      const answer = await fetch("/api/greeting?name=you").then((response) => response.json());
      document.getElementById("greeting").textContent = answer.text + " (" + answer.version + ")";
    }
    refresh();
    setInterval(refresh, 1000);
  </script>
</html>
`;

const server = createServer((request, response) => {
  if (request.url === "/up") return response.end("ok\n");
  response.writeHead(200, { "content-type": "text/html; charset=utf-8", "x-app-version": process.env.SLIPWAY_VERSION });
  response.end(page);
});

server.listen(Number(process.env.PORT), process.env.HOST, () => console.log(`web listens on ${process.env.PORT}`));
server.keepAliveTimeout = 75_000;

process.on("SIGTERM", () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});
