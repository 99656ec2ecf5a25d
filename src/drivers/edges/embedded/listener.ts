import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { Server as NetServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { CertificateStatus, EdgeConfig } from "../../../ports/edge.ts";
import { admit } from "./admit.ts";
import { connectionOf } from "./connection.ts";
import { Http1Outgoing } from "./http1-outgoing.ts";
import { page, refusals } from "./pages.ts";
import type { Refusal } from "./request-head.ts";
import { SecureSide } from "./secure-side.ts";
import type { Traffic } from "./traffic.ts";

/** How often node:http looks for requests that are too slow; its default of 30 s would make a limit of 10 s one of 40. */
const slowCheckMs = 250;
/** After a listener has closed, answers say `Connection: close` for so long; then what is idle is closed. */
export const farewellMs = 3000;

type Address = EdgeConfig["listeners"][number];

/** One address that clients connect to, in one worker. */
export class Listener {
  address: Address;
  /** Null speaks plain HTTP. */
  readonly #secure: SecureSide | null;
  readonly #server: Server<typeof IncomingMessage, typeof Http1Outgoing>;
  readonly #sockets = new Set<Socket>();
  readonly #traffic: Traffic;
  readonly #mayConnect: () => boolean;

  constructor(
    address: Address,
    traffic: Traffic,
    { mayConnect, ticketKey }: { readonly mayConnect: () => boolean; readonly ticketKey: Buffer },
  ) {
    this.address = address;
    this.#traffic = traffic;
    this.#mayConnect = mayConnect;
    const options = {
      ServerResponse: Http1Outgoing,
      connectionsCheckingInterval: slowCheckMs,
      // Checked by us, with a page; and duplicates too, which node:http lets pass.
      requireHostHeader: false,
      insecureHTTPParser: false,
      noDelay: true,
    };
    this.#secure =
      address.tls === null
        ? null
        : new SecureSide(address.tls, options, { traffic, listener: address.name, ticketKey });
    this.#server = this.#secure?.server ?? createServer(options);
    // No limit by number: headers beyond it would be left out without a word. Their bytes are limited.
    this.#server.maxHeadersCount = 0;
    this.limit(traffic.limits);
    const handle = (req: IncomingMessage, res: Http1Outgoing): void => admit(traffic, address.name, req, res);
    this.#server
      .on("request", handle)
      .on("checkContinue", handle)
      .on("checkExpectation", handle)
      .on("connection", (socket: Socket) => this.#connected(socket))
      .on("upgrade", (req: IncomingMessage, socket: Duplex, head: Buffer) => this.#upgrade(req, socket as Socket, head))
      .on("connect", (_req: IncomingMessage, socket: Duplex) => endWith(socket as Socket, refusals.badMethod))
      .on("clientError", (error: NodeJS.ErrnoException, socket: Duplex) => this.#unreadable(error, socket as Socket));
  }

  get connections(): number {
    return this.#sockets.size;
  }

  limit(limits: EdgeConfig["limits"]): void {
    const server = this.#server as Server & { maxHeaderSize: number };
    server.maxHeaderSize = limits.headerBytes;
    server.headersTimeout = limits.headersTimeoutMs;
    server.requestTimeout = limits.requestTimeoutMs;
    server.keepAliveTimeout = limits.idleTimeoutMs;
    this.#secure?.limit(limits);
  }

  /** The same address with other certificates or protocols: new connections get them. */
  async change(address: Address): Promise<void> {
    this.address = address;
    if (address.tls !== null) await this.#secure?.change(address.tls);
  }

  async readCertificates(): Promise<void> {
    await this.#secure?.read();
  }

  certificates(): CertificateStatus[] {
    return this.#secure?.certificates(this.address.name) ?? [];
  }

  useTicketKey(key: Buffer): void {
    this.#secure?.useTicketKey(key);
  }

  /** Rejects with the code of the system when the address cannot be had. */
  async open(): Promise<void> {
    await this.#secure?.watch();
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ host: this.address.host, port: this.address.port, backlog: 1024 }, () => {
        this.#server.off("error", reject);
        this.#server.on("error", () => undefined);
        resolve();
      });
    });
  }

  /**
   * Takes no new connections and leaves the others alone: `server.close()` of node:http would close idle ones at once,
   * in the moment in which a client may use them (71 to 100 resets in 20 restarts).
   */
  stopListening(): void {
    if (this.#server.listening) NetServer.prototype.close.call(this.#server);
    this.#secure?.sayGoodbye();
  }

  /** Closes connections that wait for a request. */
  closeIdle(): void {
    this.#server.closeIdleConnections();
    this.#secure?.closeIdle();
  }

  #connected(socket: Socket): void {
    if (this.#sockets.has(socket)) return;
    if (!this.#mayConnect()) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    // Under TLS this is the connection below; requests come on the one above.
    if (this.#secure === null) connectionOf(socket, this.#traffic.trusted);
  }

  /**
   * A WebSocket's handshake is a request like any other until it is answered. Any other upgrade (`h2c`) is a request
   * whose wish is not heard (RFC 9110 §7.8): clients like curl --http2 and Java's go on in HTTP/1.1.
   */
  #upgrade(req: IncomingMessage, socket: Socket, head: Buffer): void {
    socket.on("error", () => socket.destroy());
    if (isWebSocket(req)) {
      if (head.length > 0) socket.unshift(head);
      const res = new Http1Outgoing(req);
      res.shouldKeepAlive = false;
      res.assignSocket(socket);
      res.on("finish", () => socket.destroySoon());
      admit(this.#traffic, this.address.name, req, res);
      return;
    }
    socket.unshift(Buffer.concat([Buffer.from(withoutUpgrade(req), "latin1"), head]));
    if (this.#secure === null) this.#server.emit("connection", socket);
    else this.#secure.take(socket as TLSSocket);
  }

  #unreadable(error: NodeJS.ErrnoException, socket: Socket): void {
    const current = (socket as Socket & { _httpMessage?: ServerResponse | null })._httpMessage;
    // Nothing was said, or an answer has begun: a page would be noise, or would be read as part of the answer.
    if (!socket.writable || socket.bytesRead === 0 || current?.headersSent === true) {
      socket.destroy();
      return;
    }
    this.#traffic.unrouted += 1;
    endWith(socket, refusalFor(error));
  }
}

function refusalFor({ code }: NodeJS.ErrnoException): Refusal {
  if (code === "HPE_HEADER_OVERFLOW") return refusals.headersTooLarge;
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return refusals.slowRequest;
  return refusals.badMessage;
}

/** An answer to what could not be read as a request, and the end of its connection. */
function endWith(socket: Socket, refusal: Refusal): void {
  socket.on("error", () => socket.destroy());
  const { type, body } = page(refusal, "-", "");
  const allow = refusal.status === 405 ? "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n" : "";
  socket.end(
    `HTTP/1.1 ${refusal.status} ${refusal.code}\r\nContent-Type: ${type}\r\nContent-Length: ${body.length}\r\n${allow}Cache-Control: no-store\r\nConnection: close\r\n\r\n${body}`,
  );
  const timer = setTimeout(() => socket.destroy(), 1000);
  socket.once("close", () => clearTimeout(timer));
  socket.resume();
}

function isWebSocket(req: IncomingMessage): boolean {
  return req.method === "GET" && req.httpVersionMinor === 1 && req.headers.upgrade?.toLowerCase() === "websocket";
}

function withoutUpgrade(req: IncomingMessage): string {
  let text = `${req.method} ${req.url} HTTP/${req.httpVersion}\r\n`;
  for (let index = 0; index + 1 < req.rawHeaders.length; index += 2) {
    const name = req.rawHeaders[index] as string;
    const value = req.rawHeaders[index + 1] as string;
    const lower = name.toLowerCase();
    if (lower === "upgrade" || lower === "http2-settings") continue;
    if (lower === "connection") {
      const kept = value.split(",").filter((token) => !/^\s*(upgrade|http2-settings)\s*$/i.test(token));
      if (kept.length > 0) text += `Connection: ${kept.join(",")}\r\n`;
    } else text += `${name}: ${value}\r\n`;
  }
  return `${text}\r\n`;
}
