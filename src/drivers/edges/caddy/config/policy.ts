import type { RoutePolicy } from "../../../../ports/edge.ts";
import { answerHeaders, type Handler, literal, type Matcher, not, quoted, type Route } from "./json.ts";
import { refuse } from "./pages.ts";

/** The listener that a request came in by. */
export type Surroundings = {
  readonly trustedProxies: readonly string[];
  readonly tls: boolean;
  readonly port: number;
  /** Of the listener with TLS, when there is one. */
  readonly httpsPort: number | null;
};

/** Headers of the answer: the policy's where the service has not set its own, and CORS, which is the edge's to say. */
export function answerHandlers(policy: RoutePolicy, around: Surroundings): Route[] {
  const routes: Route[] = [];
  for (const [name, value] of Object.entries(policy.headers)) {
    const handle = [answerHeaders({ set: { [name]: literal(value) } }, name)];
    // RFC 6797 §7.2: never over plain HTTP.
    if (name.toLowerCase() !== "strict-transport-security") routes.push({ handle });
    else routes.push(...whenSecure(around).map((match) => ({ ...(match === null ? {} : { match: [match] }), handle })));
  }
  if (policy.cors !== null) routes.push(...corsRoutes(policy.cors));
  return routes;
}

/** To https and to the right host. */
export function redirectToHttps(around: Surroundings): Route[] {
  if (around.tls) return [];
  const secure = whenSecure(around).filter((match) => match !== null);
  const insecure: Matcher = secure.length === 0 ? {} : not(...secure);
  const to = (port: string): Handler[] => [redirect("308", `https://{http.request.host}${port}{http.request.uri}`)];
  const { port, httpsPort } = around;
  return [
    // Who named this listener's own port gets the other's; behind a mapping of ports only the usual one can be meant.
    ...(httpsPort === null || httpsPort === 443
      ? []
      : [
          {
            match: [{ ...insecure, header_regexp: { Host: { pattern: `:${port}$` } } }],
            handle: to(`:${httpsPort}`),
          },
        ]),
    { ...(secure.length === 0 ? {} : { match: [insecure] }), handle: to("") },
  ];
}

/** One step, not two: to the right host and to https at once. The port only means something when the scheme stays. */
export function redirectHost(from: string, to: string, policy: RoutePolicy, around: Surroundings): Route[] {
  const match = { host: [from] };
  const toHttps = [redirect("301", `https://${to}{http.request.uri}`)];
  const toHttp = (port: string): Handler[] => [redirect("301", `http://${to}${port}{http.request.uri}`)];
  if (policy.redirectToHttps || around.tls) return [{ match: [match], handle: toHttps }];
  return [
    ...whenSecure(around).map((secure) => ({ match: [{ ...match, ...secure }], handle: toHttps })),
    { match: [{ ...match, header_regexp: { Host: { pattern: ":\\d+$" } } }], handle: toHttp(":{http.request.port}") },
    { match: [match], handle: toHttp("") },
  ];
}

/**
 * Paths for listed addresses only. Caddy compares without case and after resolving what is encoded; `;…` parameters, which
 * Tomcat cuts off, count as the path itself.
 */
export function allowLists(lists: RoutePolicy["allowLists"]): Route[] {
  return lists.map(({ prefix, allow }) => {
    const path = quoted(prefix.replace(/\/+$/, ""));
    const guarded: Matcher = { path_regexp: { pattern: `(?i)^/*${path.replaceAll("/", "(?:;[^/]*)?/+")}(?:[;/]|$)` } };
    const matcher = allow.length === 0 ? guarded : { ...guarded, ...not({ client_ip: { ranges: allow } }) };
    return { match: [matcher], handle: [refuse("NOT_ALLOWED_FROM_HERE")] };
  });
}

/** Answered here and never by the service. */
export function preflight(cors: NonNullable<RoutePolicy["cors"]>): Route[] {
  const asked: Matcher = {
    method: ["OPTIONS"],
    header: { Origin: ["*"], "Access-Control-Request-Method": ["*"] },
  };
  const headers = {
    "Access-Control-Allow-Methods": [cors.methods.join(", ")],
    "Access-Control-Max-Age": [String(cors.maxAgeS)],
    ...(cors.headers.length === 0 ? {} : { "Access-Control-Allow-Headers": [cors.headers.join(", ")] }),
  };
  const answer = { handler: "static_response", status_code: "204" };
  return [
    { match: [{ ...asked, ...letIn(cors) }], handle: [{ ...answer, headers }] },
    { match: [asked], handle: [answer] },
  ];
}

/** A body whose length is announced is refused before the service sees it; one that is not, when it has become too long. */
export function bodyLimit(bytes: number): Route[] {
  return [
    {
      match: [
        {
          expression: `{http.request.header.Content-Length} != "" && int({http.request.header.Content-Length}) > ${bytes}`,
        },
      ],
      handle: [refuse("BODY_TOO_LARGE")],
    },
    // Zero is no limit to Caddy, so nothing at all is spelled as one byte: it can only be met without an announced length.
    { handle: [{ handler: "request_body", max_size: Math.max(1, bytes) }] },
  ];
}

function corsRoutes(cors: NonNullable<RoutePolicy["cors"]>): Route[] {
  const any = cors.origins.includes("*");
  const listed: Matcher = { header_regexp: { Origin: { pattern: originPattern(cors) } } };
  const asked: Matcher = { header: { Origin: ["*"] } };
  const vary: Handler = { handler: "headers", response: { add: { Vary: ["Origin"] } } };
  const allow = {
    "Access-Control-Allow-Origin": "{http.request.header.Origin}",
    ...(cors.credentials ? { "Access-Control-Allow-Credentials": "true" } : {}),
  };
  // The outer one is applied last: what the service says about it is taken away first.
  const own = { delete: corsHeaders };
  return [
    { match: [{ ...asked, ...listed }], handle: [vary, answerHeaders({ set: allow }), answerHeaders(own)] },
    // Credentials are for origins that are listed by name, never for `*`: that would open the service to every page.
    {
      match: [{ ...asked, ...not(listed) }],
      handle: any
        ? [answerHeaders({ set: { "Access-Control-Allow-Origin": "*" } }), answerHeaders(own)]
        : [vary, answerHeaders(own)],
    },
  ];
}

function letIn(cors: NonNullable<RoutePolicy["cors"]>): Matcher {
  return cors.origins.includes("*") ? {} : { header_regexp: { Origin: { pattern: originPattern(cors) } } };
}

function originPattern(cors: NonNullable<RoutePolicy["cors"]>): string {
  return `(?i)^(?:${cors.origins.map(quoted).join("|")})$`;
}

/** Not those of the preflight's own answer, which no service gives here. */
const corsHeaders = ["Access-Control-Allow-Origin", "Access-Control-Allow-Credentials"];

function redirect(status: string, location: string): Handler {
  return { handler: "static_response", status_code: status, headers: { Location: [location] } };
}

/** What tells a request that came by TLS; null when all of the listener's do, empty when none can. */
function whenSecure({ tls, trustedProxies }: Surroundings): (Matcher | null)[] {
  if (tls) return [null];
  if (trustedProxies.length === 0) return [];
  const header = { header_regexp: { "X-Forwarded-Proto": { pattern: "(?i)^https$" } } };
  return [{ remote_ip: { ranges: trustedProxies }, ...header }];
}
