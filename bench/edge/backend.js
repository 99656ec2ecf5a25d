// The service behind every proxy of the bench: a fixed JSON answer of 122 bytes, as cheap as node:http gives it.
import { createServer } from "node:http";

const body = JSON.stringify({ service: "bench", ok: true, pad: "x".repeat(122 - 39) });
const server = createServer((_req, res) => {
  res.writeHead(200, ["Content-Type", "application/json", "Content-Length", String(Buffer.byteLength(body))]);
  res.end(body);
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port }));
process.on("disconnect", () => process.exit(0));
