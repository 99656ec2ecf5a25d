import type { z } from "zod";
import { isUrlPath, parseCidr, parseListen, parseRoute } from "./addresses.ts";
import { checkedText, notA } from "./values.ts";

/** A path of a URL, as the edge matches it: decoded, with no dots, query or doubled slash. */
export function urlPath(): z.ZodType<string, string> {
  const allowed = "a path that begins with /, such as /api";
  return checkedText({ type: "string", allowed, pattern: "^/" }, (seen) => {
    const refused = !isUrlPath(seen);
    return refused ? notA(seen, "path", allowed, isUrlPath(`/${seen}`) ? `/${seen}` : undefined) : null;
  });
}

/** `/api`, `example.org` or `example.org/api`. */
export function routeText(): z.ZodType<string, string> {
  const allowed = '"/path", "host" or "host/path", such as "/api" or "example.org/api"';
  return checkedText({ type: "string", allowed }, (seen) => {
    if (parseRoute(seen) !== null) return null;
    const bare = seen
      .toLowerCase()
      .replace(/^https?:\/\//, "")
      .replace(/:\d+(?=\/|$)/, "");
    return notA(seen, "route", allowed, parseRoute(bare) === null ? undefined : bare);
  });
}

export function hostName(): z.ZodType<string, string> {
  const allowed = "a host name in small letters, without scheme and port, such as example.org";
  return checkedText({ type: "string", allowed }, (seen) => {
    if (parseRoute(seen)?.host === seen) return null;
    const bare = seen
      .toLowerCase()
      .replace(/^https?:\/\//, "")
      .replace(/[:/].*$/, "");
    return notA(seen, "host name", allowed, parseRoute(bare)?.host === bare ? bare : undefined);
  });
}

/** A name of a certificate: `example.org`, or `*.example.org` for every name with one label more (RFC 6125 §6.4.3). */
export function certificateName(): z.ZodType<string, string> {
  const allowed = "a host name in small letters, such as example.org, or *.example.org for every name right below it";
  return checkedText({ type: "string", allowed }, (seen) => {
    const bare = seen.replace(/^\*\./, "");
    return parseRoute(bare)?.host === bare ? null : notA(seen, "name of a certificate", allowed);
  });
}

/** `:8080`, `127.0.0.1:8080`, `[::1]:8080`. */
export function listenText(): z.ZodType<string, string> {
  const allowed = '":8080", "127.0.0.1:8080" or 8080';
  return checkedText({ type: "string", allowed }, (seen) =>
    parseListen(seen) === null ? notA(seen, "place to listen", allowed) : null,
  );
}

/** `10.0.0.0/8`, `192.0.2.1`, `2001:db8::/32`. */
export function cidr(): z.ZodType<string, string> {
  const allowed = "an IP address or a range, such as 10.0.0.0/8";
  return checkedText({ type: "string", allowed }, (seen) =>
    parseCidr(seen) === null ? notA(seen, "range of IP addresses", allowed) : null,
  );
}

/** `https://example.org`, as a browser sends it in `Origin`, or `*`. */
export function origin(): z.ZodType<string, string> {
  const allowed = '"*" or a scheme and a host with nothing after it, such as https://example.org';
  const pattern = /^https?:\/\/[a-z0-9.-]+(:\d{1,5})?$/;
  return checkedText({ type: "string", allowed, pattern: `^\\*$|${pattern.source}` }, (seen) => {
    if (seen === "*" || pattern.test(seen)) return null;
    const bare = seen.toLowerCase().replace(/\/+$/, "");
    return notA(seen, "web origin", allowed, pattern.test(bare) ? bare : undefined);
  });
}

/** A name a header, a cookie or an HTTP method may have (RFC 9110 §5.6.2, token). */
export function token(what: string, example: string): z.ZodType<string, string> {
  const allowed = `letters, digits and dashes, such as ${example}`;
  const pattern = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/;
  return checkedText({ type: "string", allowed, pattern: pattern.source }, (seen) =>
    pattern.test(seen) ? null : notA(seen, what, allowed),
  );
}

/** A value that means itself wherever it is written: in a header, a cookie and a matcher of any edge. */
export function markText(): z.ZodType<string, string> {
  const allowed = 'letters, digits, ".", "_", "~" and "-", such as 1 or always';
  const pattern = /^[0-9A-Za-z._~-]{1,100}$/;
  return checkedText({ type: "string", allowed, pattern: pattern.source }, (seen) =>
    pattern.test(seen) ? null : notA(seen, "value", allowed),
  );
}

/** What a header may hold (RFC 9110 §5.5): one line. */
export function headerValue(): z.ZodType<string, string> {
  const allowed = "one line of text";
  return checkedText({ type: "string", allowed }, (seen) =>
    /^[\t\x20-\x7e\x80-\xff]*$/.test(seen) && seen.length <= 8192 ? null : `not a header's value; use ${allowed}`,
  );
}
