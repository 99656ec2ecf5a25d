import type { IncomingMessage } from "node:http";
import { chooseRoute } from "./choose.ts";
import type { ListenerRoutes, Policy } from "./compiled.ts";
import { connectionOf } from "./connection.ts";
import { preflightHeaders } from "./cors.ts";
import { Exchange } from "./exchange.ts";
import { type Host, readAbsoluteForm, readHost } from "./host.ts";
import type { Http1Outgoing } from "./http1-outgoing.ts";
import type { Incoming } from "./outgoing.ts";
import { refusals } from "./pages.ts";
import { guardedForm, isUnder, readPath, stripPrefix } from "./path.ts";
import { proxy } from "./proxy.ts";
import { readHead } from "./request-head.ts";
import type { Traffic } from "./traffic.ts";

/** A request in HTTP/1.1. */
export function admit(traffic: Traffic, listener: string, req: IncomingMessage, res: Http1Outgoing): undefined {
  const http11 = req.httpVersionMajor === 1 && req.httpVersionMinor === 1;
  const connection = connectionOf(req.socket, traffic.trusted);
  if (connection.lost) return;
  const head = readHead(req.rawHeaders, http11, connection, traffic.trusted);
  if (head.refusal !== null) connection.lost = true;
  serve(new Exchange(traffic, connection, { req, res, head }), listener);
}

/** Where a request goes: to a refusal, a redirect, a queue, or a service. The order of the checks is the order of the lines. */
export function serve(exchange: Exchange, listener: string): undefined {
  const { req, head } = exchange;
  try {
    if (req.method === "TRACE" || req.method === "CONNECT")
      return exchange.refuse(refusals.badMethod, { headers: allowed });
    if (head.refusal !== null) return exchange.refuse(head.refusal);
    const host = hostOf(head.host);
    if (host === null) return exchange.refuse(refusals.badHost);
    route(exchange, listener, host);
  } catch {
    // A bug of ours fails this request and nothing else.
    exchange.refuse(refusals.internal);
  }
}

const allowed = ["Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"];
const maintenanceRetryS = "60";

function route(exchange: Exchange, listener: string, host: Host): undefined {
  const { traffic, head, req } = exchange;
  const target = originForm(req.url ?? "/", host);
  if (target === null) return exchange.refuse(refusals.badAuthority);
  const path = readPath(target);
  if (path === null) return exchange.refuse(refusals.badPath);
  exchange.path = path.decision;
  // Before everything that may send it away: the CA asks every name the same way.
  if (traffic.challenges !== null && answersChallenge(exchange, traffic.challenges)) return;

  if (traffic.table === null) return exchange.refuse(refusals.noTable, { headers: ["Retry-After", "1"] });
  const routes = traffic.table.listeners.get(listener);
  if (routes === undefined) return exchange.refuse(refusals.noRoute);
  const redirect = routes.redirects.get(host.name);
  if (redirect !== undefined) return redirectHost(exchange, redirect, { listener, host, target });
  const found = chooseRoute(routes, host.name, path.decision);
  if (found === null) return exchange.refuse(knows(routes, host.name) ? refusals.noRoute : refusals.wrongHost);

  const { policy, service } = found;
  exchange.route = found;
  exchange.policy = policy;
  if (policy.redirectToHttps && head.scheme === "http")
    return exchange.answer(308, ["Location", `https://${host.name}${httpsPort(traffic, listener, host)}${target}`], "");
  if (policy.guards.length > 0 && !mayEnter(policy, path.decision, head.clientIp))
    return exchange.refuse(refusals.forbidden);
  if (policy.limiter !== null) {
    const verdict = policy.limiter.rate.take(head.clientIp, exchange.at);
    exchange.rate = verdict;
    if (!verdict.allowed)
      return exchange.refuse(refusals.tooManyRequests, {
        headers: ["Retry-After", String(Math.max(1, verdict.resetS))],
      });
  }
  if (policy.cors !== null && req.method === "OPTIONS" && head.origin !== "" && isPreflight(req))
    return exchange.answer(204, preflightHeaders(policy.cors, head.origin), "");
  if (service.mode === "maintenance")
    return exchange.refuse(refusals.maintenance, { headers: ["Retry-After", maintenanceRetryS] });
  if (head.contentLength > (policy.bodyBytes ?? traffic.limits.bodyBytes))
    return exchange.refuse(refusals.bodyTooLarge);

  exchange.forward = path.forward;
  if (found.strip && found.prefix !== "") {
    exchange.forward = stripPrefix(path, found.prefix);
    head.headers.push("x-forwarded-prefix", found.prefix);
  }
  if (service.mode === "asleep") return sleep(exchange, service.name);
  if (traffic.holds.none || !traffic.holds.has(service.name)) proxy(exchange);
  else hold(exchange, service.name);
}

/** The path and query of the request; null when an absolute form names another host than the Host header (RFC 9112 §3.2.2). */
function originForm(url: string, host: Host): string | null {
  if (url.charCodeAt(0) === 47) return url;
  if (url === "*") return "/";
  const absolute = readAbsoluteForm(url);
  if (absolute === null) return null;
  const named = hostOf(absolute.authority);
  return named !== null && named.name === host.name && named.port === host.port ? absolute.target : null;
}

function knows(routes: ListenerRoutes, host: string): boolean {
  return routes.anyHost.length > 0 || routes.hosts.has(host);
}

function redirectHost(
  exchange: Exchange,
  { to, policy }: { readonly to: string; readonly policy: Policy },
  { listener, host, target }: { readonly listener: string; readonly host: Host; readonly target: string },
): undefined {
  exchange.policy = policy;
  const secure = policy.redirectToHttps || exchange.head.scheme === "https";
  // One step, not two: to the right host and to https at once. The port only means something when the scheme stays.
  const port = secure ? httpsPort(exchange.traffic, listener, host) : host.port;
  exchange.answer(301, ["Location", `${secure ? "https" : "http"}://${to}${port}${target}`], "");
}

/**
 * The port of https as a client writes it, empty for 443: that of the listener itself, or of the first that speaks TLS.
 * A client that names another port than the listener has came through a mapping that nobody here knows: then it is 443.
 */
function httpsPort({ listeners }: Traffic, name: string, { port }: Host): string {
  const own = listeners.find((listener) => listener.name === name);
  const secure = own?.tls != null ? own : listeners.find((listener) => listener.tls !== null);
  if (own === undefined || secure === undefined || secure.port === 443) return "";
  const asked = port === "" ? (own.tls === null ? 80 : 443) : Number(port.slice(1));
  return asked === own.port ? `:${secure.port}` : "";
}

/** True when the CA asked for a challenge that is open (RFC 8555 §8.3); any other path there is a service's own. */
function answersChallenge(exchange: Exchange, challenges: ReadonlyMap<string, string>): boolean {
  if (!exchange.path.startsWith(challengePrefix)) return false;
  const answer = challenges.get(exchange.path.slice(challengePrefix.length));
  if (answer === undefined) return false;
  exchange.answer(200, ["Content-Type", "application/octet-stream"], answer);
  return true;
}

const challengePrefix = "/.well-known/acme-challenge/";

function mayEnter({ guards }: Policy, decision: string, ip: string): boolean {
  const path = guardedForm(decision);
  for (const guard of guards) if (isUnder(path, guard.prefix) && !guard.allowed.has(ip)) return false;
  return true;
}

function isPreflight(req: Incoming): boolean {
  return req.headers["access-control-request-method"] !== undefined;
}

function hold(exchange: Exchange, service: string): undefined {
  const { holds } = exchange.traffic;
  exchange.held = true;
  const waiter = {
    go: (): undefined => {
      exchange.stop = null;
      if (!exchange.over) proxy(exchange);
    },
    refuse: (why: "heldTooLong" | "holdFull") => exchange.refuse(refusals[why], { headers: ["Retry-After", "1"] }),
  };
  exchange.stop = { leftByClient: () => holds.leave(service, waiter) };
  holds.wait(service, waiter);
}

function sleep(exchange: Exchange, service: string): undefined {
  const { sleepers } = exchange.traffic;
  exchange.held = true;
  const sleeper = {
    go: (): undefined => {
      exchange.stop = null;
      if (!exchange.over) proxy(exchange);
    },
    refuse: (why: "wakingTooLong" | "holdFull") => exchange.refuse(refusals[why], { headers: ["Retry-After", "5"] }),
  };
  exchange.stop = { leftByClient: () => sleepers.leave(service, sleeper) };
  sleepers.wait(service, sleeper);
}

const rememberedHosts = 1000;
const hosts = new Map<string, Host | null>();

/** Read once for each spelling: nearly all requests name one of a few hosts. */
function hostOf(text: string): Host | null {
  const known = hosts.get(text);
  if (known !== undefined) return known;
  const host = readHost(text);
  if (hosts.size >= rememberedHosts) hosts.clear();
  hosts.set(text, host);
  return host;
}
