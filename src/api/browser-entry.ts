import { createHash } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { SlipwayError } from "../core/errors/error.ts";
import type { BrowserSession, BrowserSessions, Halves } from "./browser-sessions.ts";
import { pageHalfHeader } from "./dashboard-contract.ts";

/** Two control planes of one machine share a host, and with it its cookies: each has its own name, the same after each start. */
export function cookieName(token: string): string {
  return `slipway_${createHash("sha256").update(`dashboard cookie of ${token}`).digest("hex").slice(0, 16)}`;
}

/** Only the API's paths; gone when the browser is closed. Not `Secure`: it goes over loopback, in clear. */
export function sessionCookie(name: string, value: string): string {
  return `${name}=${value}; Path=/v1; HttpOnly; SameSite=Strict`;
}

export function endedCookie(name: string): string {
  return `${sessionCookie(name, "")}; Max-Age=0`;
}

/** What of a session the request carries; null where it does not claim to be of a browser that has one. */
export function halvesOf(headers: IncomingHttpHeaders, name: string): Halves | null {
  const page = headers[pageHalfHeader];
  const pairs = (headers.cookie ?? "").split(";").map((pair) => pair.trim());
  const cookie = pairs.find((pair) => pair.startsWith(`${name}=`))?.slice(name.length + 1);
  return typeof page === "string" && cookie !== undefined ? { cookie, page } : null;
}

/** Errors: UNAUTHORIZED, FORBIDDEN. */
export function enter(
  sessions: BrowserSessions,
  { method, headers }: { readonly method: string; readonly headers: IncomingHttpHeaders },
  halves: Halves,
): BrowserSession {
  mustBeOurPage(method, headers);
  const session = sessions.of(halves);
  if (session !== null) return session;
  throw new SlipwayError("UNAUTHORIZED", {
    message: "this browser has no session here, or it is over",
    hint: "make another link: slipway dashboard",
  });
}

/** What gives somebody else the right to speak: another session, a link in a person's name, an agent's token. */
const handsOut: ReadonlySet<string> = new Set(["/v1/dashboard/links", "/v1/deployments/:id/links", "/v1/agent-tokens"]);

/** A session is its person's own: it speaks in no other name, and makes nothing that would. Errors: FORBIDDEN. */
export function mustBeOwn({ person }: BrowserSession, route: string | undefined, body: unknown): void {
  if (route !== undefined && handsOut.has(route))
    throw new SlipwayError("FORBIDDEN", {
      message: "a session of a browser gives nobody else the right to speak",
      hint: "type it where the control plane runs: slipway --help",
    });
  const { actor = person } = (body ?? {}) as { readonly actor?: unknown };
  if (actor === person) return;
  throw new SlipwayError("FORBIDDEN", {
    message: `this session speaks as ${person}, and as nobody else`,
    hint: "run slipway dashboard as the person who is meant",
  });
}

/** Tunnels to this machine end on another port there, so any port of a name for this machine is right. */
const loopback = /^(?:127\.0\.0\.1|\[::1\]|localhost|[a-z0-9-]+\.localhost)(?::\d{1,5})?$/i;

/**
 * A browser says from which page a request comes: only ours may change anything, and no other may even ask. The host must be a name of
 * this machine, which a name that somebody else owns and points here is not. Errors: FORBIDDEN.
 */
export function mustBeOurPage(method: string, headers: IncomingHttpHeaders): void {
  const { host = "", origin } = headers;
  const from = headers["sec-fetch-site"];
  if (!loopback.test(host)) throw foreign(`${JSON.stringify(host.slice(0, 100))} is no name of this machine`);
  if (from !== undefined && from !== "same-origin") throw foreign(`it comes from a page that is ${from}`);
  if (origin === undefined && method === "GET") return;
  if (origin === `http://${host}`) return;
  throw foreign(
    origin === undefined
      ? "it does not say which page it comes from"
      : `it comes from ${JSON.stringify(origin.slice(0, 100))}`,
  );
}

function foreign(why: string): SlipwayError {
  return new SlipwayError("FORBIDDEN", {
    message: `only the dashboard's own page may ask this with its session: ${why}`,
    hint: "open the dashboard by the address that slipway dashboard prints",
  });
}
