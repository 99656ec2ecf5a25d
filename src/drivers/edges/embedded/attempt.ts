import type { Duplex } from "node:stream";
import { type Dispatcher, errors } from "undici";
import { readAnswer, readTrailers } from "./answer-head.ts";
import { type BodyRelay, BodyTooLarge } from "./body-relay.ts";
import type { Choice } from "./choose.ts";
import type { Lease } from "./clients.ts";
import { answersFor, type Exchange } from "./exchange.ts";
import { tunnel } from "./tunnel.ts";

/**
 * Why an attempt brought no answer. `not-connected`: nothing was sent, so any request may be tried elsewhere. `lost`: the
 * connection ended before the first byte of an answer. The last two are the client's fault.
 */
export type Failure = {
  readonly kind: "not-connected" | "lost" | "timeout" | "garbled" | "bad-request" | "body-too-large";
  readonly error: Error;
};

export type OnFailure = (failure: Failure) => void;

/**
 * One try to get an answer from one instance. undici's first handler interface, because it hands over raw headers; the
 * newer one parses them into an object first, which costs microseconds a request. Plain private fields for the same reason: this
 * is made for each request, and `#` fields are defined one by one.
 */
export class Attempt implements Dispatcher.DispatchHandler {
  readonly choice: Choice;
  private readonly exchange: Exchange;
  private readonly body: BodyRelay | null;
  private readonly onFailure: OnFailure;
  private abort: ((error?: Error) => void) | null = null;
  private sent = false;
  private answering = false;
  private inFlight = true;
  private stopped = false;
  private left = -1;
  private stall: NodeJS.Timeout | null = null;
  private resume: (() => void) | null = null;
  private inStream = false;
  private lease: Lease | null = null;

  constructor(exchange: Exchange, choice: Choice, body: BodyRelay | null, onFailure: OnFailure) {
    this.exchange = exchange;
    this.choice = choice;
    this.body = body;
    this.onFailure = onFailure;
    choice.upstream.inflight += 1;
    choice.side.revision.enter();
  }

  /** False when the instance has too many connections already; then nothing was sent. */
  send(request: Dispatcher.DispatchOptions, when: { readonly nowMs: number; readonly idleMs: number }): boolean {
    this.lease = this.choice.upstream.take(when.nowMs, when);
    if (this.lease === null) {
      this.stopped = true;
      this.leave();
      return false;
    }
    this.lease.client.dispatch(request, this);
    return true;
  }

  /** The client has left, or the answer is no longer wanted: the instance is told at once. */
  stop(): void {
    if (this.stopped) return;
    this.stopped = true;
    this.leave();
    if (this.abort !== null) this.abort();
    this.body?.destroy();
  }

  onConnect(abort: (error?: Error) => void): void {
    this.sent = true;
    if (this.stopped) abort();
    else this.abort = abort;
  }

  onResponseStarted(): void {
    this.answering = true;
  }

  onHeaders(status: number, raw: Buffer[], resume: () => void): boolean {
    const exchange = this.exchange;
    if (this.stopped) return true;
    if (status < 200) {
      this.inform(status, raw);
      return true;
    }
    this.choice.upstream.reached();
    const { res, policy } = exchange;
    if (policy === null) return true;
    const ownCors = policy.cors !== null && exchange.head.origin !== "";
    const answer = readAnswer(raw, answersFor(policy, exchange.head), ownCors);
    exchange.status = status;
    exchange.firstByteMs = performance.now() - exchange.startedMs;
    exchange.served = this.choice;
    // A client that waits for "100 Continue" and gets an answer may or may not send the body: nothing after it can be read.
    if (exchange.traffic.leaving || (exchange.head.expectsContinue && !exchange.continued))
      answer.headers.push("Connection", "close");
    res.head(status, answer.headers, answer.lines + exchange.ownLines());
    if (answer.eventStream) this.openStream(status);
    this.left = exchange.req.method === "HEAD" ? -1 : answer.contentLength;
    this.resume = resume;
    // An answer whose first byte is late (an event stream before its first event) is announced now.
    if (answer.eventStream) res.flushHeaders();
    return true;
  }

  onData(chunk: Buffer): boolean {
    if (this.stopped) return true;
    const exchange = this.exchange;
    const { res } = exchange;
    exchange.bytes += chunk.length;
    // The last piece of a known length ends the answer: one write instead of two.
    if (this.left === chunk.length) {
      this.left = 0;
      res.last(chunk);
      return true;
    }
    this.left -= chunk.length;
    if (res.write(chunk)) return true;
    this.waitForClient();
    return false;
  }

  onComplete(trailers: readonly Buffer[] | readonly string[] | null): void {
    this.giveBack();
    if (this.stopped) return;
    this.stopped = true;
    const exchange = this.exchange;
    if (!exchange.res.writableEnded) {
      if (trailers !== null && trailers.length > 0 && exchange.head.takesTrailers)
        exchange.res.trailers(readTrailers(trailers as readonly Buffer[]));
      exchange.res.end();
    }
    this.answered();
    this.leave();
    this.endStream();
    // An answer that came before the whole body was read: the rest is nobody's.
    this.body?.destroy();
    exchange.end();
  }

  onUpgrade(status: number, raw: Buffer[] | string[] | null, socket: Duplex): void {
    const exchange = this.exchange;
    this.giveBack();
    if (this.stopped || exchange.policy === null) {
      socket.destroy();
      return;
    }
    this.stopped = true;
    this.choice.upstream.reached();
    exchange.status = status;
    exchange.firstByteMs = performance.now() - exchange.startedMs;
    exchange.served = this.choice;
    const { headers, lines } = readAnswer(raw as Buffer[], answersFor(exchange.policy, exchange.head), false);
    this.choice.side.revision.counts.answered(status, exchange.firstByteMs);
    this.leave();
    tunnel(exchange, this.choice.side.revision, { status, headers, lines, socket });
  }

  onError(error: Error): void {
    // Not for the next request: this one may have left its connection in any state.
    this.lease?.drop();
    this.lease = null;
    if (this.stopped) return;
    this.stopped = true;
    this.leave();
    this.endStream();
    const exchange = this.exchange;
    const { counts } = this.choice.side.revision;
    if (exchange.res.headersSent) {
      // Cut off in the middle of an answer: the client must see that, not a clean end.
      counts.upstreamErrors += 1;
      if (this.inStream) exchange.close();
      else {
        counts.answered(exchange.status, exchange.firstByteMs);
        exchange.close();
      }
      return;
    }
    const failure = this.failure(error);
    if (failure.kind === "not-connected") {
      counts.connectErrors += 1;
      this.choice.upstream.notReached(performance.now());
    } else if (failure.kind !== "bad-request" && failure.kind !== "body-too-large") counts.upstreamErrors += 1;
    this.onFailure(failure);
  }

  /** Cut by an operator, after the limit for streams of a drained revision. */
  cut(): void {
    this.stop();
    this.exchange.close();
  }

  private failure(error: Error): Failure {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "UND_ERR_INVALID_ARG" || code === "UND_ERR_NOT_SUPPORTED") return { kind: "bad-request", error };
    if (error instanceof BodyTooLarge) return { kind: "body-too-large", error };
    if (!this.sent) return { kind: "not-connected", error };
    if (error instanceof errors.HeadersTimeoutError) return { kind: "timeout", error };
    if (this.answering || code?.startsWith("HPE_") === true || code === "UND_ERR_HEADERS_OVERFLOW")
      return { kind: "garbled", error };
    return { kind: "lost", error };
  }

  /** 103 Early Hints and 102 Processing are passed on (RFC 9110 §15.2); anything else of that class means nothing to us. */
  private inform(status: number, raw: readonly Buffer[]): void {
    const { res } = this.exchange;
    if (res.headersSent) return;
    if (status === 102) res.stillWorking();
    if (status !== 103) return;
    const links: string[] = [];
    for (let index = 0; index + 1 < raw.length; index += 2)
      if (raw[index]?.toString("latin1").toLowerCase() === "link") links.push(raw[index + 1]?.toString("latin1") ?? "");
    try {
      if (links.length > 0) res.hint(links);
    } catch {
      // Hints that Node finds malformed are hints that are not passed on.
    }
  }

  private answered(): void {
    const exchange = this.exchange;
    if (!this.inStream) this.choice.side.revision.counts.answered(exchange.status, exchange.firstByteMs);
  }

  /** An event stream is counted when it begins: nobody can wait for its end, and a drain does not. */
  private openStream(status: number): void {
    const { revision } = this.choice.side;
    revision.counts.answered(status, this.exchange.firstByteMs);
    this.inStream = true;
    revision.streams.add(this);
    this.leave();
  }

  private endStream(): void {
    if (this.inStream) this.choice.side.revision.streams.delete(this);
  }

  private giveBack(): void {
    this.lease?.done(performance.now());
    this.lease = null;
  }

  private leave(): void {
    if (this.stall !== null) clearTimeout(this.stall);
    if (!this.inFlight) return;
    this.inFlight = false;
    this.choice.upstream.inflight -= 1;
    this.choice.side.revision.leave();
  }

  /** The service is not read from until the client has taken what is there; a client that takes nothing is let go. */
  private waitForClient(): void {
    const { res, traffic } = this.exchange;
    this.stall = setTimeout(() => res.cut(), traffic.limits.requestTimeoutMs);
    res.once("drain", () => {
      if (this.stall !== null) clearTimeout(this.stall);
      if (!this.stopped) this.resume?.();
    });
  }

  /** The client left before its answer was whole. */
  leftByClient(): void {
    const { counts } = this.choice.side.revision;
    if (!this.inStream) counts.clientAborts += 1;
    this.endStream();
    this.stop();
  }
}
