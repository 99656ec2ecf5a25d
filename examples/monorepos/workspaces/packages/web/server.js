import { createServer } from "node:http";
import { answer } from "./answer.js";

const server = createServer((request, response) => {
  const { status, text } = answer(new URL(request.url, "http://shop.example"));
  response.writeHead(status, { "content-type": "text/plain" }).end(text);
});
server.listen(Number(process.env.PORT), process.env.HOST);
server.keepAliveTimeout = 75_000;
process.on("SIGTERM", () => server.close(() => process.exit(0)));
