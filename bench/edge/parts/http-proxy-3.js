import { Agent, createServer } from "node:http";
import httpProxy from "http-proxy-3";

const proxy = httpProxy.createProxyServer({
  target: `http://127.0.0.1:${process.argv[2]}`,
  agent: new Agent({ keepAlive: true, maxSockets: 1000 }),
  xfwd: true,
});
const server = createServer((req, res) => proxy.web(req, res, {}, () => res.destroy()));
server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port }));
process.on("disconnect", () => process.exit(0));
