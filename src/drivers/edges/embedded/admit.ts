import type { IncomingMessage, ServerResponse } from "node:http";
import { chooseRoute } from "./choose.ts";
import type { ListenerRoutes, Policy } from "./compiled.ts";
import { connectionOf } from "./connection.ts";
import { preflightHeaders } from "./cors.ts";
import { Exchange } from "./exchange.ts";
import { type Host, readAbsoluteForm, readHost } from "./host.ts";
import { refusals } from "./pages.ts";
import { guardedForm, isUnder, readPath, stripPrefix } from "./path.ts";
import { proxy } from "./proxy.ts";
import { readHead } from "./request-head.ts";
import type { Traffic } from "./traffic.ts";

/** Where a request goes: to a refusal, a redirect, a queue, or a service. The order of the checks is the order of the lines. */
export function admit(traffic: Traffic, listener: string, req: IncomingMessage, res: ServerResponse): undefined {
  const http11 = req.httpVersionMajor === 1 && req.httpVersionMinor === 1;
  const connection = connectionOf(req.socket, traffic.trusted);
  if (connection.lost) return;
  const head = readHead(req.rawHeaders, http11, connection, traffic.trusted);
  if (head.refusal !== null) connection.lost = true;
  const exchange = new Exchange(traffic, connection, { req, res, head });
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

  if (traffic.table === null) return exchange.refuse(refusals.noTable, { headers: ["Retry-After", "1"] });
  const routes = traffic.table.listeners.get(listener);
  if (routes === undefined) return exchange.refuse(refusals.noRoute);
  const redirect = routes.redirects.get(host.name);
  if (redirect !== undefined) return redirectHost(exchange, redirect, host, target);
  const found = chooseRoute(routes, host.name, path.decision);
  if (found === null) return exchange.refuse(knows(routes, host.name) ? refusals.noRoute : refusals.wrongHost);

  const { policy, service } = found;
  exchange.route = found;
  exchange.policy = policy;
  if (policy.redirectToHttps && head.scheme === "http")
    return exchange.answer(308, ["Location", `https://${host.name}${target}`], "");
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
  host: Host,
  target: string,
): undefined {
  exchange.policy = policy;
  const secure = policy.redirectToHttps || exchange.head.scheme === "https";
  // One step, not two: to the right host and to https at once. The port only means something when the scheme stays.
  const port = secure ? "" : host.port;
  exchange.answer(301, ["Location", `${secure ? "https" : "http"}://${to}${port}${target}`], "");
}

function mayEnter({ guards }: Policy, decision: string, ip: string): boolean {
  const path = guardedForm(decision);
  for (const guard of guards) if (isUnder(path, guard.prefix) && !guard.allowed.has(ip)) return false;
  return true;
}

function isPreflight(req: IncomingMessage): boolean {
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
