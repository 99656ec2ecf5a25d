import proxy from "@fastify/http-proxy";
import fastify from "fastify";

const app = fastify();
await app.register(proxy, { upstream: `http://127.0.0.1:${process.argv[2]}`, undici: { connections: 1000 } });
await app.listen({ port: 0, host: "127.0.0.1" });
process.send({ port: app.server.address().port });
process.on("disconnect", () => process.exit(0));
