import { METHODS } from "node:http";
import type { Refusal } from "./request-head.ts";

/** A request in HTTP/2 as it would have been spelled in HTTP/1.1, which is what services are sent. */
export type Http2Head = {
  readonly method: string;
  readonly target: string;
  /** Name, value, name, value, …; `Host` first. */
  readonly raw: readonly string[];
  readonly refusal: Refusal | null;
};

/**
 * Reads the raw headers of a stream. In HTTP/1.1 the parser refuses what two programs could read in two ways; here bytes
 * have no lines, so a header may hold what would become several in HTTP/1.1 (RFC 9113 §8.2.1, §10.3). nghttp2 resets most
 * of it before it comes here; everything is checked again, because what is passed on is ours to answer for.
 */
export function readHttp2Head(raw: readonly string[], endsWithHead: boolean): Http2Head {
  const pseudo = new Map<string, string>();
  const fields: string[] = [];
  const cookies: string[] = [];
  let host: string | null = null;
  let length: string | null = null;
  let wrong = false;
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const name = raw[index] as string;
    const value = raw[index + 1] as string;
    if (name.startsWith(":")) {
      // Each once, known, and before all others.
      if (!pseudoNames.has(name) || pseudo.has(name) || fields.length > 0) wrong = true;
      pseudo.set(name, value);
    } else if (!fieldName.test(name) || !fieldValue.test(value) || connectionNames.has(name)) wrong = true;
    else if (name === "host") {
      if (host !== null) wrong = true;
      host = value;
    } else if (name === "cookie") cookies.push(value);
    else if (name === "te") {
      if (value !== "trailers") wrong = true;
    } else {
      if (name === "content-length") {
        if (length !== null || !/^\d{1,15}$/.test(value)) wrong = true;
        length = value;
      }
      fields.push(name, value);
    }
  }
  const method = pseudo.get(":method") ?? "";
  const target = pseudo.get(":path") ?? "";
  const authority = pseudo.get(":authority") ?? host ?? "";
  // RFC 9113 §8.2.3: crumbs of one cookie header, which is one in HTTP/1.1.
  if (cookies.length > 0) fields.push("cookie", cookies.join("; "));
  // A body without a length is chunked in HTTP/1.1.
  if (!endsWithHead && length === null) fields.push("transfer-encoding", "chunked");
  if (endsWithHead && length !== null && Number(length) !== 0) wrong = true;
  return {
    method: methods.has(method) ? method : "-",
    target,
    raw: ["host", authority, ...fields],
    refusal: refusalOf(),
  };

  function refusalOf(): Refusal | null {
    if (!methods.has(method)) return methodRefused;
    // CONNECT has neither path nor scheme, and is refused by its method.
    if (wrong || (method !== "CONNECT" && !isTarget(target))) return malformed;
    if (authority === "" || (host !== null && host.toLowerCase() !== authority.toLowerCase())) return hostRefused;
    if (method !== "CONNECT" && pseudo.get(":scheme") !== "https") return schemeRefused;
    return null;
  }
}

/** Origin form in visible ASCII or above: a blank would end the target in an HTTP/1.1 request line. */
function isTarget(target: string): boolean {
  return target === "*" || /^\/[\x21-\x7e\x80-\xff]*$/.test(target);
}

const pseudoNames = new Set([":method", ":path", ":scheme", ":authority"]);
/** RFC 9113 §8.2.2: malformed when they come. */
const connectionNames = new Set(["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"]);
/** Lower case only (RFC 9113 §8.2). */
const fieldName = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
const fieldValue = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/;
/** What HTTP/1.1's parser knows, so that both versions let the same through. */
const methods = new Set(METHODS);

const malformed: Refusal = { status: 400, code: "BAD_REQUEST", detail: "The request is not valid HTTP." };
const methodRefused: Refusal = { status: 400, code: "BAD_METHOD", detail: "This method is not known here." };
const hostRefused: Refusal = { status: 400, code: "BAD_HOST", detail: "The request must name exactly one valid host." };
const schemeRefused: Refusal = { status: 400, code: "BAD_SCHEME", detail: "The only scheme served here is https." };
