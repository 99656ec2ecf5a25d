// What is probed: something that answers HTTP, and something that answers PING as a Redis does.
import { once } from "node:events";
import { createServer as createHttp } from "node:http";
import { createServer } from "node:net";

const http = createHttp((_, response) => response.end('{"status":"healthy","database":"connected"}')).listen(
  0,
  "127.0.0.1",
);
const redis = createServer((socket) => {
  socket.on("error", () => {});
  socket.on("data", () => socket.write("+PONG\r\n"));
}).listen(0, "127.0.0.1");
await Promise.all([once(http, "listening"), once(redis, "listening")]);
process.send({ http: http.address().port, redis: redis.address().port });
process.on("disconnect", () => process.exit(0));
