import type { EdgeConfig, RoutedService } from "../../../../ports/edge.ts";
import { type Paths, serviceFolder } from "../paths.ts";
import { slotCount, spareCount } from "../slots.ts";
import {
  failOn,
  type Handler,
  logged,
  type Matcher,
  ms,
  not,
  quoted,
  type Route,
  requestHeaders,
  setVars,
  subroute,
} from "./json.ts";
import { refuse } from "./pages.ts";

/** Carries what a client is kept by to the choice of a slot. Never passed on. */
const keptBy = "X-Slipway-Kept-By";
/** Services close idle connections after 5 s (node:http's default); a connection must be given up here before. */
const idleUpstreamMs = 4_000;
/**
 * For a connection to a spare instance. The spare ones are shared out among all requests that need one, so one request may meet those
 * of a host that was cut off several times in a row: with the two seconds of a first try, 15 of 900 such requests had used up
 * their five seconds (three hosts, one cut off). A neighbour that is there answers in far less.
 */
const spareConnectMs = 1_000;
/** So long that the number of tries is the limit, also where all of them have to wait. */
const spareTriesMs = 30_000;
/** A WebSocket outlives a change of the config by so long. */
const streamsOutliveConfig = "24h";

/** The mode in which the config with this digest, and no other, asks clients to leave their connections. */
export function leaving(digest: string): string {
  return `leave-${digest}`;
}

/**
 * A service's way to its instances, as a named route. The addresses are read from slot files for each request: a request
 * that begins after a switch meets the new ones, and no config is loaded for it.
 *
 * First try: one slot, in rotation or by the client's key. When no connection could be made, or a request that may be
 * repeated lost its answer and there was another release to ask when it began, the spare slots are tried, in rotation. When it began:
 * one that is lost at a candidate after traffic has been taken back finds stable alone, and is to be answered by it all the same.
 */
export function serviceRoute(
  name: string,
  service: RoutedService,
  around: { readonly limits: EdgeConfig["limits"]; readonly paths: Paths; readonly digest: string },
): Route {
  const { limits, paths, digest } = around;
  const folder = `${paths.current}/${serviceFolder(name)}`;
  const transport = (connectMs: number) => ({
    protocol: "http",
    dial_timeout: ms(connectMs),
    response_header_timeout: ms(limits.upstreamTimeoutMs),
    keep_alive: { idle_timeout: ms(idleUpstreamMs), max_idle_conns_per_host: 256 },
    compression: false,
    versions: ["1.1"],
  });
  const proxy = (
    slots: readonly string[],
    connectMs: number,
    balancing: Readonly<Record<string, unknown>>,
  ): Handler => ({
    handler: "reverse_proxy",
    upstreams: slots.map((slot) => ({ dial: `{file.${folder}/${slot}}` })),
    load_balancing: balancing,
    transport: transport(connectMs),
    stream_close_delay: streamsOutliveConfig,
    // A retry finds no key and so takes whoever is next.
    headers: { request: { delete: [keptBy] } },
  });
  const first = proxy(numbered("", slotCount), limits.connectTimeoutMs, { selection_policy: policyOf(service.sticky) });
  const toSpareMs = Math.min(spareConnectMs, limits.connectTimeoutMs);
  const spare = proxy(numbered("spare-", spareCount), toSpareMs, {
    selection_policy: { policy: "round_robin" },
    retries: spareCount - 1,
    try_duration: ms(spareTriesMs),
    try_interval: "1ms",
  });
  const again = [
    setVars({ why: "{http.error.status_code} {http.error.message}" }),
    logged("why", "why"),
    logged("up2", "{http.reverse_proxy.upstream.hostport}"),
    logged("ms2", "{http.reverse_proxy.upstream.latency_ms}"),
  ];
  const message = (pattern: string) => ({ vars_regexp: { "{http.error.message}": { pattern } } });
  const chosen = (side: Side) =>
    proxy(numbered(`${side}-`, spareCount), limits.connectTimeoutMs, { selection_policy: { policy: "round_robin" } });
  const tries = (by: Handler) =>
    subroute(
      [
        {
          handle: [
            setVars({ spare: `{file.${folder}/spare-is}` }),
            logged("up", "{http.reverse_proxy.upstream.hostport}"),
            logged("ms", "{http.reverse_proxy.upstream.latency_ms}"),
            by,
          ],
        },
      ],
      [
        {
          // Nothing was sent, so nothing can be done twice. Status 499 is a client that left meanwhile.
          match: [{ ...message("^dial "), vars: { "{http.error.status_code}": ["502", "504"] } }],
          handle: [...again, spare],
        },
        {
          match: [
            {
              ...message("^(?:[^d]|d[^i])"),
              vars: { spare: ["fallback"] },
              expression: "{http.error.status_code} == 502",
              method: ["GET", "HEAD", "OPTIONS", "DELETE", "PUT"],
              not: [{ header_regexp: { "Content-Length": { pattern: "[1-9]" } } }],
            },
          ],
          handle: [...again, spare],
        },
        { handle: [setVars({ why: "{http.error.status_code} {http.error.message}" }), logged("why", "why"), failOn] },
      ],
    );
  return {
    handle: [
      subroute([
        { handle: [logged("svc", name), setVars({ mode: `{file.${folder}.mode}` })] },
        { match: [{ vars: { mode: ["maintenance"] } }], handle: [refuse("MAINTENANCE")] },
        { match: [{ vars: { mode: ["empty"] } }], handle: [refuse("NO_INSTANCE")] },
        { match: [{ vars: { mode: ["hold"] } }], handle: [gate(name, paths)] },
        {
          match: [{ vars: { mode: [leaving(digest)] }, ...not({ header: { Upgrade: ["*"] } }) }],
          handle: [{ handler: "headers", response: { set: { Connection: ["close"] } } }],
        },
        ...sides(service.optIn).map(({ side, match }) => ({ match: [match], handle: [tries(chosen(side))] })),
        ...stickyRoutes(service.sticky),
        { handle: [tries(first)] },
      ]),
    ],
  };
}

/**
 * Asks the companion whether the request may go on, without its body; the answer comes when the hold is over. The slots
 * are read after that, so a held request is routed by the newest table.
 */
function gate(name: string, paths: Paths): Handler {
  return {
    handler: "reverse_proxy",
    upstreams: [{ dial: `unix/${paths.companionSocket}` }],
    rewrite: { method: "GET", uri: `/gate/${serviceFolder(name)}` },
    headers: { request: { delete: ["Connection", "Upgrade", "Cookie", "Authorization"] } },
    handle_response: [
      { match: { status_code: [2] }, routes: [{ handle: [setVars({ gate: "open" })] }] },
      { match: { status_code: [429] }, routes: [{ handle: [refuse("TOO_MANY_WAITING")] }] },
      { routes: [{ handle: [refuse("HELD_TOO_LONG")] }] },
    ],
  };
}

function policyOf(sticky: RoutedService["sticky"]): unknown {
  if (sticky === null) return { policy: "round_robin" };
  return { policy: "header", field: keptBy, fallback: { policy: "round_robin" } };
}

type Side = "candidate" | "stable";

/** What a request carries whose client chooses its side. */
function sides(optIn: RoutedService["optIn"]): { readonly side: Side; readonly match: Matcher }[] {
  if (optIn === undefined) return [];
  const carries = (value: string): Matcher =>
    "header" in optIn
      ? { header_regexp: { [optIn.header]: { pattern: `^${quoted(value)}$` } } }
      : { vars: { [`{http.request.cookie.${optIn.cookie}}`]: [value] } };
  return [
    { side: "candidate", match: carries(optIn.candidate) },
    { side: "stable", match: carries(optIn.stable) },
  ];
}

/** Hashed over the slots, whose names never change: a client keeps its slot, and so its side, whatever is deployed. */
function stickyRoutes(sticky: RoutedService["sticky"]): Route[] {
  if (sticky === null) return [];
  if ("header" in sticky) {
    return [
      {
        handle: [requestHeaders({ set: { [keptBy]: `{http.request.header.${sticky.header}}` } })],
      },
    ];
  }
  const cookie = (more: string) => [`${sticky.cookie}={http.request.uuid}; Path=/; HttpOnly; SameSite=Lax${more}`];
  const make = (more: string): Handler[] => [
    requestHeaders({ set: { [keptBy]: "{http.request.uuid}" } }),
    { handler: "headers", response: { add: { "Set-Cookie": cookie(more) } } },
  ];
  const missing = { vars: { [`{http.request.cookie.${sticky.cookie}}`]: [""] } };
  return [
    {
      match: [{ not: [missing] }],
      handle: [requestHeaders({ set: { [keptBy]: `{http.request.cookie.${sticky.cookie}}` } })],
    },
    { match: [{ ...missing, protocol: "https" }], handle: make("; Secure") },
    { match: [{ ...missing, not: [{ protocol: "https" }] }], handle: make("") },
  ];
}

function numbered(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`);
}
