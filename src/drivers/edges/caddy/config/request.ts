import { logged, type Matcher, not, type Route, requestHeaders, setVars } from "./json.ts";
import { refuse } from "./pages.ts";

/**
 * What happens to every request before it is routed: its trace id is made or, from a trusted proxy, kept; headers that only
 * a proxy may set are taken away from everybody else; what two programs could read in two ways is refused.
 */
export function requestRoutes(trustedProxies: readonly string[]): Route[] {
  const fromTrusted: Matcher | null = trustedProxies.length === 0 ? null : { remote_ip: { ranges: trustedProxies } };
  const ours = setVars({ trace: "{slipway.trace}", parent: "00-{slipway.trace}-{slipway.span}-01" });
  return [
    {
      handle: [
        traceFromUuid,
        ours,
        logged("trace", "{http.vars.trace}"),
        { handler: "headers", response: { delete: ["Server"] } },
      ],
    },
    ...(fromTrusted === null ? [] : [keepTrace(fromTrusted)]),
    { match: [not({ vars: { kept: ["yes"] } })], handle: [requestHeaders({ delete: ["Tracestate"] })] },
    { handle: [requestHeaders({ set: { Traceparent: "{http.vars.parent}" } })] },
    {
      ...(fromTrusted === null ? {} : { match: [not(fromTrusted)] }),
      handle: [requestHeaders({ delete: forProxies })],
    },
    // Only WebSockets are passed on: `h2c` and others would open a way past routes and limits.
    {
      match: [{ header: { Upgrade: ["*"] }, ...not({ header_regexp: { Upgrade: { pattern: "(?i)^websocket$" } } }) }],
      handle: [requestHeaders({ delete: ["Upgrade"] })],
    },
    {
      // WebSockets over HTTP/2 and 3 arrive as CONNECT (RFC 8441).
      match: [{ method: ["TRACE"] }, { method: ["CONNECT"], ...not({ protocol: "http/2+" }) }],
      handle: [refuse("BAD_METHOD")],
    },
    { match: [{ vars_regexp: { "{http.request.uri}": { pattern: ambiguousPath } } }], handle: [refuse("BAD_PATH")] },
  ];
}

/** Slashes, backslashes and dots in disguise, NUL, overlong UTF-8; and dot segments, which well-behaved clients resolve themselves. */
const ambiguousPath = "(?i)^[^?]*(?:%2f|%5c|\\\\|%00|%c0%a[ef]|/(?:\\.|%2e){1,2}(?:[/?;]|$))";

/** 32 hex digits for the trace and 16 for the span, out of the request's random UUID. */
const traceFromUuid = {
  handler: "map",
  source: "{http.request.uuid}",
  destinations: ["{slipway.trace}", "{slipway.span}"],
  mappings: [{ input_regexp: "^(.{8})-(.{4})-(.{4})-(.{4})-(.{12})$", outputs: ["$1$2$3$4$5", "$4$5"] }],
};

/** https://www.w3.org/TR/trace-context/#traceparent-header: version, trace, parent, flags; neither id all zeros. */
function keepTrace(fromTrusted: Matcher): Route {
  const pattern = "^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?$";
  const broken = "^ff|^..-0{32}-|^.{35}-0{16}-";
  return {
    match: [
      {
        ...fromTrusted,
        header_regexp: { Traceparent: { name: "trace", pattern } },
        ...not({ header_regexp: { Traceparent: { pattern: broken } } }),
      },
    ],
    handle: [setVars({ trace: "{http.regexp.trace.1}", parent: "{http.request.header.Traceparent}", kept: "yes" })],
  };
}

/** What services take a client's address, scheme or path from. Caddy itself replaces X-Forwarded-For, -Host and -Proto. */
const names = [
  "Forwarded",
  "X-Real-Ip",
  "X-Client-Ip",
  "True-Client-Ip",
  "Cf-Connecting-Ip",
  "X-Cluster-Client-Ip",
  "X-Forwarded-Port",
  "X-Forwarded-Server",
  "X-Forwarded-Prefix",
  "X-Forwarded-Ssl",
  "X-Forwarded-Scheme",
  "X-Forwarded-By",
  "X-Forwarded",
  "X-Url-Scheme",
  "Front-End-Https",
  "X-Trace-Id",
  "X-Original-Url",
  "X-Rewrite-Url",
];
/** CGI and WSGI read `X_Real_Ip` and `X-Real-Ip` as one name. */
const forProxies = [
  ...names,
  ...[...names, "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"].map(underscored),
];

function underscored(name: string): string {
  return name.replaceAll("-", "_");
}
