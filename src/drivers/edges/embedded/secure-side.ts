import { createServer, type Server, type ServerOptions } from "node:https";
import type { TLSSocket } from "node:tls";
import type { CertificateStatus, EdgeConfig, TlsConfig } from "../../../ports/edge.ts";
import { Certificates, secureBase } from "./certificates.ts";
import type { Http1Outgoing } from "./http1-outgoing.ts";
import { Http2Sessions } from "./http2-sessions.ts";
import type { Traffic } from "./traffic.ts";

/**
 * How often files are looked at. Asked by time, not by inotify: certbot swaps links in another folder, and some file
 * systems of containers tell nothing.
 */
const lookEveryMs = 1000;

/**
 * TLS in front of a listener: an HTTPS server whose HTTP/1.1 is served as on a plain port, and which hands connections
 * that agreed on HTTP/2 over to `Http2Sessions`.
 */
export class SecureSide {
  readonly server: Server<typeof import("node:http").IncomingMessage, typeof Http1Outgoing>;
  readonly #certificates = new Certificates();
  readonly #http2: Http2Sessions;
  readonly #serveHttp1: (socket: TLSSocket) => void;
  #tls: TlsConfig;
  #ticketKey: Buffer;
  #look: NodeJS.Timeout | null = null;
  #reading: Promise<void> = Promise.resolve();

  constructor(
    tls: TlsConfig,
    options: ServerOptions<typeof import("node:http").IncomingMessage, typeof Http1Outgoing>,
    {
      traffic,
      listener,
      ticketKey,
    }: { readonly traffic: Traffic; readonly listener: string; readonly ticketKey: Buffer },
  ) {
    this.#tls = tls;
    this.#ticketKey = ticketKey;
    this.#http2 = new Http2Sessions(traffic, listener);
    this.server = createServer({
      ...options,
      ...secureBase,
      ticketKeys: ticketKey,
      // Whoever connects and says nothing is not waited for longer than for the head of a request.
      handshakeTimeout: traffic.limits.headersTimeoutMs,
      SNICallback: (name, done) => {
        const context = this.#certificates.forHost(name);
        if (context === null) done(new Error(`no certificate for ${name}`));
        else done(null, context);
      },
      ALPNCallback: ({ protocols }) => this.#agree(protocols),
    });
    // node:https has put its own HTTP/1.1 there; the choice is made in front of it.
    const [serveHttp1] = this.server.listeners("secureConnection") as ((socket: TLSSocket) => void)[];
    if (serveHttp1 === undefined) throw new Error("node:https serves no secure connections");
    this.#serveHttp1 = serveHttp1.bind(this.server);
    this.server.removeAllListeners("secureConnection");
    this.server.on("secureConnection", (socket) => this.take(socket));
    // A handshake that failed has nobody to read a page.
    this.server.removeAllListeners("tlsClientError");
    this.server.on("tlsClientError", (_error, socket) => socket.destroy());
  }

  /** A connection after its handshake, or one whose wish for another protocol was not heard. */
  take(socket: TLSSocket): void {
    if (socket.alpnProtocol === "h2") this.#http2.take(socket);
    else this.#serveHttp1(socket);
  }

  /** Reads the certificates, and again whenever they change until `close`. */
  async watch(): Promise<void> {
    await this.read();
    this.#look ??= setInterval(() => void this.read(), lookEveryMs);
  }

  /** New connections get the newest certificates; the others keep what they began with. */
  read(): Promise<void> {
    const done = this.#reading.then(async () => {
      if (await this.#certificates.read(this.#tls.certificates)) this.#serve();
    });
    this.#reading = done.catch((error: unknown) => console.error("edge.certificates-unread", error));
    return this.#reading;
  }

  async change(tls: TlsConfig): Promise<void> {
    this.#tls = tls;
    await this.read();
  }

  limit(limits: EdgeConfig["limits"]): void {
    this.#http2.limit(limits);
  }

  /** Shared by all workers, so that a session that began at one goes on at another. */
  useTicketKey(key: Buffer): void {
    this.#ticketKey = key;
    this.server.setTicketKeys(key);
  }

  certificates(listener: string): CertificateStatus[] {
    return this.#certificates.status(listener, Date.now());
  }

  sayGoodbye(): void {
    if (this.#look !== null) clearInterval(this.#look);
    this.#http2.sayGoodbye();
  }

  closeIdle(): void {
    this.#http2.close();
  }

  #serve(): void {
    this.server.setSecureContext({ ...secureBase, ...this.#certificates.first, ticketKeys: this.#ticketKey });
  }

  /** RFC 7301 §3.2: undefined ends the handshake, because a client that speaks neither would not understand a word. */
  #agree(protocols: readonly string[]): string | undefined {
    if (this.#tls.http2 && protocols.includes("h2")) return "h2";
    return ["http/1.1", "http/1.0"].find((protocol) => protocols.includes(protocol));
  }
}
