import type { IpSet } from "../../../lib/ip.ts";
import { newTraceparent, traceIdOf } from "./trace.ts";

/** Who is at the other end of a connection, and how the connection speaks. */
export type Peer = { readonly ip: string; readonly trusted: boolean; readonly scheme: "http" | "https" };

/** Why a request is not served: an answer of the edge's own. `detail` is for the client, and names no inner thing. */
export type Refusal = { readonly status: number; readonly code: string; readonly detail: string };

/** What the edge needs to know of a request's head, and the headers its service is sent. */
export class RequestHead {
  refusal: Refusal | null = null;
  /** As the client spelled it. */
  host = "";
  /** -1 when there is none. */
  contentLength = -1;
  chunked = false;
  upgrade = "";
  expectsContinue = false;
  /** The client reads trailers (RFC 9110 §10.1.4). */
  takesTrailers = false;
  cookie = "";
  origin = "";
  userAgent = "";
  clientIp = "";
  scheme: "http" | "https" = "http";
  traceId = "";
  /** Name, value, name, value, … with the hop-by-hop ones gone and the edge's own in place. */
  readonly headers: string[] = [];

  get hasBody(): boolean {
    return this.chunked || this.contentLength > 0;
  }
}

/**
 * Reads the raw headers of a request, checks what node:http leaves open, and writes the headers to pass on in the same
 * walk. X-Forwarded-*, Forwarded and trace headers are believed only when the peer is one of the trusted proxies.
 */
export function readHead(raw: readonly string[], http11: boolean, peer: Peer, trusted: IpSet): RequestHead {
  const head = new RequestHead();
  const out = head.headers;
  let hosts = 0;
  let connection = "";
  let encodings = "";
  let forwardedFor = "";
  let forwardedProto = "";
  let forwardedHost = "";
  let traceparent = "";
  let tracestate = "";
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] as string;
    const value = raw[index + 1] as string;
    switch (seen.get(name) ?? kindOf(name)) {
      case is.pass:
        out.push(name, value);
        break;
      case is.host:
        hosts += 1;
        head.host = value;
        out.push(name, value);
        break;
      case is.cookie:
        head.cookie = head.cookie === "" ? value : `${head.cookie}; ${value}`;
        out.push(name, value);
        break;
      case is.origin:
        head.origin = value;
        out.push(name, value);
        break;
      case is.userAgent:
        head.userAgent = value;
        out.push(name, value);
        break;
      case is.connection:
        connection = connection === "" ? value : `${connection},${value}`;
        break;
      case is.contentLength:
        head.contentLength = Number(value);
        out.push(name, value);
        break;
      case is.transferEncoding:
        encodings = encodings === "" ? value : `${encodings},${value}`;
        break;
      case is.upgrade:
        head.upgrade = value.toLowerCase();
        break;
      case is.expect:
        if (value.toLowerCase() === "100-continue") head.expectsContinue = true;
        else head.refusal = expectationRefused;
        break;
      case is.te:
        head.takesTrailers = /(?:^|[,\s])trailers(?:$|[,;\s])/i.test(value);
        break;
      case is.forwardedFor:
        forwardedFor = forwardedFor === "" ? value : `${forwardedFor}, ${value}`;
        break;
      case is.forwardedProto:
        forwardedProto = value;
        break;
      case is.forwardedHost:
        forwardedHost = value;
        break;
      case is.forwardedOther:
        if (peer.trusted) out.push(name, value);
        break;
      case is.traceparent:
        traceparent = value;
        break;
      case is.tracestate:
        tracestate = tracestate === "" ? value : `${tracestate},${value}`;
        break;
    }
  }

  if (hosts !== 1) head.refusal = hostRefused;
  // RFC 9112 §6.1: only chunked, once, and never in HTTP/1.0. Anything else has been read in two ways by two programs.
  if (encodings !== "") {
    if (!http11 || encodings.toLowerCase() !== "chunked" || head.contentLength !== -1) head.refusal = encodingRefused;
    head.chunked = true;
  }
  if (connection !== "" && !ordinaryConnection.has(connection)) removeNamed(out, connection);

  head.clientIp = peer.ip;
  head.scheme = peer.scheme;
  if (peer.trusted) {
    if (forwardedFor !== "") head.clientIp = clientOf(forwardedFor, peer.ip, trusted);
    if (forwardedProto !== "") head.scheme = forwardedProto.toLowerCase() === "https" ? "https" : "http";
    const traceId = traceparent === "" ? null : traceIdOf(traceparent);
    if (traceId !== null) {
      head.traceId = traceId;
      out.push("traceparent", traceparent);
      if (tracestate !== "") out.push("tracestate", tracestate);
    }
    out.push("x-forwarded-for", forwardedFor === "" ? peer.ip : `${forwardedFor}, ${peer.ip}`);
    out.push("x-forwarded-host", forwardedHost === "" ? head.host : forwardedHost);
  } else out.push("x-forwarded-for", peer.ip, "x-forwarded-host", head.host);
  out.push("x-forwarded-proto", head.scheme);
  if (head.traceId === "") {
    const started = newTraceparent();
    head.traceId = started.slice(3, 35);
    out.push("traceparent", started);
  }
  return head;
}

const hostRefused: Refusal = {
  status: 400,
  code: "BAD_HOST",
  detail: "The request must name exactly one valid host.",
};
const encodingRefused: Refusal = {
  status: 400,
  code: "BAD_TRANSFER_ENCODING",
  detail: "The only transfer encoding understood here is chunked, in HTTP/1.1 and without a Content-Length.",
};
const expectationRefused: Refusal = {
  status: 417,
  code: "BAD_EXPECTATION",
  detail: "The only expectation understood here is 100-continue.",
};

const ordinaryConnection = new Set(["keep-alive", "Keep-Alive", "close", "Upgrade", "upgrade", "keep-alive, Upgrade"]);

/** RFC 9110 §7.6.1: what Connection names is for this connection only. What the edge itself adds is added afterwards. */
function removeNamed(headers: string[], connection: string): void {
  const named = new Set(
    connection
      .toLowerCase()
      .split(",")
      .map((text) => text.trim()),
  );
  // Without these two the request would mean something else.
  named.delete("host");
  named.delete("content-length");
  let kept = 0;
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = headers[index] as string;
    if (named.has(name.toLowerCase())) continue;
    headers[kept] = name;
    headers[kept + 1] = headers[index + 1] as string;
    kept += 2;
  }
  headers.length = kept;
}

/** The rightmost address that no trusted proxy has: what stands left of it, a client may have made up. */
function clientOf(forwardedFor: string, peerIp: string, trusted: IpSet): string {
  let client = peerIp;
  for (const part of forwardedFor.split(",").reverse()) {
    const ip = part.trim().replace(/^\[(.*)\]$/, "$1");
    if (!/^[0-9a-fA-F.:]{2,45}$/.test(ip)) return client;
    client = ip;
    if (!trusted.has(ip)) return client;
  }
  return client;
}

const is = {
  pass: 0,
  drop: 1,
  host: 2,
  cookie: 3,
  origin: 4,
  userAgent: 5,
  connection: 6,
  contentLength: 7,
  transferEncoding: 8,
  upgrade: 9,
  expect: 10,
  forwardedFor: 11,
  forwardedProto: 12,
  forwardedHost: 13,
  forwardedOther: 14,
  traceparent: 15,
  tracestate: 16,
  te: 17,
} as const;

const kinds = new Map<string, number>([
  ["host", is.host],
  ["cookie", is.cookie],
  ["origin", is.origin],
  ["user-agent", is.userAgent],
  ["connection", is.connection],
  ["content-length", is.contentLength],
  ["transfer-encoding", is.transferEncoding],
  ["upgrade", is.upgrade],
  ["expect", is.expect],
  ["te", is.te],
  ["x-forwarded-for", is.forwardedFor],
  ["x-forwarded-proto", is.forwardedProto],
  ["x-forwarded-host", is.forwardedHost],
  ["traceparent", is.traceparent],
  ["tracestate", is.tracestate],
  // Hop by hop (RFC 9110 §7.6.1), whether Connection names them or not.
  ...["keep-alive", "proxy-connection", "proxy-authorization", "trailer", "http2-settings"].map(
    (name) => [name, is.drop] as const,
  ),
  // What services take a client's address, scheme or path from. The last two have bypassed path rules of other proxies.
  ...[
    "forwarded",
    "x-real-ip",
    "x-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
    "x-cluster-client-ip",
    "x-forwarded-port",
    "x-forwarded-server",
    "x-forwarded-prefix",
    "x-forwarded-ssl",
    "x-forwarded-scheme",
    "x-forwarded-by",
    "x-forwarded",
    "x-url-scheme",
    "front-end-https",
    "x-trace-id",
    "x-original-url",
    "x-rewrite-url",
  ].map((name) => [name, is.forwardedOther] as const),
]);

const rememberedNames = 1000;
/** By the spelling of the client; a hit saves the lower-casing of each name of each request. */
const seen = new Map<string, number>();

function kindOf(name: string): number {
  const lower = name.toLowerCase();
  // CGI and WSGI read `X_Real_IP` and `X-Real-IP` as one name; a client could set the one past the other.
  const kind = kinds.get(lower) ?? (lower.includes("_") && kinds.has(lower.replaceAll("_", "-")) ? is.drop : is.pass);
  if (seen.size < rememberedNames) seen.set(name, kind);
  return kind;
}
