import {
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { TLSSocket } from "node:tls";
import type { EdgeConfig } from "../../../ports/edge.ts";
import { serve } from "./admit.ts";
import { connectionOf } from "./connection.ts";
import { Exchange } from "./exchange.ts";
import { breakOff, Http2Incoming, Http2Outgoing } from "./http2-exchange.ts";
import { readHttp2Head } from "./http2-head.ts";
import { readHead } from "./request-head.ts";
import type { Traffic } from "./traffic.ts";

/** Requests of one client at the same time; the least that RFC 9113 §6.5.2 recommends is 100. */
const maxStreams = 128;
/** What a client may send before it is read: for one request, and for all of a connection together. */
const streamWindowBytes = 262_144;
const sessionWindowBytes = 1_048_576;
/** Memory of one session, frames and headers that wait included; Node counts in MB. */
const sessionMemoryMb = 16;
const maxHeaders = 512;
const maxSettings = 32;
const maxWaitingPings = 10;
const maxInvalidFrames = 100;
const maxRejectedStreams = 100;
const lastCallMs = 1000;
/**
 * Streams that end without their answer, by the client's doing or by an error that it provoked (CVE-2023-44487,
 * CVE-2025-8671): more in a window of time are an attack. A person who leaves a page with all its pictures makes some tens.
 */
const maxBrokenStreams = 200;
const brokenWindowMs = 10_000;
/** The highest number a stream can have: "nothing new, please", and yet everything that comes is served (RFC 9113 §6.8). */
const lastPossibleStream = 2 ** 31 - 1;

/** `open`: requests without a whole answer. `idle` runs while there are none, whatever frames the client sends to look busy. */
type Session = { broken: number; windowEndsMs: number; open: number; readonly idle: NodeJS.Timeout };

/** The connections of one listener that speak HTTP/2. Each request goes the way of HTTP/1.1's. */
export class Http2Sessions {
  readonly #traffic: Traffic;
  readonly #listener: string;
  readonly #server: Http2Server;
  readonly #sessions = new Map<ServerHttp2Session, Session>();
  #leaving = false;

  constructor(traffic: Traffic, listener: string) {
    this.#traffic = traffic;
    this.#listener = listener;
    // Never listens: it is given connections after their handshake.
    this.#server = createServer({
      settings: { maxConcurrentStreams: maxStreams, initialWindowSize: streamWindowBytes },
      maxSessionMemory: sessionMemoryMb,
      maxHeaderListPairs: maxHeaders,
      maxSettings,
      maxOutstandingPings: maxWaitingPings,
      maxSessionInvalidFrames: maxInvalidFrames,
      maxSessionRejectedStreams: maxRejectedStreams,
    });
    this.#server
      .on("session", (session) => this.#begun(session))
      .on("stream", (stream, headers, _flags, rawHeaders?: string[]) => this.#asked(stream, headers, rawHeaders ?? []))
      // The session goes by itself, and its streams with it.
      .on("sessionError", () => undefined);
    this.limit(traffic.limits);
  }

  /** Takes effect for new connections. */
  limit(limits: EdgeConfig["limits"]): void {
    this.#server.updateSettings({
      maxConcurrentStreams: maxStreams,
      initialWindowSize: streamWindowBytes,
      maxHeaderListSize: limits.headerBytes,
    });
  }

  /** A connection whose handshake has agreed on HTTP/2. */
  take(socket: TLSSocket): void {
    this.#server.emit("connection", socket);
  }

  /** Asks clients to open no more requests here, and serves those that still come. */
  sayGoodbye(): void {
    this.#leaving = true;
    for (const session of this.#sessions.keys()) goodbye(session);
  }

  /** Ends each connection with its last request. */
  close(): void {
    for (const session of this.#sessions.keys()) session.close();
  }

  #begun(session: ServerHttp2Session): void {
    const idle = setTimeout(() => {
      const { open } = state;
      if (open > 0) return;
      goodbye(session);
      // A request that is on its way in this moment is still served.
      setTimeout(() => session.close(), lastCallMs);
    }, this.#traffic.limits.idleTimeoutMs);
    const state: Session = { broken: 0, windowEndsMs: 0, open: 0, idle };
    this.#sessions.set(session, state);
    session.on("close", () => {
      clearTimeout(idle);
      this.#sessions.delete(session);
    });
    session.on("error", () => undefined);
    session.setLocalWindowSize(sessionWindowBytes);
    if (this.#leaving || this.#traffic.leaving) goodbye(session);
  }

  #asked(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, raw: readonly string[]): void {
    stream.on("error", () => undefined);
    const session = stream.session as ServerHttp2Session | undefined;
    const state = session === undefined ? undefined : this.#sessions.get(session);
    if (session === undefined || state === undefined) {
      stream.close(constants.NGHTTP2_REFUSED_STREAM);
      return;
    }
    state.open += 1;

    const traffic = this.#traffic;
    const { requestTimeoutMs } = traffic.limits;
    const connection = connectionOf(session.socket, traffic.trusted);
    const http2 = readHttp2Head(raw, stream.endAfterHeaders);
    const head = readHead(http2.raw, true, connection, traffic.trusted);
    head.refusal = http2.refusal ?? head.refusal;
    const req = new Http2Incoming(stream, { ...http2, headers });
    const res = new Http2Outgoing(stream, requestTimeoutMs);
    const exchange = new Exchange(traffic, connection, { req, res, head });
    if (stream.endAfterHeaders) stream.resume();
    else limitBody(stream, requestTimeoutMs);
    stream.on("close", () => {
      state.open -= 1;
      if (state.open === 0 && !session.destroyed) state.idle.refresh();
      const broken = !exchange.over || stream.rstCode !== constants.NGHTTP2_NO_ERROR;
      // A proxy in front carries the requests of many, who may all leave at once.
      if (broken && !res.wasCut && !connection.trusted) this.#broken(session, state);
      exchange.clientLeft();
    });
    serve(exchange, this.#listener);
  }

  #broken(session: ServerHttp2Session, state: Session): void {
    const nowMs = performance.now();
    if (nowMs > state.windowEndsMs) {
      state.broken = 0;
      state.windowEndsMs = nowMs + brokenWindowMs;
    }
    state.broken += 1;
    if (state.broken <= maxBrokenStreams || session.destroyed) return;
    session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    session.destroy();
  }
}

/** A body that does not come is not waited for. */
function limitBody(stream: ServerHttp2Stream, withinMs: number): void {
  const timer = setTimeout(() => breakOff(stream), withinMs);
  const done = (): void => clearTimeout(timer);
  stream.once("end", done).once("close", done);
}

function goodbye(session: ServerHttp2Session): void {
  if (!session.destroyed && !session.closed) session.goaway(constants.NGHTTP2_NO_ERROR, lastPossibleStream);
}
