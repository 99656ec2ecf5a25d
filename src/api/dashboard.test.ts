import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { request as ask, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FastifyInstance, LightMyRequestResponse } from "fastify";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openSqliteStore } from "../drivers/stores/sqlite/index.ts";
import { Changes } from "../engine/history.ts";
import type { World } from "../engine/world.ts";
import { systemClock } from "../lib/system-clock.ts";
import type { Store } from "../ports/store.ts";
import { idleMs, linkMs, maxLinks, maxSessions, sessionMs } from "./browser-sessions.ts";
import type { ErrorBody } from "./contract.ts";
import { type DashboardOpenedView, pageHalfHeader } from "./dashboard-contract.ts";
import { apiServer } from "./server.ts";

const token = "a-token-of-the-test";
const alertToken = "another-token-of-the-test";
const bearer = { authorization: `Bearer ${token}` };
const host = "127.0.0.1:4711";
/** What a browser says of a page of ours. */
const ours = { host, origin: `http://${host}`, "sec-fetch-site": "same-origin" };

let directory: string;
let store: Store;
let server: FastifyInstance;
/** How far the clock has been put forward. */
let laterMs: number;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "slipway-dashboard-"));
  store = await openSqliteStore({ directory });
  const page = '<meta name="style-nonce" content="{{nonce}}"><script src="/dashboard/assets/a-1.js"></script>';
  await mkdir(join(directory, "built", "assets"), { recursive: true });
  await writeFile(join(directory, "built", "index.html"), page);
  await writeFile(join(directory, "built", "assets", "a-1.js"), "export {};");
  await writeFile(join(directory, "built", "secret.js"), "not below assets");
});

afterAll(async () => {
  await store.close();
  await rm(directory, { recursive: true, force: true });
});

beforeEach(() => {
  laterMs = 0;
  const clock = { ...systemClock, now: () => systemClock.now() + laterMs };
  const log = { info: () => {}, warn: () => {}, error: () => {} };
  const edges = { all: () => [], renew: async () => {} };
  server = apiServer({ store, log, edges, clock, changes: new Changes() } as unknown as World, {
    token,
    alertToken,
    dashboard: { directory: join(directory, "built"), product: "shop" },
    version: "1.2.3",
    startedAt: 0,
    stopEverything: async () => [],
    onCommand: () => {},
    onTriggers: async () => {},
    onStop: () => {},
  });
});

afterEach(() => server.close());

const codeOf = (answer: LightMyRequestResponse): string => (answer.json() as ErrorBody).error.code;
const saidBy = (answer: LightMyRequestResponse): [number, string] => [
  answer.statusCode,
  answer.statusCode < 400 ? "" : codeOf(answer),
];

async function makeLink(actor = "ada"): Promise<string> {
  const answer = await server.inject({
    method: "POST",
    url: "/v1/dashboard/links",
    headers: bearer,
    payload: { actor },
  });
  return /^\/dashboard\/#code=([\w-]{43})$/.exec(answer.json().path)?.[1] ?? "";
}

const open = (code: string, headers: Readonly<Record<string, string>> = ours) =>
  server.inject({ method: "POST", url: "/v1/dashboard/open", headers, payload: { code } });

type Browser = { readonly cookie: string; readonly half: string };

async function browser(actor = "ada"): Promise<Browser> {
  const answer = await open(await makeLink(actor));
  const cookie = String(answer.headers["set-cookie"]).split(";")[0] ?? "";
  return { cookie, half: (answer.json() as DashboardOpenedView).half };
}

const headersOf = ({ cookie, half }: Browser) => ({ ...ours, cookie, [pageHalfHeader]: half });

const get = (url: string, headers: Readonly<Record<string, string>>) => server.inject({ url, headers });
const post = (url: string, headers: Readonly<Record<string, string>>, payload: object) =>
  server.inject({ method: "POST", url, headers, payload });
/** A command that is refused for what it names, and so reaches the engine: whoever may not ask for it gets another answer. */
const aWord = (headers: Readonly<Record<string, string>>, actor = "ada") =>
  post("/v1/deployments/dep_none/requests", headers, { kind: "cancel", actor, reason: "x" });

describe("a link to the dashboard", () => {
  it("opens one session: a cookie that no script can read, a half for the page, and neither in the address", async () => {
    const answer = await open(await makeLink());
    expect(answer.statusCode).toBe(200);
    expect(answer.json()).toMatchObject({ person: "ada", product: "shop", version: "1.2.3" });
    expect(answer.headers["set-cookie"]).toMatch(
      /^slipway_[0-9a-f]{16}=[\w-]{43}; Path=\/v1; HttpOnly; SameSite=Strict$/,
    );
    expect(answer.headers["cache-control"]).toBe("no-store");
    expect(answer.headers.location).toBeUndefined();
  });

  it("is good once, not for another code, and not after its time", async () => {
    const code = await makeLink();
    expect(saidBy(await open(code))).toEqual([200, ""]);
    expect(saidBy(await open(code))).toEqual([410, "LINK_INVALID"]);
    expect(saidBy(await open(`${(await makeLink()).slice(0, -1)}-`))).toEqual([410, "LINK_INVALID"]);
    expect(saidBy(await open(token))).toEqual([410, "LINK_INVALID"]);
    const late = await makeLink();
    laterMs += linkMs;
    expect(saidBy(await open(late))).toEqual([410, "LINK_INVALID"]);
  });

  it("is made with the token only: a browser makes no further sessions, nor does anybody without one", async () => {
    const ada = headersOf(await browser());
    expect(saidBy(await post("/v1/dashboard/links", ada, { actor: "ada" }))).toEqual([403, "FORBIDDEN"]);
    // Nor what speaks in another's name: with the token the same goes on to the engine.
    const link = { person: "grace", actor: "ada", forMs: 60_000 };
    expect(saidBy(await post("/v1/deployments/dep_none/links", ada, link))).toEqual([403, "FORBIDDEN"]);
    expect(saidBy(await post("/v1/deployments/dep_none/links", bearer, link))).toEqual([404, "UNKNOWN_DEPLOYMENT"]);
    expect(saidBy(await post("/v1/dashboard/links", ours, { actor: "ada" }))).toEqual([401, "UNAUTHORIZED"]);
  });

  it("is made for nobody who goes by the name of what does things by itself", async () => {
    expect(saidBy(await post("/v1/dashboard/links", bearer, { actor: "slipway" }))).toEqual([400, "USAGE"]);
    expect(saidBy(await aWord(bearer, "slipway"))).toEqual([400, "USAGE"]);
    expect(saidBy(await aWord(bearer, "slipway@laptop"))).toEqual([404, "UNKNOWN_DEPLOYMENT"]);
  });

  it("opens nothing from another page, and is not used up by one that tries", async () => {
    const code = await makeLink();
    for (const headers of strangers) expect(saidBy(await open(code, headers))).toEqual([403, "FORBIDDEN"]);
    expect(saidBy(await open(code))).toEqual([200, ""]);
  });

  it("that is not used does not fill the memory: the oldest go", async () => {
    const codes = [];
    for (let count = 0; count <= maxLinks; count += 1) codes.push(await makeLink());
    expect(saidBy(await open(codes[0] ?? ""))).toEqual([410, "LINK_INVALID"]);
    expect(saidBy(await open(codes[1] ?? ""))).toEqual([200, ""]);
  });
});

/** Pages of others, a name of somebody else that leads to this machine, and what does not say where it comes from. */
const strangers: readonly Readonly<Record<string, string>>[] = [
  { ...ours, origin: "http://evil.example" },
  { ...ours, origin: "http://127.0.0.1:3000" },
  { ...ours, origin: "https://127.0.0.1:4711" },
  { ...ours, origin: "null" },
  { ...ours, "sec-fetch-site": "cross-site" },
  { ...ours, "sec-fetch-site": "same-site" },
  { host: "evil.example:4711", origin: "http://evil.example:4711" },
  { host: "127.0.0.1.evil.example", origin: "http://127.0.0.1.evil.example" },
  { host },
];

describe("a session", () => {
  it("may what the token may, as its person and as nobody else", async () => {
    const ada = headersOf(await browser());
    expect((await get("/v1/dashboard/session", ada)).json()).toMatchObject({ person: "ada", product: "shop" });
    expect(saidBy(await get("/v1/status", ada))).toEqual([200, ""]);
    expect(saidBy(await aWord(ada))).toEqual([404, "UNKNOWN_DEPLOYMENT"]);
    expect(saidBy(await aWord(ada, "grace"))).toEqual([403, "FORBIDDEN"]);
    // The alerts' route has a token of its own.
    expect(saidBy(await post("/v1/alerts", ada, {}))).toEqual([401, "UNAUTHORIZED"]);
  });

  it("needs both halves, of the same session: a cookie that another port of this machine has seen is nothing", async () => {
    const ada = await browser();
    const grace = await browser("grace");
    const { cookie, [pageHalfHeader]: half, ...neither } = headersOf(ada);
    const name = cookie.split("=")[0];
    for (const headers of [
      neither,
      { ...neither, cookie },
      { ...neither, [pageHalfHeader]: half },
      { ...neither, cookie: grace.cookie, [pageHalfHeader]: half },
      { ...neither, cookie: `${name}=`, [pageHalfHeader]: half },
      { ...neither, cookie: `${name}=${half}`, [pageHalfHeader]: half },
      { ...neither, cookie: `x${cookie}`, [pageHalfHeader]: half },
      { ...neither, cookie, [pageHalfHeader]: `${half}.` },
      { ...neither, authorization: `Bearer ${half}` },
      // Whoever shows a token is judged by it.
      { ...headersOf(ada), authorization: "Bearer wrong" },
    ])
      expect(saidBy(await get("/v1/status", headers)), JSON.stringify(headers)).toEqual([401, "UNAUTHORIZED"]);
    expect(saidBy(await get("/v1/status", { ...neither, cookie: `a=b; ${cookie}`, [pageHalfHeader]: half }))).toEqual([
      200,
      "",
    ]);
  });

  it("is of no use to another page, whatever its browser sends along", async () => {
    const { cookie, half } = await browser();
    for (const stranger of strangers)
      expect(saidBy(await aWord({ ...stranger, cookie, [pageHalfHeader]: half })), JSON.stringify(stranger)).toEqual([
        403,
        "FORBIDDEN",
      ]);
    const reads = strangers.filter((stranger) => stranger.origin !== undefined);
    for (const stranger of reads)
      expect(saidBy(await get("/v1/status", { ...stranger, cookie, [pageHalfHeader]: half }))).toEqual([
        403,
        "FORBIDDEN",
      ]);
    // A tunnel ends on another port, and under another name of the machine.
    const tunnel = { host: "localhost:9000", origin: "http://localhost:9000", cookie, [pageHalfHeader]: half };
    expect(saidBy(await aWord(tunnel))).toEqual([404, "UNKNOWN_DEPLOYMENT"]);
  });

  it("is over when nobody uses it, and at last in any case", async () => {
    const left = headersOf(await browser());
    laterMs += idleMs;
    expect(saidBy(await get("/v1/status", left))).toEqual([401, "UNAUTHORIZED"]);
    const used = headersOf(await browser());
    const stepMs = idleMs / 2;
    for (let age = stepMs; age < sessionMs; age += stepMs) {
      laterMs += stepMs;
      expect(saidBy(await get("/v1/status", used)), `${age}`).toEqual([200, ""]);
    }
    laterMs += stepMs;
    expect(saidBy(await get("/v1/status", used))).toEqual([401, "UNAUTHORIZED"]);
  });

  it("is ended by its browser, and only it; by the token every one, with the links that are open", async () => {
    const ada = headersOf(await browser());
    const grace = headersOf(await browser("grace"));
    const ended = await post("/v1/dashboard/end", ada, {});
    expect([ended.json(), ended.headers["set-cookie"]]).toEqual([{ ended: 1 }, expect.stringContaining("Max-Age=0")]);
    expect(saidBy(await get("/v1/status", ada))).toEqual([401, "UNAUTHORIZED"]);
    expect(saidBy(await get("/v1/status", grace))).toEqual([200, ""]);
    const code = await makeLink();
    expect((await post("/v1/dashboard/end", bearer, {})).json()).toEqual({ ended: 1 });
    expect(saidBy(await get("/v1/status", grace))).toEqual([401, "UNAUTHORIZED"]);
    expect(saidBy(await open(code))).toEqual([410, "LINK_INVALID"]);
  });

  it("is one of so many: one more ends the oldest", async () => {
    const all: Browser[] = [];
    for (let count = 0; count <= maxSessions; count += 1) all.push(await browser());
    expect(saidBy(await get("/v1/status", headersOf(all[0] as Browser)))).toEqual([401, "UNAUTHORIZED"]);
    expect(saidBy(await get("/v1/status", headersOf(all[1] as Browser)))).toEqual([200, ""]);
    expect(saidBy(await get("/v1/status", headersOf(all.at(-1) as Browser)))).toEqual([200, ""]);
  });

  it("takes its streams with it when it ends", async () => {
    await server.listen({ host: "127.0.0.1", port: 0 });
    const { port } = server.server.address() as AddressInfo;
    const at = { host: "127.0.0.1", port };
    const { cookie, half } = await browser();
    const headers = { cookie, [pageHalfHeader]: half, host: `127.0.0.1:${port}` };
    const asked = ask({ ...at, path: "/v1/status/follow", headers }).end();
    const [response] = (await once(asked, "response")) as [IncomingMessage];
    const [first] = (await once(response, "data")) as [Buffer];
    expect(JSON.parse(first.toString())).toMatchObject({ item: { version: "1.2.3", environments: [] } });
    response.resume();
    const cut = once(response, "error");
    await post("/v1/dashboard/end", bearer, {});
    expect(await cut).toMatchObject([{ code: "ECONNRESET" }]);
  });
});

describe("the page", () => {
  it("is shown to everybody, runs only files of ours, and is in no frame", async () => {
    for (const url of ["/dashboard", "/dashboard/", "/dashboard/approvals?x=1"]) {
      const answer = await get(url, {});
      const policy = String(answer.headers["content-security-policy"]);
      const nonce = /content="([\w+/=]{24})"/.exec(answer.body)?.[1];
      expect(answer.statusCode).toBe(200);
      expect(policy.split("; ")).toEqual([
        "default-src 'none'",
        "script-src 'self'",
        `style-src 'self' 'nonce-${nonce}'`,
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
      ]);
      expect(answer.headers).toMatchObject({
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "x-frame-options": "DENY",
      });
    }
    const nonces = await Promise.all(["/dashboard", "/dashboard"].map((url) => get(url, {})));
    expect(new Set(nonces.map(({ body }) => body)).size).toBe(2);
  });

  it("has its files and no others, and takes no POST", async () => {
    const file = await get("/dashboard/assets/a-1.js", {});
    expect([file.statusCode, file.headers["content-type"], file.body]).toEqual([
      200,
      "text/javascript; charset=utf-8",
      "export {};",
    ]);
    for (const url of ["/dashboard/assets/none.js", "/dashboard/assets/..%2Fsecret.js", "/dashboard/assets/a-1.txt"])
      expect(saidBy(await get(url, {})), url).toEqual([404, "NOT_FOUND"]);
    expect((await get("/dashboard/../v1/status", {})).statusCode).not.toBe(200);
    expect(saidBy(await post("/dashboard", {}, {}))).toEqual([401, "UNAUTHORIZED"]);
    expect(saidBy(await get("/dashboards", {}))).toEqual([401, "UNAUTHORIZED"]);
  });
});
