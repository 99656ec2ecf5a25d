import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { extname, join } from "node:path";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { SlipwayError } from "../../core/errors/error.ts";
import type { World } from "../../engine/world.ts";
import { cookieName, endedCookie, mustBeOurPage, sessionCookie } from "../browser-entry.ts";
import type { BrowserSession, BrowserSessions } from "../browser-sessions.ts";
import {
  type DashboardLinkView,
  type DashboardOpenedView,
  type DashboardSessionView,
  dashboardLinkBody,
  openDashboardBody,
} from "../dashboard-contract.ts";

export type DashboardOptions = {
  /** What was built of it. */
  readonly directory: string;
  readonly product: string;
};

type Deps = DashboardOptions & {
  readonly token: string;
  readonly version: string;
  readonly sessions: BrowserSessions;
  /** Null for whoever came in with the token. */
  readonly sessionOf: (request: FastifyRequest) => BrowserSession | null;
};

const openPath = "/v1/dashboard/open";

/** What everybody may ask: the page's own files, which hold no secret, and to open a session with a code. */
export function isOfTheDoor({ method, url }: { readonly method: string; readonly url: string }): boolean {
  return (method === "GET" && /^\/dashboard(?:[/?]|$)/.test(url)) || (method === "POST" && url === openPath);
}

export function dashboardRoutes(server: FastifyInstance, world: World, deps: Deps): void {
  const { sessions, sessionOf, product, version, directory } = deps;
  const cookie = cookieName(deps.token);
  const view = ({ person, until }: BrowserSession): DashboardSessionView => ({ person, until, product, version });

  server.post("/v1/dashboard/links", async (request): Promise<DashboardLinkView> => {
    const { code, until } = sessions.invite(dashboardLinkBody.parse(request.body).actor);
    return { path: `/dashboard/#code=${code}`, until };
  });

  server.post(openPath, async (request, reply): Promise<DashboardOpenedView> => {
    mustBeOurPage(request.method, request.headers);
    const opened = sessions.open(openDashboardBody.parse(request.body).code);
    reply.header("set-cookie", sessionCookie(cookie, opened.cookie)).header("cache-control", "no-store");
    world.log.info("dashboard.opened", { person: opened.session.person });
    return { ...view(opened.session), half: opened.page };
  });

  server.get("/v1/dashboard/session", async (request): Promise<DashboardSessionView> => {
    const session = sessionOf(request);
    if (session === null) throw new SlipwayError("NOT_FOUND", { message: "the token is of no session" });
    return view(session);
  });

  /** Of a browser: its own session; with the token: every one. */
  server.post("/v1/dashboard/end", async (request, reply) => {
    const session = sessionOf(request);
    if (session === null) return { ended: sessions.endAll() };
    reply.header("set-cookie", endedCookie(cookie));
    sessions.end(session);
    return { ended: 1 };
  });

  server.get<{ Params: { file: string } }>("/dashboard/assets/:file", async (request, reply) => {
    const { file } = request.params;
    const type = types[extname(file)];
    const content =
      /^[\w.-]+$/.test(file) && type !== undefined ? await readOrNull(join(directory, "assets", file)) : null;
    if (type === undefined || content === null)
      throw new SlipwayError("NOT_FOUND", { message: "the dashboard has no such file", hint: "load the page again" });
    // Its name holds a digest of its content.
    const headers = { ...always, "content-type": type, "cache-control": "public, max-age=31536000, immutable" };
    return reply.headers(headers).send(content);
  });

  const index = async (_request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const text = (await readOrNull(join(directory, "index.html")))?.toString("utf8");
    if (text === undefined)
      throw new SlipwayError("NOT_FOUND", {
        message: "this build of slipway has no dashboard",
        hint: "install the published package, or run: npm run build",
      });
    const nonce = randomBytes(16).toString("base64");
    return reply.headers({ ...always, ...pageHeaders(nonce) }).send(text.replace("{{nonce}}", nonce));
  };
  // Which page it is, the page itself reads out of its address.
  server.get("/dashboard", index);
  server.get("/dashboard/*", index);
}

const always = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
} as const;

/** Scripts are files of ours; styles too, but for those of the component library, which carry the nonce. */
function pageHeaders(nonce: string): Readonly<Record<string, string>> {
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    `style-src 'self' 'nonce-${nonce}'`,
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "form-action 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ];
  return {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": policy.join("; "),
    "x-frame-options": "DENY",
    "cache-control": "no-store",
  };
}

const types: Readonly<Record<string, string>> = {
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};

async function readOrNull(file: string): Promise<Buffer | null> {
  try {
    return await readFile(file);
  } catch {
    return null;
  }
}
