import type { Choice } from "./choose.ts";
import type { AnswerNames, CompiledRoute, Policy } from "./compiled.ts";
import type { Connection } from "./connection.ts";
import { corsLines } from "./cors.ts";
import type { Incoming, Outgoing } from "./outgoing.ts";
import { page } from "./pages.ts";
import type { RateVerdict } from "./rate-limit.ts";
import type { Refusal, RequestHead } from "./request-head.ts";
import type { Revision } from "./revision.ts";
import type { Traffic } from "./traffic.ts";
import { headerLine } from "./write-head.ts";

/** What is under way for a request, told that its client has left. */
export type Stoppable = { leftByClient(): void };

/**
 * One request and its answer, from the client's side. It ends exactly once: answered by a service (`end`), by the edge
 * (`refuse`, `answer`), or because the client or an operator broke it off (`close`).
 */
export class Exchange {
  readonly traffic: Traffic;
  readonly req: Incoming;
  readonly res: Outgoing;
  readonly head: RequestHead;
  readonly at = Date.now();
  readonly startedMs = performance.now();
  /** What routes are matched against; empty until it was read. */
  path = "";
  forward = "";
  route: CompiledRoute | null = null;
  policy: Policy | null = null;
  rate: RateVerdict | null = null;
  /** Set when the edge gives the client a key that keeps it on one revision. */
  newCookie = "";
  served: Choice | null = null;
  attempts = 0;
  status = 0;
  code = "";
  bytes = 0;
  firstByteMs = 0;
  over = false;
  /** It has waited in a hold. */
  held = false;
  /** The client was asked to send the body it had announced. */
  continued = false;
  /** What to stop when the client leaves: an attempt at an instance, a place in a queue. */
  stop: Stoppable | null = null;

  private readonly connection: Connection;

  constructor(
    traffic: Traffic,
    connection: Connection,
    { req, res, head }: { readonly req: Incoming; readonly res: Outgoing; readonly head: RequestHead },
  ) {
    this.traffic = traffic;
    this.connection = connection;
    this.req = req;
    this.res = res;
    this.head = head;
    connection.begin(this);
  }

  /** What the edge says in every answer of the route, as header lines. */
  ownLines(): string {
    const { rate, policy } = this;
    let lines = `X-Trace-Id: ${this.head.traceId}\r\n`;
    if (policy !== null) {
      if (policy.cors !== null && this.head.origin !== "") lines += corsLines(policy.cors, this.head.origin);
      if (rate !== null && policy.limiter !== null)
        lines += `X-RateLimit-Limit: ${policy.limiter.limit}\r\nX-RateLimit-Remaining: ${rate.remaining}\r\nX-RateLimit-Reset: ${rate.resetS}\r\n`;
    }
    if (this.newCookie !== "") lines += headerLine("Set-Cookie", this.newCookie);
    return lines;
  }

  /** Answers with a page of the edge's own. `blame`: the revision in whose name it is, when it failed to answer. */
  refuse(
    refusal: Refusal,
    options: { readonly headers?: readonly string[]; readonly blame?: Revision } = {},
  ): undefined {
    const { type, body } = page(refusal, this.head.traceId, String(this.req.headers.accept ?? ""));
    this.code = refusal.code;
    this.answer(
      refusal.status,
      ["Content-Type", type, "Cache-Control", "no-store", ...(options.headers ?? [])],
      body,
      options.blame,
    );
  }

  /** Answers without a service. */
  answer(status: number, headers: readonly string[], body: string, blame?: Revision): undefined {
    const { res, req } = this;
    if (this.over) return;
    if (res.headersSent) return this.close();
    const all = [...headers];
    if (this.traffic.leaving) all.push("Connection", "close");
    const bytes = Buffer.byteLength(body);
    if (status !== 204) all.push("Content-Length", String(bytes));
    this.status = status;
    this.bytes = req.method === "HEAD" ? 0 : bytes;
    this.firstByteMs = performance.now() - this.startedMs;
    // A request whose framing or body was refused may go on with bytes that must not be read as the next request.
    if (unreliable(this) && !this.traffic.leaving) {
      all.push("Connection", "close");
      res.endPatiently();
    }
    res.head(
      status,
      all,
      this.ownLines() + (this.policy === null ? "" : missingLines(all, answersFor(this.policy, this.head))),
    );
    res.end(req.method === "HEAD" ? undefined : body);
    if (blame === undefined) this.traffic.unrouted += 1;
    else blame.counts.answered(status, this.firstByteMs);
    this.finish(false);
  }

  /** The service's answer has been handed over in full. */
  end(): void {
    if (this.over) return;
    this.finish(false);
  }

  /** Broken off: the connection is closed without a proper end, so that the client sees that something is missing. */
  close(): undefined {
    this.res.cut();
    if (!this.over) this.finish(true);
  }

  /** The connection is gone before the answer was whole. */
  clientLeft(): void {
    if (this.over) return;
    this.status ||= clientClosedRequest;
    this.stop?.leftByClient();
    if (!this.over) this.finish(true);
  }

  private finish(aborted: boolean): void {
    this.over = true;
    this.stop = null;
    this.connection.finish(this);
    const { req, res, head, traffic } = this;
    if (head.hasBody && !req.complete && !aborted) res.discardBody();
    traffic.log?.write(this, { ms: performance.now() - this.startedMs, aborted });
  }
}

/** nginx's number for it; only ever in the log. */
const clientClosedRequest = 499;

function unreliable({ req, head, continued }: Exchange): boolean {
  if (head.refusal !== null) return true;
  return (
    head.hasBody && !req.complete && (head.contentLength > discardableBytes || (head.expectsContinue && !continued))
  );
}

/** A refused body up to this size is read away, and the connection goes on. */
const discardableBytes = 1_048_576;

/** What is added to answers of this request: `Strict-Transport-Security` only where it came over TLS (RFC 6797 §7.2). */
export function answersFor(policy: Policy, { scheme }: RequestHead): AnswerNames {
  return scheme === "https" ? policy.answers : policy.plainAnswers;
}

function missingLines(headers: readonly string[], answers: AnswerNames): string {
  const there = new Set(headers.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase()));
  return answers.defaults.filter((line) => !there.has(line.slice(0, line.indexOf(":")).toLowerCase())).join("");
}
