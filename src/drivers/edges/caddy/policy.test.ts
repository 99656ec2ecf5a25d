import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { EdgeConfig, RoutePolicy } from "../../../ports/edge.ts";
import { type Backend, startBackend } from "../../../testing/conformance/edge/backend.ts";
import { ask, within } from "../../../testing/conformance/edge/client.ts";
import { countsOf, sampleWith } from "../../../testing/conformance/edge/samples.ts";
import { configOn, openPolicy, route, table, target } from "../../../testing/conformance/edge/tables.ts";
import { freePort } from "../../../testing/ports.ts";
import { sendRaw, statuses } from "../embedded/raw.fixture.ts";
import { type CaddyUnderTest, makeCaddyEdge } from "./made.fixture.ts";

let made: CaddyUnderTest;
let a: Backend;
let port = 0;
let generation = 0;

beforeAll(async () => {
  made = await makeCaddyEdge();
  port = await freePort();
  await made.edge.start(configOn(port));
});
afterAll(() => made.dispose());
beforeEach(async () => {
  a = await startBackend("a");
});
afterEach(() => a.close());

const policy = async (changes: Partial<RoutePolicy>, host: string | null = null): Promise<void> => {
  generation += 1;
  const routes = [route({ host, policy: { ...openPolicy, ...changes } })];
  await made.edge.apply(table(generation, [target(a, 10_000)], { routes }));
};
const start = (changes: Partial<EdgeConfig> = {}): Promise<void> => made.edge.start(configOn(port, changes));
const trust = (): Promise<void> => start({ trustedProxies: ["127.0.0.0/8"] });

test("before the first table, requests are told to come again", async () => {
  const answer = await ask(port, "/");
  expect([answer.status, answer.headers["retry-after"]]).toEqual([503, "1"]);
  expect(answer.body).toContain("NO_ROUTES_YET");
});

test("plain HTTP is sent to https with 308, and https of a trusted proxy is served", async () => {
  await start();
  await policy({ redirectToHttps: true });
  const plain = await ask(port, "/a/b?c=d", {
    method: "POST",
    headers: { Host: "a.example:8080", "X-Forwarded-Proto": "https" },
  });
  expect([plain.status, plain.headers.location]).toEqual([308, "https://a.example/a/b?c=d"]);
  await trust();
  expect((await ask(port, "/", { headers: { "X-Forwarded-Proto": "https" } })).status).toBe(200);
  expect((await ask(port, "/", { headers: { "X-Forwarded-Proto": "http" } })).status).toBe(308);
});

test("www goes to the apex with 301, in one step with https", async () => {
  await start();
  await policy({ redirectHosts: { "www.a.example": "a.example" } }, "a.example");
  const answer = await ask(port, "/x?y", { headers: { Host: "WWW.a.example:8080" } });
  expect([answer.status, answer.headers.location]).toEqual([301, "http://a.example:8080/x?y"]);
  expect((await ask(port, "/x", { headers: { Host: "www.a.example" } })).headers.location).toBe("http://a.example/x");
  expect((await ask(port, "/", { headers: { Host: "a.example" } })).status).toBe(200);
  expect((await ask(port, "/", { headers: { Host: "b.example" } })).status).toBe(421);
  await policy({ redirectHosts: { "www.a.example": "a.example" }, redirectToHttps: true }, "a.example");
  expect((await ask(port, "/", { headers: { Host: "www.a.example:8080" } })).headers.location).toBe(
    "https://a.example/",
  );
});

test("headers of the policy are set where the service has not set its own, on pages of the edge too", async () => {
  await start();
  const headers = {
    "X-Frame-Options": "DENY",
    "x-backend": "default",
    "Referrer-Policy": "no-referrer",
    "Report-To": '{"group":"{env.HOME}"}',
    "Strict-Transport-Security": "max-age=63072000",
  };
  await policy({ headers });
  const answer = await ask(port, "/");
  expect(answer.headers).toMatchObject({
    "x-frame-options": "DENY",
    "x-backend": "a",
    "referrer-policy": "no-referrer",
    // Text, whatever Caddy would make of it.
    "report-to": '{"group":"{env.HOME}"}',
  });
  // RFC 6797 §7.2.
  expect(answer.headers["strict-transport-security"]).toBeUndefined();
  expect(answer.headers.server).toBeUndefined();
  expect(answer.headers["x-trace-id"]).toMatch(/^[0-9a-f]{32}$/);
  expect(a.heads[0]?.headers.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  expect(a.heads[0]?.headers.traceparent).toContain(answer.headers["x-trace-id"]);
  await made.edge.hold("web", { maxMs: 60_000, maxQueued: 0 });
  const page = await ask(port, "/");
  expect(page.status).toBe(503);
  expect(page.headers).toMatchObject({ "x-frame-options": "DENY", "x-backend": "default" });
  expect(page.headers["x-trace-id"]).toMatch(/^[0-9a-f]{32}$/);
  await made.edge.hold("web", null);
  await trust();
  const secure = await ask(port, "/", { headers: { "X-Forwarded-Proto": "https" } });
  expect(secure.headers["strict-transport-security"]).toBe("max-age=63072000");
});

test("pages speak HTML, JSON or text, as asked for, and name the trace", async () => {
  await start();
  generation += 1;
  await made.edge.apply(table(generation, [target(a, 10_000)], { mode: "maintenance" }));
  const html = await ask(port, "/", { headers: { Accept: "text/html,*/*" } });
  expect(html.headers["content-type"]).toContain("text/html");
  expect(html.body).toContain("<h1>Service Unavailable</h1>");
  expect(html.body).toContain(String(html.headers["x-trace-id"]));
  const json = await ask(port, "/", { headers: { Accept: "application/json" } });
  expect(JSON.parse(json.body)).toEqual({
    error: {
      code: "MAINTENANCE",
      status: 503,
      message: "The service is down for maintenance and will be back.",
      trace: json.headers["x-trace-id"],
    },
  });
  expect((await ask(port, "/")).body).toContain("503 Service Unavailable: The service is down");
});

test("pages of listed origins may read answers, with credentials, and ask before; others may not", async () => {
  await start();
  const cors = {
    origins: ["https://App.example"],
    methods: ["GET", "PUT"],
    headers: ["X-Key"],
    credentials: true,
    maxAgeS: 600,
  };
  await policy({ cors });
  const headers = { Origin: "https://app.example" };
  const preflight = await ask(port, "/", {
    method: "OPTIONS",
    headers: { ...headers, "Access-Control-Request-Method": "PUT" },
  });
  expect(preflight.status).toBe(204);
  expect(preflight.headers).toMatchObject({
    "access-control-allow-origin": "https://app.example",
    "access-control-allow-credentials": "true",
    "access-control-allow-methods": "GET, PUT",
    "access-control-allow-headers": "X-Key",
    "access-control-max-age": "600",
    vary: "Origin",
  });
  expect(a.seen.size).toBe(0);
  const answer = await ask(port, "/", { headers });
  expect([answer.body, answer.headers["access-control-allow-origin"]]).toEqual(["a", "https://app.example"]);
  const stranger = await ask(port, "/", { headers: { Origin: "https://evil.example" } });
  expect(stranger.headers["access-control-allow-origin"]).toBeUndefined();
  expect(stranger.headers.vary).toBe("Origin");
  // Anybody, but then never with credentials.
  await policy({ cors: { ...cors, origins: ["*"] } });
  const open = await ask(port, "/", { headers });
  expect(open.headers["access-control-allow-origin"]).toBe("*");
  expect(open.headers["access-control-allow-credentials"]).toBeUndefined();
  // An OPTIONS request that is no preflight is the service's.
  expect((await ask(port, "/", { method: "OPTIONS", headers })).body).toBe("a");
});

test("an allow-list reads the client's address as trusted proxies tell it, and from nobody else", async () => {
  await start();
  await policy({ allowLists: [{ prefix: "/admin", allow: ["10.1.0.0/16"] }] });
  const as = async (forwarded: string): Promise<number> =>
    (await ask(port, "/admin/x", { headers: { "X-Forwarded-For": forwarded } })).status;
  expect(await as("10.1.2.3")).toBe(403);
  await start({ trustedProxies: ["127.0.0.0/8", "192.168.0.0/16"] });
  expect(await as("10.1.2.3")).toBe(200);
  expect(await as("10.1.2.3, 192.168.0.9")).toBe(200);
  // What stands left of the last untrusted address is the client's own invention.
  expect(await as("10.1.2.3, 6.6.6.6")).toBe(403);
  expect(await as("")).toBe(403);
  expect((await ask(port, "/open")).status).toBe(200);
  expect(a.heads[0]?.headers["x-forwarded-for"]).toBe("10.1.2.3, 127.0.0.1");
});

test("no spelling of a guarded path gets past the allow-list", async () => {
  await start();
  await policy({ allowLists: [{ prefix: "/admin", allow: ["10.0.0.0/8"] }] });
  for (const path of [
    "/admin",
    "/admin/",
    "/admin/x?y",
    "//admin",
    "/a/../admin",
    "/./admin",
    "/a/b/../../admin",
    "/%61dmin",
    "/ADMIN/x",
    "/admin;x/y",
    "/a//../admin",
    "/%41dmin",
    "/admin/../admin",
    "//a/..//admin",
    "/a/%2e%2e/admin",
    "/x%2f..%2fadmin",
    "/admin%2fx",
    "/a\\..\\admin",
    "/..;/admin",
  ]) {
    const received = await sendRaw(port, `GET ${path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`);
    expect([400, 403], path).toContain(statuses(received)[0]);
  }
  expect(a.heads).toEqual([]);
  expect((await ask(port, "/administrator")).status).toBe(200);
});

test("a trusted proxy's trace goes on, a broken one is begun anew, a stranger's is not believed", async () => {
  await start();
  await policy({});
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const stranger = await ask(port, "/", { headers: { traceparent, tracestate: "a=b" } });
  expect(stranger.headers["x-trace-id"]).not.toBe("0af7651916cd43dd8448eb211c80319c");
  expect(a.heads[0]?.headers.tracestate).toBeUndefined();
  await trust();
  const kept = await ask(port, "/", { headers: { traceparent, tracestate: "a=b" } });
  expect(kept.headers["x-trace-id"]).toBe("0af7651916cd43dd8448eb211c80319c");
  expect(a.heads[1]?.headers).toMatchObject({ traceparent, tracestate: "a=b" });
  for (const broken of ["00-00000000000000000000000000000000-b7ad6b7169203331-01", "ff-x", "nonsense"]) {
    const fresh = await ask(port, "/", { headers: { traceparent: broken } });
    expect(fresh.headers["x-trace-id"]).toMatch(/^(?!0{32})[0-9a-f]{32}$/);
  }
});

test("headers that only a proxy may set are taken from strangers, and from nobody else", async () => {
  await start();
  await policy({});
  const headers = {
    "X-Forwarded-For": "6.6.6.6",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Proto": "https",
    "X-Real-IP": "6.6.6.6",
    Forwarded: "for=6.6.6.6",
    "X-Original-URL": "/admin",
    X_Real_Ip: "6.6.6.6",
    "X-Slipway-Kept-By": "me",
  };
  await ask(port, "/", { headers });
  const { headers: seen } = a.heads[0]!;
  expect(seen).toMatchObject({
    "x-forwarded-for": "127.0.0.1",
    "x-forwarded-host": "test.example",
    "x-forwarded-proto": "http",
  });
  expect(JSON.stringify(seen)).not.toContain("6.6.6.6");
  expect(seen["x-original-url"]).toBeUndefined();
  expect(seen["x-slipway-kept-by"]).toBeUndefined();
  await trust();
  await ask(port, "/", { headers });
  expect(a.heads[1]?.headers).toMatchObject({ "x-forwarded-for": "6.6.6.6, 127.0.0.1", "x-real-ip": "6.6.6.6" });
});

test("a body that is too long is refused, also when its length was not announced", async () => {
  await start();
  await policy({ bodyBytes: 1_000 });
  expect((await ask(port, "/", { method: "POST", body: "x".repeat(1_000) })).status).toBe(200);
  a.seen.clear();
  const announced = await ask(port, "/", { method: "POST", body: "x".repeat(1_001) });
  expect([announced.status, announced.body.includes("BODY_TOO_LARGE")]).toEqual([413, true]);
  expect(a.seen.size).toBe(0);
  const chunk = `${(2_000).toString(16)}\r\n${"x".repeat(2_000)}\r\n`;
  const received = await sendRaw(
    port,
    `POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n${chunk}0\r\n\r\n`,
    { idleMs: 3_000 },
  );
  expect(statuses(received)).toEqual([413]);
  const counts = countsOf(await sampleWith(made.edge, (one) => countsOf(one, "a").requests > 0), "a");
  expect(counts.upstreamErrors).toBe(0);
});

test("methods and upgrades that nobody needs go no further", async () => {
  await start();
  await policy({});
  for (const head of ["TRACE / HTTP/1.1\r\nHost: h", "CONNECT h:80 HTTP/1.1\r\nHost: h:80"]) {
    const received = await sendRaw(port, `${head}\r\nConnection: close\r\n\r\n`);
    expect(statuses(received)[0], head).toBe(405);
  }
  expect(a.heads).toEqual([]);
  await ask(port, "/", { headers: { Connection: "Upgrade, HTTP2-Settings", Upgrade: "h2c", "HTTP2-Settings": "x" } });
  expect(a.heads[0]?.headers.upgrade).toBeUndefined();
});

test("a table that asks for what Caddy cannot do is refused with words", async () => {
  await start();
  await expect(policy({ rateLimit: { requests: 10, perMs: 1_000 } })).rejects.toMatchObject({
    code: "EDGE_REFUSED_TABLE",
    message: expect.stringContaining("Caddy cannot limit requests by address"),
  });
});

test("a listener whose port is taken is refused, and the others go on", async () => {
  await start();
  await policy({});
  const other = await startBackend("other");
  const taken = Number(other.address.split(":")[1]);
  const config = configOn(port);
  const more = [...config.listeners, { name: "more", host: "127.0.0.1", port: taken, tls: null }];
  await expect(made.edge.start({ ...config, listeners: more })).rejects.toMatchObject({ code: "PORT_TAKEN" });
  expect((await ask(port, "/")).body).toBe("a");
  await other.close();
  await made.edge.start({ ...config, listeners: more });
  expect((await ask(taken, "/")).status).toBe(404);
  await start();
});

test("the access log has one JSON line a request, without queries and headers", async () => {
  const file = join(made.directory, "logs", "access.log");
  await start({ accessLog: { file, maxBytes: 2 * 1024 ** 2, keep: 2 } });
  await policy({});
  await ask(port, "/item/7?token=hidden", { headers: { Cookie: "secret=hidden" } });
  const line = await within(
    30_000,
    async () =>
      (await readFile(file, "utf8").catch(() => "")).split("\n").find((one) => one.includes("/item/7")) ?? null,
    "the line",
  );
  expect(line).not.toContain("hidden");
  expect(JSON.parse(line)).toMatchObject({
    request: { method: "GET", host: "test.example", uri: "/item/7", client_ip: "127.0.0.1" },
    status: 200,
    svc: "web",
    up: a.address,
    trace: expect.stringMatching(/^[0-9a-f]{32}$/),
  });
});
