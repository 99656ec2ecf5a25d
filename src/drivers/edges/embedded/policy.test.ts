import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { RoutePolicy } from "../../../ports/edge.ts";
import { type Backend, startBackend } from "../../../testing/conformance/edge/backend.ts";
import { ask, within } from "../../../testing/conformance/edge/client.ts";
import { countsOf, sampleWith } from "../../../testing/conformance/edge/samples.ts";
import { configOn, openPolicy, route, table, target } from "../../../testing/conformance/edge/tables.ts";
import { freePort } from "../../../testing/ports.ts";
import { type EmbeddedUnderTest, makeEmbeddedEdge } from "./made.fixture.ts";

let made: EmbeddedUnderTest;
let a: Backend;
let port = 0;
let generation = 0;

beforeEach(async () => {
  made = await makeEmbeddedEdge();
  a = await startBackend("a");
  port = await freePort();
  generation = 0;
  await made.edge.start(configOn(port));
});
afterEach(async () => {
  await made.dispose();
  await a.close();
});

const policy = async (changes: Partial<RoutePolicy>, host: string | null = null): Promise<void> => {
  generation += 1;
  const routes = [route({ host, policy: { ...openPolicy, ...changes } })];
  await made.edge.apply(table(generation, [target(a, 10_000)], { routes }));
};
const trust = (): Promise<void> => made.edge.start(configOn(port, { trustedProxies: ["127.0.0.0/8"] }));

test("plain HTTP is sent to https with 308, and https of a trusted proxy is served", async () => {
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
  await policy({ redirectHosts: { "www.a.example": "a.example" } }, "a.example");
  const answer = await ask(port, "/x?y", { headers: { Host: "WWW.a.example:8080" } });
  expect([answer.status, answer.headers.location]).toEqual([301, "http://a.example:8080/x?y"]);
  expect((await ask(port, "/", { headers: { Host: "a.example" } })).status).toBe(200);
  expect((await ask(port, "/", { headers: { Host: "b.example" } })).status).toBe(421);
  await policy({ redirectHosts: { "www.a.example": "a.example" }, redirectToHttps: true }, "a.example");
  expect((await ask(port, "/", { headers: { Host: "www.a.example:8080" } })).headers.location).toBe(
    "https://a.example/",
  );
});

test("headers of the policy are set where the service has not set its own, on pages of the edge too", async () => {
  await policy({ headers: { "X-Frame-Options": "DENY", "x-backend": "default", "Referrer-Policy": "no-referrer" } });
  const answer = await ask(port, "/");
  expect(answer.headers).toMatchObject({
    "x-frame-options": "DENY",
    "x-backend": "a",
    "referrer-policy": "no-referrer",
  });
  expect(answer.headers["x-trace-id"]).toMatch(/^[0-9a-f]{32}$/);
  expect(a.heads[0]?.headers.traceparent).toContain(answer.headers["x-trace-id"]);
  await made.edge.hold("web", { maxMs: 60_000, maxQueued: 0 });
  expect((await ask(port, "/")).headers).toMatchObject({ "x-frame-options": "DENY", "x-backend": "default" });
});

test("pages of listed origins may read answers, with credentials, and ask before; others may not", async () => {
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
  await policy({ allowLists: [{ prefix: "/admin", allow: ["10.1.0.0/16"] }] });
  const as = async (forwarded: string): Promise<number> =>
    (await ask(port, "/admin/x", { headers: { "X-Forwarded-For": forwarded } })).status;
  expect(await as("10.1.2.3")).toBe(403);
  await made.edge.start(configOn(port, { trustedProxies: ["127.0.0.0/8", "192.168.0.0/16"] }));
  expect(await as("10.1.2.3")).toBe(200);
  expect(await as("10.1.2.3, 192.168.0.9")).toBe(200);
  // What stands left of the last untrusted address is the client's own invention.
  expect(await as("10.1.2.3, 6.6.6.6")).toBe(403);
  expect(await as("10.1.2.3, nonsense")).toBe(403);
  expect(await as("")).toBe(403);
  expect((await ask(port, "/open")).status).toBe(200);
  expect(a.heads[0]?.headers["x-forwarded-for"]).toBe("10.1.2.3, 127.0.0.1");
});

test("a trusted proxy's trace goes on, a broken one is begun anew", async () => {
  await policy({});
  await trust();
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const kept = await ask(port, "/", { headers: { traceparent, tracestate: "a=b" } });
  expect(kept.headers["x-trace-id"]).toBe("0af7651916cd43dd8448eb211c80319c");
  expect(a.heads[0]?.headers).toMatchObject({ traceparent, tracestate: "a=b" });
  const fresh = await ask(port, "/", {
    headers: { traceparent: "00-00000000000000000000000000000000-b7ad6b7169203331-01" },
  });
  expect(fresh.headers["x-trace-id"]).toMatch(/^(?!0{32})[0-9a-f]{32}$/);
});

test("a client that asks too often gets 429 with the four headers, over all workers", async () => {
  await policy({ rateLimit: { requests: 40, perMs: 3_600_000 } });
  const first = await ask(port, "/");
  expect(first.headers).toMatchObject({ "x-ratelimit-limit": "40", "x-ratelimit-remaining": "39" });
  const answers = [];
  // New connections, so both workers are asked; one after the other, so that each hears what the other has counted.
  for (let index = 0; index < 80; index += 1) answers.push(await ask(port, "/"));
  const refused = answers.filter((answer) => answer.status === 429);
  expect(refused.length).toBeGreaterThan(0);
  const { headers } = refused[0]!;
  expect(headers).toMatchObject({ "x-ratelimit-limit": "40", "x-ratelimit-remaining": "0" });
  expect(Number(headers["retry-after"])).toBeGreaterThan(0);
  expect(Number(headers["x-ratelimit-reset"])).toBeGreaterThan(0);
  // A table with the same limit goes on counting.
  await policy({ rateLimit: { requests: 40, perMs: 3_600_000 } });
  const after = await Promise.all(Array.from({ length: 20 }, () => ask(port, "/")));
  expect(after.some((answer) => answer.status === 429)).toBe(true);
});

test("no table yet, no route and a foreign host are told apart", async () => {
  expect((await ask(port, "/")).status).toBe(503);
  generation += 1;
  await made.edge.apply(
    table(generation, [target(a, 10_000)], { routes: [route({ host: "a.example", pathPrefix: "/api" })] }),
  );
  expect((await ask(port, "/", { headers: { Host: "a.example" } })).status).toBe(404);
  expect((await ask(port, "/api", { headers: { Host: "b.example" } })).status).toBe(421);
  const sample = await sampleWith(made.edge, (one) => one.unrouted === 3);
  expect(countsOf(sample, "a").requests).toBe(0);
});

test("connections beyond the limit are closed, the others served on", async () => {
  await policy({});
  const config = configOn(port);
  await made.edge.start({ ...config, limits: { ...config.limits, maxConnections: 3 } });
  let closed = 0;
  const asked = Array.from({ length: 12 }, () =>
    ask(port, "/gate").then(
      (answer) => answer.body,
      () => {
        closed += 1;
        return "closed";
      },
    ),
  );
  // Only when each has found a place or none: a place that becomes free would be taken by one that comes late.
  await within(30_000, () => (a.waiting() + closed === 12 ? true : null), "all at the gate or closed");
  a.open();
  const results = await Promise.all(asked);
  const served = results.filter((result) => result === "a").length;
  // Each worker hears of the other's connections a moment late, so both may fill up once.
  expect(served).toBeGreaterThanOrEqual(3);
  expect(served).toBeLessThanOrEqual(6);
});

test("the access log has one JSON line a request, without queries, and is rotated without losing one", async () => {
  const file = join(made.directory, "logs", "access.log");
  await made.edge.start(configOn(port, { accessLog: { file, maxBytes: 20_000, keep: 50 } }));
  await policy({});
  const total = 300;
  for (let index = 0; index < total; index += 10)
    await Promise.all(
      Array.from({ length: 10 }, (_, at) =>
        ask(port, `/item/${index + at}?token=hidden`, { headers: { "User-Agent": 'odd "agent" é' } }),
      ),
    );
  await ask(port, "/%2f");
  const lines = await within(
    30_000,
    async () => {
      const files = (await readdir(join(made.directory, "logs")).catch(() => [])).map((name) =>
        join(made.directory, "logs", name),
      );
      const text = (await Promise.all(files.map((name) => readFile(name, "utf8").catch(() => "")))).join("");
      const seen = text.split("\n").filter((line) => line !== "");
      return seen.length >= total + 1 && files.length > 1 ? seen : null;
    },
    "all lines, in more than one file",
  );
  expect(lines).toHaveLength(total + 1);
  expect(lines.join("")).not.toContain("hidden");
  const entries = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  const item = entries.find((entry) => entry.path === "/item/7");
  expect(item).toMatchObject({
    method: "GET",
    host: "test.example",
    status: 200,
    bytes: 1,
    ip: "127.0.0.1",
    service: "web",
    release: "rel_a",
    revision: "rev_a",
    instance: "rev_a.0",
    attempts: 1,
    trace: expect.stringMatching(/^[0-9a-f]{32}$/),
    at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
  });
  expect(entries.find((entry) => entry.status === 400)).toMatchObject({ code: "BAD_PATH" });
});
