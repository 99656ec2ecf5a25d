import { STATUS_CODES } from "node:http";
import type { Refusal } from "./request-head.ts";

export type Page = { readonly type: string; readonly body: string };

/** An answer of the edge's own: HTML for browsers, JSON for those who ask for it, else text. Shows no address and no cause. */
export function page(refusal: Refusal, traceId: string, accept: string): Page {
  const { status, code, detail } = refusal;
  const title = STATUS_CODES[status] ?? "Error";
  if (accept.includes("text/html")) {
    return {
      type: "text/html; charset=utf-8",
      body: `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${status} ${title}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:18vh auto;padding:0 1.5rem;color:#222}h1{font-size:1.4rem}small{color:#777}@media(prefers-color-scheme:dark){body{background:#161616;color:#ddd}}</style>
<h1>${title}</h1><p>${detail}</p><p><small>${status} ${code} · trace ${traceId}</small></p></html>
`,
    };
  }
  if (accept.includes("json")) {
    const error = { code, status, message: detail, trace: traceId };
    return { type: "application/json; charset=utf-8", body: `${JSON.stringify({ error })}\n` };
  }
  return { type: "text/plain; charset=utf-8", body: `${status} ${title}: ${detail}\n${code} trace ${traceId}\n` };
}

export const refusals = {
  badPath: { status: 400, code: "BAD_PATH", detail: "The path of the request cannot be read in one way only." },
  badHost: { status: 400, code: "BAD_HOST", detail: "The request must name exactly one valid host." },
  badAuthority: { status: 400, code: "BAD_HOST", detail: "The request names two different hosts." },
  badMessage: { status: 400, code: "BAD_REQUEST", detail: "The request is not valid HTTP." },
  forbidden: { status: 403, code: "NOT_ALLOWED_FROM_HERE", detail: "This path is not open to your address." },
  noRoute: { status: 404, code: "NO_ROUTE", detail: "Nothing is served at this path." },
  badMethod: { status: 405, code: "BAD_METHOD", detail: "This method is not passed on." },
  slowRequest: { status: 408, code: "REQUEST_TIMEOUT", detail: "The request did not arrive in time." },
  bodyTooLarge: { status: 413, code: "BODY_TOO_LARGE", detail: "The request's body is larger than is allowed here." },
  wrongHost: { status: 421, code: "UNKNOWN_HOST", detail: "This host is not served here." },
  tooManyRequests: {
    status: 429,
    code: "TOO_MANY_REQUESTS",
    detail: "Too many requests from your address; wait a moment.",
  },
  headersTooLarge: {
    status: 431,
    code: "HEADERS_TOO_LARGE",
    detail: "The request's headers are larger than is allowed here.",
  },
  internal: { status: 500, code: "EDGE_FAULT", detail: "The edge failed to handle this request." },
  unreachable: { status: 502, code: "SERVICE_UNREACHABLE", detail: "The service could not be connected to." },
  broken: { status: 502, code: "SERVICE_BROKE_OFF", detail: "The service broke off before it answered." },
  garbled: { status: 502, code: "SERVICE_GARBLED", detail: "The service's answer could not be understood." },
  noTable: { status: 503, code: "NO_ROUTES_YET", detail: "This edge has not been told what to serve yet." },
  noInstance: { status: 503, code: "NO_INSTANCE", detail: "The service has no running instance." },
  maintenance: { status: 503, code: "MAINTENANCE", detail: "The service is down for maintenance and will be back." },
  heldTooLong: {
    status: 503,
    code: "HELD_TOO_LONG",
    detail: "The service is being switched over, and it took too long.",
  },
  holdFull: {
    status: 503,
    code: "TOO_MANY_WAITING",
    detail: "The service is being switched over, and too many requests wait.",
  },
  wakingTooLong: {
    status: 503,
    code: "WAKING_TOO_LONG",
    detail: "This was asleep and is being started, and it took too long.",
  },
  tooBusy: { status: 503, code: "SERVICE_BUSY", detail: "The service has too many requests at once." },
  slowService: { status: 504, code: "SERVICE_TIMEOUT", detail: "The service did not answer in time." },
} as const satisfies Record<string, Refusal>;
