import type { IncomingHttpHeaders } from "node:http";
import type { Socket } from "node:net";

/**
 * A client's request and the way to answer it, in whatever version of HTTP it came. The pipeline knows these two and
 * nothing else of the client's side; node:http's own request is an `Incoming` as it is, so HTTP/1.1 pays nothing for it.
 */
export interface Incoming {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: IncomingHttpHeaders;
  /** All of its body has come. */
  readonly complete: boolean;
  on(event: "data", take: (chunk: Buffer) => void): unknown;
  on(event: "end", end: () => void): unknown;
  off(event: "data", take: (chunk: Buffer) => void): unknown;
  off(event: "end", end: () => void): unknown;
  pause(): unknown;
  resume(): unknown;
}

export interface Outgoing {
  /** The head is on its way: another answer is no longer possible. */
  readonly headersSent: boolean;
  readonly writableEnded: boolean;
  /**
   * `lines` are ready-made (`Name: value\r\n` each), of values known to be sound. `headers` is name, value, name, value, …
   */
  head(status: number, headers: readonly string[], lines: string): void;
  /** Sends the head now, although no byte of the body is there. */
  flushHeaders(): void;
  /** False when the client has not taken what is there; then `drain` comes. */
  write(chunk: Buffer): boolean;
  /** The last piece of a body whose length the head has told. */
  last(chunk: Buffer): void;
  /** Fields behind the body, before `end`; name, value, name, value, …. Left out where the client cannot read them. */
  trailers(fields: readonly string[]): void;
  end(body?: string): unknown;
  once(event: "drain", go: () => void): unknown;
  /** Asks for the body that the client has announced (`Expect: 100-continue`). */
  askForBody(): void;
  /** 102: the service is still at it. */
  stillWorking(): void;
  /** 103 Early Hints. */
  hint(links: readonly string[]): void;
  /** After an answer with an unread body: the client gets the answer before its connection ends. */
  endPatiently(): void;
  /** What is left of the body is nobody's. */
  discardBody(): void;
  /** Hands over the connection itself, for a WebSocket; null where requests share one. */
  detach(): Socket | null;
  /** Broken off without a proper end, so that the client sees that something is missing. */
  cut(): void;
}
