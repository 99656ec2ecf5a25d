import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type ClientHttp2Session, connect as connectHttp2, constants } from "node:http2";
import { createServer as createPlainServer, type Server as PlainServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect, type TLSSocket } from "node:tls";
import { afterAll } from "vitest";
import type { Edge, EdgeConfig } from "../../../ports/edge.ts";
import { makeAuthority } from "../../../testing/conformance/edge/authority.ts";
import { freePort } from "../../../testing/ports.ts";
import { type EmbeddedUnderTest, makeEmbeddedEdge } from "./made.fixture.ts";

/** One for all tests of a file. */
const shared = (async () => {
  const authority = await makeAuthority();
  const files = await authority.issue("bridged", ["test.example"]);
  return { authority, files };
})();
afterAll(async () => (await shared).authority.dispose());

/**
 * An embedded edge whose listeners speak TLS, behind bridges in plain HTTP/1.1 on the ports that the config names. So the
 * whole conformance suite, whose clients speak plain HTTP, runs over TLS, in HTTP/1.1 or in HTTP/2.
 */
export async function makeBridgedEdge(version: "h1" | "h2"): Promise<EmbeddedUnderTest> {
  const { authority, files } = await shared;
  // What several workers do together is tried in plain HTTP, and here in HTTP/2.
  const made = await makeEmbeddedEdge(version === "h1" ? { workers: 1 } : {});
  const bridges = new Map<number, { readonly tlsPort: number; close(): Promise<void> }>();

  const bridged = (edge: Edge): Edge => ({
    ...edge,
    async start(config, options) {
      const listeners: EdgeConfig["listeners"][number][] = [];
      for (const listener of config.listeners) {
        const bridge = bridges.get(listener.port) ?? (await open(listener.port));
        bridges.set(listener.port, bridge);
        const tls = { certificates: [{ ...files, hosts: ["test.example"] }], acme: null, http2: true };
        listeners.push({ ...listener, port: bridge.tlsPort, tls });
      }
      await edge.start({ ...config, listeners }, options);
    },
  });
  const open = async (port: number): Promise<{ readonly tlsPort: number; close(): Promise<void> }> => {
    const tlsPort = await freePort();
    const target = { port: tlsPort, host: "127.0.0.1", ca: authority.ca, servername: "test.example" };
    const close = await (version === "h1" ? bridgeBytes(port, target) : bridgeHttp2(port, target));
    return { tlsPort, close };
  };
  return {
    ...made,
    edge: bridged(made.edge),
    again: () => bridged(made.again()),
    async dispose() {
      for (const bridge of bridges.values()) await bridge.close();
      await made.dispose();
    },
  };
}

type Target = { readonly port: number; readonly host: string; readonly ca: string; readonly servername: string };

/** Byte for byte: what the client says in plain it says over TLS. */
async function bridgeBytes(port: number, target: Target): Promise<() => Promise<void>> {
  const server = createPlainServer((client) => join(client, connect({ ...target, ALPNProtocols: ["http/1.1"] })));
  return listen(server, port);
}

/** Each client connection has a connection in HTTP/2 of its own. WebSockets, which it does not carry, go byte for byte. */
async function bridgeHttp2(port: number, target: Target): Promise<() => Promise<void>> {
  const sessions = new WeakMap<Socket, ClientHttp2Session>();
  const sessionOf = (socket: Socket): ClientHttp2Session => {
    const known = sessions.get(socket);
    if (known !== undefined && !known.closed && !known.destroyed) return known;
    const session = connectHttp2("https://test.example", {
      createConnection: () => connect({ ...target, ALPNProtocols: ["h2"] }),
    });
    session.on("error", () => undefined);
    sessions.set(socket, session);
    socket.once("close", () => session.destroy());
    return session;
  };
  const server = createServer((req, res) => relay(sessionOf(req.socket), req, res));
  server.keepAliveTimeout = 30_000;
  server.on("upgrade", (req: IncomingMessage, socket: Duplex) => {
    const upstream = connect({ ...target, ALPNProtocols: ["http/1.1"] });
    const lines = Array.from(
      { length: req.rawHeaders.length / 2 },
      (_, index) => `${req.rawHeaders[2 * index]}: ${req.rawHeaders[2 * index + 1]}\r\n`,
    );
    upstream.write(`${req.method} ${req.url} HTTP/1.1\r\n${lines.join("")}\r\n`);
    join(socket as Socket, upstream);
  });
  return listen(server, port);
}

function relay(session: ClientHttp2Session, req: IncomingMessage, res: ServerResponse): void {
  const { host = "", connection: _c, "keep-alive": _k, "transfer-encoding": chunked, ...headers } = req.headers;
  const hasBody = chunked !== undefined || Number(req.headers["content-length"] ?? 0) > 0;
  const stream = session.request(
    { ":method": req.method, ":path": req.url, ":authority": host, ...headers },
    { endStream: !hasBody },
  );
  stream.on("error", () => res.destroy());
  stream.on("response", ({ ":status": status, ...answer }) => {
    const { date: _d, ...kept } = answer;
    res.writeHead(status ?? 0, kept as Record<string, string>);
    res.flushHeaders();
    stream.pipe(res);
  });
  stream.on("close", () => {
    // Without its end the client must not see one.
    if (stream.rstCode !== 0) res.destroy();
  });
  res.on("close", () => {
    if (!res.writableFinished) stream.close(constants.NGHTTP2_CANCEL);
  });
  if (hasBody) req.pipe(stream);
}

function join(client: Socket, upstream: TLSSocket | Socket): void {
  client.on("error", () => upstream.destroy()).on("close", () => upstream.destroy());
  upstream.on("error", () => client.destroy()).on("close", () => client.destroy());
  client.pipe(upstream);
  upstream.pipe(client);
}

async function listen(server: Server | PlainServer, port: number): Promise<() => Promise<void>> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(port, "127.0.0.1", resolve));
  return () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      for (const socket of sockets) socket.destroy();
    });
}
