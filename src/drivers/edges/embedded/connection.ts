import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { type IpSet, plainIp } from "../../../lib/ip.ts";
import type { Exchange } from "./exchange.ts";

/** A client's connection: who is at the other end, and which of its requests are still open (several when pipelined). */
export class Connection {
  readonly ip: string;
  readonly scheme: "http" | "https";
  trusted: boolean;
  /** A request's framing was refused: where the next one begins is anybody's guess, so nothing more is read as one. */
  lost = false;
  private trust: IpSet;
  private open: Exchange | null = null;
  private others: Set<Exchange> | null = null;

  constructor(socket: Socket, trust: IpSet) {
    this.ip = plainIp(socket.remoteAddress ?? "");
    this.scheme = (socket as Partial<TLSSocket>).encrypted === true ? "https" : "http";
    this.trust = trust;
    this.trusted = trust.has(this.ip);
    socket.on("close", () => this.closed());
  }

  /** The trusted proxies may have changed since the connection was opened. */
  judge(trust: IpSet): void {
    if (this.trust === trust) return;
    this.trust = trust;
    this.trusted = trust.has(this.ip);
  }

  begin(exchange: Exchange): void {
    if (this.open === null) this.open = exchange;
    else {
      this.others ??= new Set();
      this.others.add(exchange);
    }
  }

  finish(exchange: Exchange): void {
    if (this.open === exchange) this.open = null;
    else this.others?.delete(exchange);
  }

  private closed(): void {
    this.open?.clientLeft();
    for (const exchange of this.others ?? []) exchange.clientLeft();
  }
}

/** One listener a connection instead of one a request, and a property instead of a WeakMap: both showed in the profile. */
const key = Symbol("connection");
type Known = Socket & { [key]?: Connection };

export function connectionOf(socket: Socket, trust: IpSet): Connection {
  const known = (socket as Known)[key];
  if (known !== undefined) {
    known.judge(trust);
    return known;
  }
  const connection = new Connection(socket, trust);
  (socket as Known)[key] = connection;
  return connection;
}
