import { answerHeaders, covers, hstsHeader } from "../product/https.ts";
import type { EdgeSpec, RouteSpec, ServiceSpec } from "../product/spec.ts";
import { type SynthFile, textFile } from "./artifact.ts";
import type { SynthProduct } from "./product.ts";

/** How long a request waits for an instance that is just being replaced. */
const tryFor = "5s";

const length = "{http.request.header.Content-Length}";

type Behind = { readonly service: ServiceSpec; readonly route: RouteSpec };

/** What Slipway's edge does, as far as Caddy's own build can, in front of docker-compose.prod.yml. */
export function caddyFiles(product: SynthProduct): readonly SynthFile[] {
  const behind = Object.values(product.environment.services).flatMap((service) =>
    service.routes.map((route) => ({ service, route })),
  );
  if (behind.length === 0) return [];
  return [textFile({ artifact: "caddy", path: "Caddyfile", text: `${caddyfile(product.environment.edge, behind)}\n` })];
}

/** Inside the project, where services reach it. */
export const edgePort = 80;

/** Ports of the host: those that Slipway's edge has. */
export function edgePorts({ environment: { edge } }: SynthProduct): readonly string[] {
  const at = ({ host, port }: EdgeSpec["listen"], inner: number): string => {
    const isAnywhere = host === "0.0.0.0" || host === "::";
    return `${isAnywhere ? "" : `${host.includes(":") ? `[${host}]` : host}:`}${port}:${inner}`;
  };
  return [
    at(edge.listen, edgePort),
    ...(edge.tls === null ? [] : [at(edge.tls.listen, 443), `${at(edge.tls.listen, 443)}/udp`]),
  ];
}

/** Files of certificates, which the container reads where the host has them. */
export function certificateFiles({ tls }: EdgeSpec): readonly string[] {
  return [...new Set((tls?.certificates ?? []).flatMap(({ cert, key }) => [cert, key]))];
}

/** Whether a request that names no known host is answered, as one of the product's own services is. */
export const answersAnyHost = ({ environment }: SynthProduct): boolean =>
  Object.values(environment.services).some(({ routes }) => routes.some(({ host }) => host === null));

function caddyfile(edge: EdgeSpec, behind: readonly Behind[]): string {
  const hosts = [...new Set(behind.flatMap(({ route: { host } }) => (host === null ? [] : [host])))].sort();
  const anywhere = behind.filter(({ route: { host } }) => host === null);
  return [
    ...leftOut(edge),
    globalOptions(edge, hosts),
    ...hosts.flatMap((host) => siteOf(host, [...behind.filter(({ route }) => route.host === host), ...anywhere], edge)),
    ...(anywhere.length === 0 ? [] : [anyHost(anywhere, edge)]),
  ].join("\n");
}

function leftOut({ rateLimit, sticky }: EdgeSpec): readonly string[] {
  return [
    ...(rateLimit === null
      ? []
      : [
          `# Not here: the limit of ${rateLimit.requests} requests in ${rateLimit.perMs / 1000} s; Caddy's own build has none.`,
        ]),
    ...(sticky === null ? [] : ["# Not here: keeping a client on one release; there is only one at a time."]),
  ];
}

function globalOptions({ tls, redirectToHttps, trustedProxies }: EdgeSpec, hosts: readonly string[]): string {
  const acme = tls?.acme ?? null;
  return block("", [
    "admin off",
    ...(acme?.email == null ? [] : [`email ${text(acme.email)}`]),
    ...(acme?.directory == null ? [] : [`acme_ca ${text(acme.directory)}`]),
    ...(acme?.ca == null ? [] : [`acme_ca_root ${text(acme.ca)}`]),
    ...(tls === null || hosts.length === 0
      ? ["auto_https off"]
      : redirectToHttps !== false
        ? []
        : ["auto_https disable_redirects"]),
    ...(trustedProxies.length === 0 ? [] : [block("servers", [`trusted_proxies static ${trustedProxies.join(" ")}`])]),
  ]);
}

function siteOf(host: string, behind: readonly Behind[], edge: EdgeSpec): readonly string[] {
  const { tls, redirectToHttps, redirectWww } = edge;
  const certificate = tls?.certificates.find(({ hosts }) => hosts.length === 0 || covers(hosts, host));
  const isSecure = tls !== null && (certificate !== undefined || tls.acme !== null);
  const addresses = isSecure
    ? redirectToHttps !== false
      ? [host]
      : [`http://${host}`, `https://${host}`]
    : [`http://${host}`];
  const site = block(addresses.join(", "), [
    ...(isSecure && certificate !== undefined ? [`tls ${text(certificate.cert)} ${text(certificate.key)}`] : []),
    ...answering(behind, edge, isSecure && redirectToHttps !== false),
  ]);
  if (!redirectWww || host.startsWith("www.")) return [site];
  const scheme = isSecure ? "https" : "http";
  return [site, block(isSecure ? `www.${host}` : `http://www.${host}`, [`redir ${scheme}://${host}{uri} 301`])];
}

/** Whatever the host is called; services of the product come here too. */
function anyHost(behind: readonly Behind[], edge: EdgeSpec): string {
  const certificate = edge.tls?.certificates.find(({ hosts }) => hosts.length === 0);
  const lines = answering(behind, edge, false);
  const plain = block(`:${edgePort}`, lines);
  if (certificate === undefined) return plain;
  return [plain, block(":443", [`tls ${text(certificate.cert)} ${text(certificate.key)}`, ...lines])].join("\n");
}

function answering(behind: readonly Behind[], edge: EdgeSpec, isSecure: boolean): readonly string[] {
  if (edge.maintenance) return ['respond "This site is being worked on." 503'];
  // Caddy has an order of its own for what stands beside each other; in a route it is as written.
  return [
    block("route", [
      ...Object.entries(answerHeaders(edge))
        // RFC 6797 §7.2: never over plain HTTP.
        .filter(([name]) => isSecure || name !== hstsHeader)
        // Only where the service has not set its own.
        .map(([name, value]) => `header ?${name} ${text(value)}`),
      ...edge.allowLists.flatMap(allowList),
      ...corsLines(edge.cors),
      // One whose length is announced is refused before the service sees it; another one when it has become too long.
      `@too-large expression \`${length} != "" && int(${length}) > ${edge.bodyBytes}\``,
      "respond @too-large 413",
      block("request_body", [`max_size ${Math.max(1, edge.bodyBytes)}B`]),
      ...ordered(behind).flatMap(handleOf),
    ]),
  ];
}

/** Those of the host before those of any, and of each the longest path first: as Slipway's edge chooses. Nothing comes after the root. */
function ordered(behind: readonly Behind[]): readonly Behind[] {
  const isOfHost = ({ route }: Behind): number => (route.host === null ? 1 : 0);
  const sorted = [...behind].sort(
    (one, other) => isOfHost(one) - isOfHost(other) || other.route.path.length - one.route.path.length,
  );
  const last = sorted.findIndex(({ route }) => route.path === "/");
  return last === -1 ? sorted : sorted.slice(0, last + 1);
}

function handleOf({ service, route }: Behind, index: number): readonly string[] {
  const proxy = [
    ...(route.strip && route.path !== "/" ? [`uri strip_prefix ${text(route.path)}`] : []),
    block(`reverse_proxy ${service.name}:${service.container.port}`, [`lb_try_duration ${tryFor}`]),
  ];
  if (route.path === "/") return [block("handle", proxy)];
  const name = `@${service.name}-${index}`;
  return [`${name} ${pathMatcher(route.path)}`, block(`handle ${name}`, proxy)];
}

/** The path and all below it. */
function pathMatcher(path: string): string {
  const bare = path.replace(/\/+$/, "");
  if (/^[\w./~-]+$/.test(bare)) return `path ${bare} ${bare}/*`;
  return `path_regexp ${text(`^${bare.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&")}(?:/|$)`)}`;
}

function allowList({ prefix, allow }: EdgeSpec["allowLists"][number], index: number): readonly string[] {
  const name = `@closed-${index}`;
  return [
    block(name, [pathMatcher(prefix), ...(allow.length === 0 ? [] : [`not client_ip ${allow.join(" ")}`])]),
    `respond ${name} 403`,
  ];
}

function corsLines(cors: EdgeSpec["cors"]): readonly string[] {
  if (cors === null) return [];
  const any = cors.origins.includes("*");
  const origins = cors.origins.map((origin) => origin.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join("|");
  return [
    block("@cors", [any ? "header Origin *" : `header_regexp Origin ${text(`^(?:${origins})$`)}`]),
    block("@preflight", [
      "method OPTIONS",
      any ? "header Origin *" : `header_regexp Origin ${text(`^(?:${origins})$`)}`,
      "header Access-Control-Request-Method *",
    ]),
    block("header @cors", [
      `Access-Control-Allow-Origin ${any && !cors.credentials ? '"*"' : '"{http.request.header.Origin}"'}`,
      ...(cors.credentials ? ['Access-Control-Allow-Credentials "true"'] : []),
      ...(any ? [] : ["+Vary Origin"]),
      "defer",
    ]),
    block("handle @preflight", [
      `header Access-Control-Allow-Methods ${text(cors.methods.join(", "))}`,
      ...(cors.headers.length === 0 ? [] : [`header Access-Control-Allow-Headers ${text(cors.headers.join(", "))}`]),
      `header Access-Control-Max-Age ${text(String(cors.maxAgeS))}`,
      "respond 204",
    ]),
  ];
}

/**
 * One word, in which Caddy puts nothing in. Within double quotes a backslash is itself but before one of them; within backquotes
 * everything is itself.
 */
function text(value: string): string {
  const plain = value.replaceAll("{", "\\{");
  return /["\\]/.test(plain) && !plain.includes("`") ? `\`${plain}\`` : `"${plain.replaceAll('"', '\\"')}"`;
}

function block(head: string, lines: readonly string[]): string {
  const inner = lines.flatMap((line) => line.split("\n")).map((line) => `\t${line}`);
  return [head === "" ? "{" : `${head} {`, ...inner, "}"].join("\n");
}
