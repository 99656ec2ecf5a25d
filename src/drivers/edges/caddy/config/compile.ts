import { createHash } from "node:crypto";
import type { EdgeConfig, Route as EdgeRoute, Listener, RouteTable } from "../../../../ports/edge.ts";
import { type Paths, serviceFolder } from "../paths.ts";
import { answerHeaders, invoke, quoted, type Route, requestHeaders, stripPrefix, subroute } from "./json.ts";
import { type Counting, loggingConfig, serverLogs } from "./logs.ts";
import { pageRoutes, refuse } from "./pages.ts";
import {
  allowLists,
  answerHandlers,
  bodyLimit,
  preflight,
  redirectHost,
  redirectToHttps,
  type Surroundings,
} from "./policy.ts";
import { requestRoutes } from "./request.ts";
import { serviceRoute } from "./service.ts";
import { challengePorts, connectionPolicies, tlsApp } from "./tls.ts";

export type Compiled = {
  /** Of everything that needs a load of the config; the same as long as only targets, weights and modes change. */
  readonly digest: string;
  readonly text: string;
  /** Name of the socket on which it answers. */
  readonly ack: string;
};

/** How long requests in flight get in listeners that a new config has closed. */
const graceOfOldConfig = "600s";

/** The whole of Caddy's config: what `config` and the routes, policies and stickiness of `table` say. Pure. */
export function compileConfig(
  config: EdgeConfig,
  table: RouteTable | null,
  around: {
    readonly counting: Counting;
    readonly paths: Paths;
    /** A name that no config had before. */
    readonly ack: string;
  },
): Compiled {
  const { counting, paths, ack } = around;
  const ports = challengePorts(config.listeners);
  const tls = tlsApp(config.listeners);
  const build = (digest: string, socket: string) => ({
    admin: { listen: `unix/${paths.adminSocket}|0600`, config: { persist: false } },
    storage: { module: "file_system", root: paths.data },
    logging: loggingConfig(config, counting),
    apps: {
      http: {
        ...(tls === null || ports.http === null ? {} : { http_port: ports.http }),
        ...(tls === null || ports.https === null ? {} : { https_port: ports.https }),
        grace_period: graceOfOldConfig,
        servers: { ...servers(config, table, paths, digest), acknowledge: acknowledge(digest, socket, paths) },
      },
      ...(tls === null ? {} : { tls }),
    },
  });
  const digest = createHash("sha256")
    .update(JSON.stringify(build("", "")))
    .digest("hex")
    .slice(0, 16);
  return { digest, text: JSON.stringify(build(digest, paths.ackSocket(ack))), ack };
}

function servers(config: EdgeConfig, table: RouteTable | null, paths: Paths, digest: string): Record<string, unknown> {
  const named: Record<string, Route> = { pages: { handle: [subroute(pageRoutes())] } };
  const services = Object.entries(table?.services ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, service] of services)
    named[serviceFolder(name)] = serviceRoute(name, service, { limits: config.limits, paths, digest });
  return Object.fromEntries(
    config.listeners.map((listener) => [`listener-${listener.name}`, server(listener, config, table, named)]),
  );
}

/** Says which config and which table Caddy itself works by: the table's number is read the way slots are. */
function acknowledge(digest: string, socket: string, paths: Paths): unknown {
  return {
    listen: [`unix/${socket}|0600`],
    protocols: ["h1"],
    automatic_https: { disable: true },
    routes: [
      {
        handle: [
          { handler: "static_response", status_code: "200", body: `${digest} {file.${paths.current}/generation}` },
        ],
      },
    ],
  };
}

function server(
  listener: Listener,
  config: EdgeConfig,
  table: RouteTable | null,
  named: Readonly<Record<string, Route>>,
): unknown {
  const { limits, trustedProxies } = config;
  const { tls } = listener;
  const httpsPort = challengePorts(config.listeners).https;
  const around = { trustedProxies, tls: tls !== null, port: listener.port, httpsPort };
  return {
    listen: [`${listener.host.includes(":") ? `[${listener.host}]` : listener.host}:${listener.port}`],
    read_header_timeout: `${limits.headersTimeoutMs}ms`,
    idle_timeout: `${limits.idleTimeoutMs}ms`,
    max_header_bytes: limits.headerBytes,
    ...(trustedProxies.length === 0
      ? {}
      : { trusted_proxies: { source: "static", ranges: trustedProxies }, trusted_proxies_strict: 1 }),
    // Redirects and certificates are ours to say; Caddy would add redirects of its own.
    automatic_https: { disable: true },
    protocols: tls === null ? ["h1"] : tls.http2 ? ["h1", "h2", "h3"] : ["h1"],
    ...(tls === null ? {} : { tls_connection_policies: connectionPolicies(tls) }),
    logs: serverLogs,
    named_routes: named,
    routes: [
      {
        handle: [
          answerHeaders({ set: { "X-Trace-Id": "{http.vars.trace}" } }),
          subroute([...requestRoutes(trustedProxies), ...routes(listener.name, config, table, around)], pageRoute),
        ],
      },
    ],
    errors: { routes: pageRoute },
  };
}

const pageRoute: readonly Route[] = [{ handle: [invoke("pages")] }];

/** Redirects first; then the routes of the host, the longest path first; then those for any host. */
function routes(listener: string, config: EdgeConfig, table: RouteTable | null, around: Surroundings): Route[] {
  if (table === null) return [{ handle: [refuse("NO_ROUTES_YET")] }];
  const own = table.routes
    .filter((route) => route.listener === listener)
    .sort((a, b) => Number(a.host === null) - Number(b.host === null) || b.pathPrefix.length - a.pathPrefix.length);
  const redirects = own.flatMap(({ policy }) =>
    Object.entries(policy.redirectHosts).map(([from, to]) => ({
      match: [{ host: [from] }],
      handle: [subroute([...answerHandlers(policy, around), ...redirectHost(from, to, policy, around)], pageRoute)],
    })),
  );
  const hosts = [...new Set(own.flatMap(({ host }) => (host === null ? [] : [host])))];
  const anyHost = own.some(({ host }) => host === null);
  return [
    ...redirects,
    ...own.map((route) => ({ match: [matcher(route)], handle: [policed(route, config, around)] })),
    ...(anyHost || hosts.length === 0
      ? []
      : [{ match: [{ not: [{ host: hosts }] }], handle: [refuse("UNKNOWN_HOST")] }]),
    { handle: [refuse("NO_ROUTE")] },
  ];
}

/** On the decoded path without dot segments and doubled slashes; case counts, unlike in Caddy's own path matcher. */
function matcher({ host, pathPrefix }: EdgeRoute): Record<string, unknown> {
  const prefix = quoted(pathPrefix.replace(/\/+$/, ""));
  return {
    ...(host === null ? {} : { host: [host] }),
    ...(prefix === "" ? {} : { path_regexp: { pattern: `^${prefix}(?:/|$)` } }),
  };
}

/** The order of the checks is the order of the lines. */
function policed({ policy, service, pathPrefix, strip }: EdgeRoute, config: EdgeConfig, around: Surroundings) {
  const prefix = pathPrefix.replace(/\/+$/, "");
  return subroute(
    [
      ...answerHandlers(policy, around),
      {
        // Its own errors, so that its headers are on the edge's own pages too.
        handle: [
          subroute(
            [
              ...(policy.redirectToHttps ? redirectToHttps(around) : []),
              ...allowLists(policy.allowLists),
              ...(policy.cors === null ? [] : preflight(policy.cors)),
              ...bodyLimit(policy.bodyBytes ?? config.limits.bodyBytes),
              ...(strip && prefix !== ""
                ? [{ handle: [requestHeaders({ set: { "X-Forwarded-Prefix": prefix } }), stripPrefix(prefix)] }]
                : []),
              { handle: [invoke(serviceFolder(service))] },
            ],
            pageRoute,
          ),
        ],
      },
    ],
    pageRoute,
  );
}
