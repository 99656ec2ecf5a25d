import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";

/**
 * A service to route to: says its label on every path. `/slow?ms=` waits, `/sse` sends events until cut, `/die` closes the
 * connection without an answer, `/gate` answers when `open` is called, a WebSocket handshake gets its bytes echoed.
 */
export type Backend = {
  readonly label: string;
  readonly address: string;
  /** Requests seen, by `METHOD /path`. */
  readonly seen: Map<string, number>;
  /** Heads of the last requests, newest last. */
  readonly heads: { readonly url: string; readonly headers: IncomingMessage["headers"]; readonly raw: string[] }[];
  /** Requests that wait at `/gate`. */
  waiting(): number;
  open(): void;
  close(): Promise<void>;
};

export async function startBackend(label: string, host = "127.0.0.1"): Promise<Backend> {
  const seen = new Map<string, number>();
  const heads: { url: string; headers: IncomingMessage["headers"]; raw: string[] }[] = [];
  const sockets = new Set<Socket>();
  let gate: ServerResponse[] = [];
  const server = createServer((req, res) => {
    const url = new URL(req.url ?? "/", "http://backend");
    note(req, url.pathname);
    if (url.pathname === "/die") return void req.socket.destroy();
    if (url.pathname === "/gate") return void gate.push(res);
    if (url.pathname === "/sse") {
      res.writeHead(200, { "Content-Type": "text/event-stream" });
      res.write(`data: ${label}\n\n`);
      const timer = setInterval(() => res.write(`data: ${label}\n\n`), 50);
      res.on("close", () => clearInterval(timer));
      return;
    }
    req.resume();
    req.on("end", () => {
      setTimeout(() => res.setHeader("X-Backend", label).end(label), Number(url.searchParams.get("ms") ?? 0));
    });
  });
  server.keepAliveTimeout = 30_000;
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  server.on("upgrade", (req: IncomingMessage, socket: Duplex) => {
    note(req, "/websocket");
    const accept = createHash("sha1").update(`${req.headers["sec-websocket-key"]}${webSocketGuid}`).digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.on("error", () => socket.destroy()).pipe(socket);
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, host, resolve));

  function note(req: IncomingMessage, path: string): void {
    const key = `${req.method} ${path}`;
    seen.set(key, (seen.get(key) ?? 0) + 1);
    heads.push({ url: req.url ?? "", headers: req.headers, raw: req.rawHeaders });
    if (heads.length > 50) heads.shift();
  }

  return {
    label,
    address: `${host}:${(server.address() as AddressInfo).port}`,
    seen,
    heads,
    waiting: () => gate.length,
    open() {
      for (const res of gate) res.end(label);
      gate = [];
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

/** RFC 6455 §1.3. */
const webSocketGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
