import { STATUS_CODES } from "node:http";
import { type Handler, logged, type Route } from "./json.ts";

/** Every answer that Caddy gives by itself: its code, its words, and how long to wait before the next try. */
const pages = {
  BAD_PATH: [400, "The path of the request cannot be read in one way only."],
  BAD_HOST: [400, "The request must name exactly one valid host."],
  NOT_ALLOWED_FROM_HERE: [403, "This path is not open to your address."],
  NO_ROUTE: [404, "Nothing is served at this path."],
  BAD_METHOD: [405, "This method is not passed on."],
  BODY_TOO_LARGE: [413, "The request's body is larger than is allowed here."],
  UNKNOWN_HOST: [421, "This host is not served here."],
  CLIENT_LEFT: [499, "The client left before the answer."],
  EDGE_FAULT: [500, "The edge failed to handle this request."],
  SERVICE_UNREACHABLE: [502, "The service could not be connected to."],
  SERVICE_GARBLED: [502, "The service's answer could not be understood."],
  SERVICE_BROKE_OFF: [502, "The service broke off before it answered."],
  NO_ROUTES_YET: [503, "This edge has not been told what to serve yet.", 1],
  NO_INSTANCE: [503, "The service has no running instance.", 1],
  MAINTENANCE: [503, "The service is down for maintenance and will be back.", 60],
  HELD_TOO_LONG: [503, "The service is being switched over, and it took too long.", 1],
  TOO_MANY_WAITING: [503, "The service is being switched over, and too many requests wait.", 1],
  SERVICE_TIMEOUT: [504, "The service did not answer in time."],
} as const satisfies Record<string, readonly [status: number, detail: string, retryAfterS?: number]>;

export type PageCode = keyof typeof pages;

/** What Caddy's own failures mean, by `<status> <message>`; the first that fits. */
const meanings: readonly (readonly [pattern: string, code: PageCode])[] = [
  ["^413 ", "BODY_TOO_LARGE"],
  ["http: request body too large", "BODY_TOO_LARGE"],
  ["^499 ", "CLIENT_LEFT"],
  ["^504 dial ", "SERVICE_UNREACHABLE"],
  ["^502 dial ", "SERVICE_UNREACHABLE"],
  ["^50[02] making dial info", "NO_INSTANCE"],
  ["^503 no upstreams", "SERVICE_UNREACHABLE"],
  ["malformed HTTP", "SERVICE_GARBLED"],
  ["^502 ", "SERVICE_BROKE_OFF"],
  ["^504 ", "SERVICE_TIMEOUT"],
  ["^400 ", "BAD_HOST"],
  ["^405 ", "BAD_METHOD"],
];

/** A failure on purpose: `pageOf` turns it into the answer. */
export const refuse = (code: PageCode): Handler => ({ handler: "error", status_code: pages[code][0], error: code });

/** Routes for errors: HTML for browsers, JSON for those who ask for it, else text. No address and no cause is shown. */
export function pageRoutes(): Route[] {
  const codes = Object.keys(pages) as PageCode[];
  return [
    {
      handle: [
        {
          handler: "map",
          source: "{http.error.status_code} {http.error.message}",
          destinations: [
            "{slipway.status}",
            "{slipway.title}",
            "{slipway.code}",
            "{slipway.detail}",
            "{slipway.retry}",
          ],
          mappings: [
            ...codes.map((code) => ({ input: `${pages[code][0]} ${code}`, outputs: outputs(code) })),
            ...meanings.map(([pattern, code]) => ({ input_regexp: pattern, outputs: outputs(code) })),
          ],
          defaults: outputs("EDGE_FAULT"),
        },
        logged("code", "{slipway.code}"),
        { handler: "headers", response: { set: { "Cache-Control": ["no-store"] } } },
      ],
    },
    {
      match: [{ not: [{ vars: { "{slipway.retry}": [""] } }] }],
      handle: [{ handler: "headers", response: { set: { "Retry-After": ["{slipway.retry}"] } } }],
    },
    {
      match: [{ vars: { "{slipway.code}": ["BAD_METHOD"] } }],
      handle: [{ handler: "headers", response: { set: { Allow: ["GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"] } } }],
    },
    page(html, "text/html; charset=utf-8", "*text/html*"),
    page(json, "application/json; charset=utf-8", "*json*"),
    page(text, "text/plain; charset=utf-8", null),
  ];
}

function outputs(code: PageCode): string[] {
  const [status, detail, retryAfterS] = pages[code] as readonly [number, string, number?];
  return [String(status), STATUS_CODES[status] ?? "Error", code, detail, String(retryAfterS ?? "")];
}

function page(body: string, type: string, accept: string | null): Route {
  return {
    ...(accept === null ? {} : { match: [{ header: { Accept: [accept] } }] }),
    handle: [
      { handler: "static_response", status_code: "{slipway.status}", headers: { "Content-Type": [type] }, body },
    ],
  };
}

const html = `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{slipway.status} {slipway.title}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:18vh auto;padding:0 1.5rem;color:#222}h1{font-size:1.4rem}small{color:#777}@media(prefers-color-scheme:dark){body{background:#161616;color:#ddd}}</style>
<h1>{slipway.title}</h1><p>{slipway.detail}</p><p><small>{slipway.status} {slipway.code} · trace {http.vars.trace}</small></p></html>
`;
const json = `{"error": {"code": "{slipway.code}", "status": {slipway.status}, "message": "{slipway.detail}", "trace": "{http.vars.trace}"}}
`;
const text = "{slipway.status} {slipway.title}: {slipway.detail}\n{slipway.code} trace {http.vars.trace}\n";
