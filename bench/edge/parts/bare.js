// The floor: the least a Node proxy can do with node:http and undici and still be a correct one: hop-by-hop headers
// removed, back-pressure and aborts passed on. No routing, no trace, no headers of its own, no counts, no log.
import { createServer } from "node:http";
import { Pool } from "undici";

const hopByHop = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "te",
  "trailer",
  "upgrade",
  "expect",
]);
const pool = new Pool(`http://127.0.0.1:${process.argv[2]}`);

const server = createServer((req, res) => {
  const headers = [];
  for (let index = 0; index < req.rawHeaders.length; index += 2)
    if (!hopByHop.has(req.rawHeaders[index].toLowerCase()))
      headers.push(req.rawHeaders[index], req.rawHeaders[index + 1]);
  const hasBody = "content-length" in req.headers || "transfer-encoding" in req.headers;
  let abort = null;
  let done = false;
  res.on("close", () => {
    if (!done) abort?.();
  });
  pool.dispatch(
    { path: req.url, method: req.method, headers, body: hasBody ? req : null },
    {
      onConnect(stop) {
        abort = stop;
      },
      onHeaders(status, raw, resume) {
        const out = [];
        for (let index = 0; index < raw.length; index += 2) {
          const name = raw[index].toString("latin1");
          if (!hopByHop.has(name.toLowerCase())) out.push(name, raw[index + 1].toString("latin1"));
        }
        res.writeHead(status, out);
        res.on("drain", resume);
        return true;
      },
      onData: (chunk) => res.write(chunk),
      onComplete() {
        done = true;
        res.end();
      },
      onError() {
        done = true;
        if (res.headersSent) res.destroy();
        else res.writeHead(502).end();
      },
    },
  );
});
server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port }));
process.on("disconnect", () => process.exit(0));
