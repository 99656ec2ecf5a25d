import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import type { Incoming, Outgoing } from "./outgoing.ts";
import { headerPairs } from "./write-head.ts";

/** A request that came as a stream of HTTP/2. */
export class Http2Incoming implements Incoming {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly #stream: ServerHttp2Stream;

  constructor(stream: ServerHttp2Stream, head: { method: string; target: string; headers: IncomingHttpHeaders }) {
    this.#stream = stream;
    this.method = head.method;
    this.url = head.target;
    this.headers = head.headers;
  }

  get complete(): boolean {
    return this.#stream.readableEnded;
  }

  on(event: "data" | "end", listener: ((chunk: Buffer) => void) | (() => void)): void {
    this.#stream.on(event, listener);
  }

  off(event: "data" | "end", listener: ((chunk: Buffer) => void) | (() => void)): void {
    this.#stream.off(event, listener);
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }
}

/** The answer on a stream of HTTP/2. What concerns a connection is for its session, which says goodbye with GOAWAY. */
export class Http2Outgoing implements Outgoing {
  /** It was the edge that broke it off. */
  wasCut = false;
  readonly #stream: ServerHttp2Stream;
  readonly #untakenMs: number;

  /** `untakenMs`: how long a client may leave the end of an answer untaken. */
  constructor(stream: ServerHttp2Stream, untakenMs: number) {
    this.#stream = stream;
    this.#untakenMs = untakenMs;
  }

  get headersSent(): boolean {
    return this.#stream.headersSent;
  }

  get writableEnded(): boolean {
    return this.#stream.writableEnded;
  }

  head(status: number, headers: readonly string[], lines: string): void {
    const fields: Record<string, string | string[]> & { [constants.HTTP2_HEADER_STATUS]: string } = Object.assign(
      Object.create(null),
      { [constants.HTTP2_HEADER_STATUS]: String(status) },
    );
    addFields(fields, headers);
    addFields(fields, headerPairs(lines));
    if (!this.#gone) this.#stream.respond(fields);
  }

  flushHeaders(): void {
    // `respond` has sent them.
  }

  write(chunk: Buffer): boolean {
    // A stream that ended with its head (HEAD, 204, 304) takes nothing more.
    return this.#gone || this.#stream.writableEnded || this.#stream.write(chunk);
  }

  last(chunk: Buffer): void {
    if (this.#gone || this.#stream.writableEnded) return;
    this.#stream.end(chunk);
    this.#mustBeTaken();
  }

  end(body?: string): void {
    if (this.#gone || this.#stream.writableEnded) return;
    if (body === undefined || body === "") this.#stream.end();
    else this.#stream.end(body);
    this.#mustBeTaken();
  }

  trailers(): void {
    // Node must be told of them with the head, when nobody knows yet whether there are any: they are left out.
  }

  once(event: "drain", go: () => void): void {
    this.#stream.once(event, go);
  }

  askForBody(): void {
    this.#interim({ ":status": 100 });
  }

  stillWorking(): void {
    this.#interim({ ":status": 102 });
  }

  hint(links: readonly string[]): void {
    this.#interim({ ":status": 103, link: [...links] });
  }

  endPatiently(): void {
    // Only the stream ends; its connection has no bytes in doubt.
  }

  /** RFC 9113 §8.1: the answer is whole, and the client is asked to stop sending without it being an error. */
  discardBody(): void {
    if (!this.#gone) this.#stream.close(constants.NGHTTP2_NO_ERROR);
  }

  detach(): Socket | null {
    return null;
  }

  cut(): void {
    if (this.#gone) return;
    this.wasCut = true;
    breakOff(this.#stream);
  }

  get #gone(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }

  #interim(headers: Record<string, number | string[]>): void {
    if (!this.#gone && !this.#stream.headersSent) this.#stream.additionalHeaders(headers);
  }

  /** A window that is never opened would keep the end of the answer in memory for ever. */
  #mustBeTaken(): void {
    const stream = this.#stream;
    stream.setTimeout(this.#untakenMs, () => breakOff(stream));
  }
}

/**
 * Resets a stream. `stream.close(code)` would say END_STREAM before RST_STREAM (Node 20 ends the writable side first), and
 * the client would take a broken answer for a whole one.
 */
export function breakOff(stream: ServerHttp2Stream): void {
  stream.destroy(new Error("broken off"));
}

/** RFC 9113 §8.2.2: they belong to a connection of HTTP/1.1. */
const connectionNames = new Set(["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"]);

function addFields(fields: Record<string, string | string[]>, pairs: readonly string[]): void {
  for (let index = 0; index + 1 < pairs.length; index += 2) {
    const name = (pairs[index] as string).toLowerCase();
    const value = pairs[index + 1] as string;
    if (connectionNames.has(name)) continue;
    const before = fields[name];
    if (before === undefined) fields[name] = value;
    // RFC 9110 §5.3: lists may be joined; cookies may not.
    else if (name === "set-cookie") fields[name] = [...(Array.isArray(before) ? before : [before]), value];
    else fields[name] = `${before}, ${value}`;
  }
}
