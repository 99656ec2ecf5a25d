import { Attempt, type Failure } from "./attempt.ts";
import { BodyRelay } from "./body-relay.ts";
import { bucketOf, buckets, nextBucket } from "./buckets.ts";
import { chooseInstance, chooseSide, chosenSide } from "./choose.ts";
import type { Service, Side } from "./compiled.ts";
import type { Exchange } from "./exchange.ts";
import { refusals } from "./pages.ts";
import { newTraceparent } from "./trace.ts";
import type { Upstream } from "./upstream.ts";

/** First try included. */
const maxAttempts = 3;
/** RFC 9110 §9.2.2: sent twice they mean the same as sent once. */
const idempotent = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);
/**
 * A request that must not be sent twice only goes over a connection that was idle for less than this: when the service
 * closes a connection just as the request is written, nobody can know whether it was read. A second try always goes over
 * a new one, because a service that closed one idle connection has closed others too.
 */
const unsafeIdleMs = 500;
const stickyCookieAgeS = 30 * 86_400;

let bucket = Math.floor(Math.random() * buckets);

/** Passes the request on to the revision whose turn it is, and elsewhere when that is safe and the first has failed. */
export function proxy(exchange: Exchange): undefined {
  const service = serviceNow(exchange);
  if (service === null) return exchange.refuse(refusals.noInstance);
  const turn = chosenSide(service, askedFor(exchange, service)) ?? chooseSide(service, bucketFor(exchange, service));
  attempt(exchange, { service, turn, tried: none, anyRevision: true });
}

type Plan = {
  readonly service: Service;
  readonly turn: Side | null;
  readonly tried: readonly Upstream[];
  /** After a failed connection any revision may answer; after a lost one only the fallbacks. */
  readonly anyRevision: boolean;
};

const none: readonly Upstream[] = [];

function attempt(exchange: Exchange, plan: Plan): undefined {
  // The first try is made in the moment in which the request came, unless it was held.
  const nowMs = exchange.attempts === 0 && !exchange.held ? exchange.startedMs : performance.now();
  const choice = chooseInstance(plan.service, plan.turn, plan.tried, { nowMs, anyRevision: plan.anyRevision });
  if (choice === null) {
    const blame = plan.turn?.revision;
    return exchange.refuse(refusals.noInstance, { headers: retrySoon, ...(blame === undefined ? {} : { blame }) });
  }
  // Passed over as a whole because it could not be connected to a moment ago: one more request it failed.
  if (plan.tried.length === 0 && plan.turn !== null && choice.side !== plan.turn)
    plan.turn.revision.counts.connectErrors += 1;

  exchange.attempts += 1;
  const { req, head, traffic, policy } = exchange;
  const method = req.method ?? "GET";
  const limit = policy?.bodyBytes ?? traffic.limits.bodyBytes;
  const body = head.hasBody ? new BodyRelay(req, limit, () => askForBody(exchange)) : null;
  const now = new Attempt(exchange, choice, body, (failure) => failed(exchange, plan, now, { failure, body }));
  exchange.stop = now;
  const sent = now.send(
    {
      path: exchange.forward,
      method: method as "GET",
      headers: head.headers,
      body,
      upgrade: head.upgrade === "" ? null : "websocket",
    },
    { nowMs, idleMs: exchange.attempts > 1 ? 0 : idempotent.has(method) ? Number.POSITIVE_INFINITY : unsafeIdleMs },
  );
  if (!sent) exchange.refuse(refusals.tooBusy, { headers: retrySoon, blame: choice.side.revision });
}

function failed(
  exchange: Exchange,
  plan: Plan,
  last: Attempt,
  { failure, body }: { failure: Failure; body: BodyRelay | null },
): undefined {
  if (exchange.over) return;
  const { upstream, side } = last.choice;
  const blame = (plan.turn ?? side).revision;
  if (failure.kind === "body-too-large") return exchange.refuse(refusals.bodyTooLarge);
  if (failure.kind === "bad-request") return exchange.refuse(refusals.badMessage);
  if (failure.kind === "timeout") return exchange.refuse(refusals.slowService, { blame });
  if (failure.kind === "garbled") return exchange.refuse(refusals.garbled, { blame });

  const safe =
    failure.kind === "not-connected" ||
    (idempotent.has(exchange.req.method ?? "") && body?.used !== true && exchange.head.upgrade === "");
  if (safe && exchange.attempts < maxAttempts) {
    const service = serviceNow(exchange) ?? plan.service;
    const tried = [...plan.tried, upstream];
    // By the newest table: the instance may be gone because its service has just been switched over.
    const next: Plan = {
      service,
      turn: sameSide(service, plan.turn),
      tried,
      anyRevision: failure.kind === "not-connected",
    };
    const elsewhere = chooseInstance(service, next.turn, tried, { nowMs: 0, anyRevision: next.anyRevision });
    if (elsewhere !== null) return attempt(exchange, next);
    // The connection was closed in the moment it was used again, as idle ones are: the same instance is asked once more.
    if (failure.kind === "lost" && plan.tried.length === 0) return attempt(exchange, { ...next, tried: none });
  }
  exchange.refuse(failure.kind === "lost" ? refusals.broken : refusals.unreachable, { blame });
}

const retrySoon = ["Retry-After", "1"];

function serviceNow({ route, traffic }: Exchange): Service | null {
  return route === null ? null : (traffic.table?.services.get(route.service.name) ?? null);
}

function sameSide(service: Service, turn: Side | null): Side | null {
  const all = [...service.weighted, ...service.fallbacks];
  return all.find((side) => side.revision === turn?.revision) ?? service.weighted[0] ?? null;
}

function askForBody(exchange: Exchange): void {
  if (!exchange.head.expectsContinue || exchange.continued) return;
  exchange.continued = true;
  exchange.res.askForBody();
}

function bucketFor(exchange: Exchange, { sticky }: Service): number {
  if (sticky !== null) {
    if ("cookie" in sticky)
      return bucketOf(cookieOf(exchange.head.cookie, sticky.find) ?? giveCookie(exchange, sticky.cookie));
    const value = exchange.req.headers[sticky.header];
    if (value !== undefined) return bucketOf(String(value));
  }
  bucket = nextBucket(bucket);
  return bucket;
}

function askedFor({ head, req }: Exchange, { optIn }: Service): string | null {
  if (optIn === null) return null;
  if ("find" in optIn) return cookieOf(head.cookie, optIn.find);
  const value = req.headers[optIn.header];
  return value === undefined ? null : String(value);
}

function giveCookie(exchange: Exchange, name: string): string {
  const key = newTraceparent().slice(3, 35);
  const secure = exchange.head.scheme === "https" ? "; Secure" : "";
  exchange.newCookie = `${name}=${key}; Path=/; Max-Age=${stickyCookieAgeS}; HttpOnly; SameSite=Lax${secure}`;
  return key;
}

/** The value of the cookie that `find` (its name and an equals sign) begins; null when it is not there or empty. */
export function cookieOf(cookies: string, find: string): string | null {
  let at = cookies.indexOf(find);
  while (at > 0 && cookies[at - 1] !== " " && cookies[at - 1] !== ";") at = cookies.indexOf(find, at + 1);
  if (at === -1) return null;
  const end = cookies.indexOf(";", at);
  const value = cookies.slice(at + find.length, end === -1 ? undefined : end).trim();
  return value === "" ? null : value;
}
