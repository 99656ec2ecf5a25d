import { constants } from "node:http2";
import { connect as connectPlain } from "node:net";
import { connect } from "node:tls";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { makeAuthority, type TestAuthority } from "../../../testing/conformance/edge/authority.ts";
import { type Backend, startBackend } from "../../../testing/conformance/edge/backend.ts";
import { within } from "../../../testing/conformance/edge/client.ts";
import { configOn, openPolicy, route, table, target, testLimits } from "../../../testing/conformance/edge/tables.ts";
import { askHttp2, openHttp2, startHttp2Load } from "../../../testing/conformance/edge/tls-client.ts";
import { freePort } from "../../../testing/ports.ts";
import {
  continuationFrame,
  dataFrame,
  emptySettings,
  headerBlock,
  headersFrame,
  pingFrame,
  resetFrame,
  sendFrames,
} from "./http2-frames.fixture.ts";
import { type EmbeddedUnderTest, makeEmbeddedEdge } from "./made.fixture.ts";

let authority: TestAuthority;
let made: EmbeddedUnderTest;
let backend: Backend;
let port = 0;

const config = async () => {
  const files = await authority.issue("h", ["h", "test.example"]);
  const tls = { certificates: [{ ...files, hosts: ["h"] }], acme: null, http2: true };
  const limits = { ...testLimits, requestTimeoutMs: 1500, bodyBytes: 100_000 };
  return configOn(port, { listeners: [{ name: "web", host: "127.0.0.1", port, tls }], limits });
};

beforeAll(async () => {
  authority = await makeAuthority();
  made = await makeEmbeddedEdge({ workers: 1 });
  backend = await startBackend("a");
  port = await freePort();
  await made.edge.start(await config());
  const guarded = { ...openPolicy, allowLists: [{ prefix: "/admin", allow: ["10.0.0.0/8"] }] };
  await made.edge.apply(table(1, [target(backend, 10_000)], { routes: [route({ policy: guarded })] }));
});
afterAll(async () => {
  await made.dispose();
  await backend.close();
  await authority.dispose();
});
beforeEach(() => {
  backend.seen.clear();
  backend.heads.length = 0;
});

type Pair = readonly [string, string];
const plain: readonly Pair[] = [
  [":method", "GET"],
  [":scheme", "https"],
  [":authority", "h"],
  [":path", "/"],
];
const but = (changes: Readonly<Record<string, string | null>>, ...more: Pair[]): readonly Pair[] => [
  ...plain.flatMap(([name, value]): Pair[] => {
    const changed = changes[name];
    return changed === null ? [] : [[name, changed ?? value]];
  }),
  ...more,
];

test("a plain request as raw frames is served", async () => {
  expect(await sendFrames(port, [headersFrame(1, headerBlock(plain))])).toMatchObject({ status: 200 });
  const post = headersFrame(1, headerBlock(but({ ":method": "POST" }, ["content-length", "3"])), 0x4);
  expect(await sendFrames(port, [post, dataFrame(1, "abc")])).toMatchObject({ status: 200 });
});

/** What would be read in another way as HTTP/1.1, or is malformed (RFC 9113 §8). */
const refused: [what: string, pairs: readonly Pair[]][] = [
  ["no :method", but({ ":method": null })],
  ["no :path", but({ ":path": null })],
  ["an empty :path", but({ ":path": "" })],
  ["no :scheme", but({ ":scheme": null })],
  ["the scheme http", but({ ":scheme": "http" })],
  ["neither :authority nor host", but({ ":authority": null })],
  ["an empty :authority", but({ ":authority": "" })],
  ["two :authority", but({}, [":authority", "evil"])],
  ["two :path", but({}, [":path", "/admin"])],
  ["a pseudo header after others", but({ ":path": null }, ["x-a", "b"], [":path", "/"])],
  ["an unknown pseudo header", but({}, [":evil", "x"])],
  ["a pseudo header of answers", but({}, [":status", "200"])],
  ["extended CONNECT", but({ ":method": "CONNECT" }, [":protocol", "websocket"])],
  ["another host beside :authority", but({}, ["host", "evil"])],
  ["two hosts", but({ ":authority": null }, ["host", "h"], ["host", "evil"])],
  [":authority with a user", but({ ":authority": "u@h" })],
  [":authority with a path", but({ ":authority": "h/x" })],
  [":authority with a comma", but({ ":authority": "h,evil" })],
  ["a path with a blank", but({ ":path": "/a b" })],
  ["a path that is a request line", but({ ":path": "/ HTTP/1.1\r\nHost: evil\r\n\r\n" })],
  ["a query with a blank", but({ ":path": "/?a b" })],
  ["a query with a line", but({ ":path": "/?a\r\nx-a: b" })],
  ["a path with NUL", but({ ":path": "/a\0b" })],
  ["a path without a slash", but({ ":path": "admin" })],
  ["an absolute form", but({ ":path": "http://evil/" })],
  ["encoded dots", but({ ":path": "/a/%2e%2e/admin" })],
  ["a fragment", but({ ":path": "/a#b" })],
  ["transfer-encoding: chunked", but({}, ["transfer-encoding", "chunked"])],
  ["transfer-encoding: identity", but({}, ["transfer-encoding", "identity"])],
  ["connection", but({}, ["connection", "close"])],
  ["connection that names a header", but({}, ["connection", "x-forwarded-for"])],
  ["keep-alive", but({}, ["keep-alive", "5"])],
  ["proxy-connection", but({}, ["proxy-connection", "keep-alive"])],
  ["upgrade", but({}, ["upgrade", "websocket"])],
  ["te: gzip", but({}, ["te", "gzip"])],
  ["an upper-case name", but({}, ["X-A", "b"])],
  ["two lengths", but({ ":method": "POST" }, ["content-length", "0"], ["content-length", "5"])],
  ["a length with a sign", but({ ":method": "POST" }, ["content-length", "+0"])],
  ["a length and no body", but({ ":method": "POST" }, ["content-length", "5"])],
  ["an unknown method", but({ ":method": "HACK" })],
  ["a method that is a request line", but({ ":method": "GET / HTTP/1.1\r\nx-a:" })],
  ["a lower-case method", but({ ":method": "get" })],
];

for (const [what, pairs] of refused)
  test(`refused in HTTP/2 and not passed on: ${what}`, async () => {
    const answer = await sendFrames(port, [headersFrame(1, headerBlock(pairs))]);
    expect([400, null], JSON.stringify(answer)).toContain(answer.status);
    if (answer.status === null && answer.reset !== null) expect(answer.reset).toBe(constants.NGHTTP2_PROTOCOL_ERROR);
    expect(backend.heads).toEqual([]);
  });

/** nghttp2 leaves such a field out and goes on; what is left of the request is well-formed. */
const leftOut: [what: string, pairs: readonly Pair[]][] = [
  ["a name with a blank", but({}, ["x a", "b"])],
  ["a name with a colon", but({}, ["x:a", "b"])],
  ["a name with a line", but({}, ["x\r\ntransfer-encoding: chunked\r\nx", "b"])],
  ["an empty name", but({}, ["", "b"])],
  ["a value with a line", but({}, ["x-a", "b\r\ntransfer-encoding: chunked"])],
  ["a value with a line feed", but({}, ["x-a", "b\nc"])],
  ["a value with NUL", but({}, ["x-a", "b\0c"])],
];

for (const [what, pairs] of leftOut)
  test(`a header that is none is passed on neither whole nor in parts: ${what}`, async () => {
    expect((await sendFrames(port, [headersFrame(1, headerBlock(pairs))])).status).toBe(200);
    expect(backend.heads[0]?.raw.join("\n")).not.toMatch(/x-?a|x\n|x:|transfer-encoding|\nb/i);
  });

test("more body than was announced, and less, never reaches a service whole", async () => {
  for (const data of ["abcdef", "a"]) {
    const post = headersFrame(1, headerBlock(but({ ":method": "POST" }, ["content-length", "3"])), 0x4);
    const answer = await sendFrames(port, [post, dataFrame(1, data)]);
    expect(answer.status, data).not.toBe(200);
  }
});

test("what services are sent is one message of HTTP/1.1 with the edge's own headers", async () => {
  const session = await openHttp2(port, { ca: authority.ca });
  const headers = {
    "x-forwarded-for": "6.6.6.6",
    "x-real-ip": "6.6.6.6",
    traceparent: "00-66666666666666666666666666666666-6666666666666666-01",
    te: "trailers",
    "x-public": "1",
  };
  const stream = session.request({
    ":path": "/x",
    ":authority": "h:1",
    ":method": "POST",
    cookie: ["a=1", "b=2"],
    ...headers,
  });
  stream.end("body");
  stream.resume();
  await new Promise((resolve) => stream.once("close", resolve));
  const { headers: got, raw } = backend.heads[0]!;
  expect(got).toMatchObject({
    host: "h:1",
    cookie: "a=1; b=2",
    "x-public": "1",
    "x-forwarded-for": "127.0.0.1",
    "x-forwarded-proto": "https",
    "transfer-encoding": "chunked",
  });
  expect(raw.filter((name) => name.toLowerCase() === "cookie")).toHaveLength(1);
  expect(raw.join("\n")).not.toMatch(/6\.6\.6\.6|6666|\nte\n|:path|:authority/);
  session.close();
});

test("guarded paths, methods that are not passed on and limits hold as in HTTP/1.1", async () => {
  const session = await openHttp2(port, { ca: authority.ca });
  for (const path of ["/admin", "//admin", "/a/../admin", "/%61dmin", "/ADMIN"])
    expect((await askHttp2(session, path)).status, path).toBe(403);
  const trace = await askHttp2(session, "/", { method: "TRACE" });
  expect([trace.status, trace.headers.allow]).toEqual([405, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"]);
  const large = await askHttp2(session, "/", { method: "POST", body: "x".repeat(90_000) });
  expect(large.status).toBe(200);
  expect(
    (
      await askHttp2(session, "/", {
        method: "POST",
        headers: { "content-length": "100001" },
        body: "x".repeat(100_001),
      })
    ).status,
  ).toBe(413);
  expect((await askHttp2(session, "/", { method: "POST", body: "x".repeat(150_000) })).status).toBe(413);
  expect((await askHttp2(session, "/x", { method: "HEAD" })).body).toBe("");
  // The connection has not suffered.
  expect((await askHttp2(session, "/")).body).toBe("a");
  session.close();
});

test("a client that waits for 100 Continue is told to go on", async () => {
  const session = await openHttp2(port, { ca: authority.ca });
  const stream = session.request({ ":path": "/", ":method": "POST", ":authority": "h", expect: "100-continue" });
  await new Promise((resolve) => stream.once("continue", () => resolve(null)));
  stream.end("body");
  const status = await new Promise((resolve) => stream.once("response", (headers) => resolve(headers[":status"])));
  expect(status).toBe(200);
  stream.resume();
  session.close();
});

test("a body that does not come is not waited for, and the service is told", async () => {
  const session = await openHttp2(port, { ca: authority.ca });
  const stream = session.request({ ":path": "/", ":method": "POST", ":authority": "h" });
  stream.on("error", () => undefined);
  stream.write("begin");
  await new Promise((resolve) => stream.once("close", resolve));
  expect(stream.rstCode).toBe(constants.NGHTTP2_INTERNAL_ERROR);
  expect((await askHttp2(session, "/")).body).toBe("a");
  session.close();
});

test("a service that dies in the middle of its answer cuts its stream and no other", async () => {
  const session = await openHttp2(port, { ca: authority.ca });
  const events = session.request({ ":path": "/sse", ":authority": "h" });
  events.on("error", () => undefined);
  await new Promise((resolve) => events.once("data", resolve));
  expect((await askHttp2(session, "/die", { method: "POST" })).status).toBe(502);
  const other = await startBackend("b");
  const cut = new Promise((resolve) => events.once("close", () => resolve(events.rstCode)));
  await made.edge.apply(table(10, [target(other, 10_000)]));
  await made.edge.drain(target(backend, 0).revision, { timeoutMs: 2000, streamLimitMs: 50 });
  expect(await cut).toBe(constants.NGHTTP2_INTERNAL_ERROR);
  expect((await askHttp2(session, "/")).body).toBe("b");
  session.close();
  const guarded = { ...openPolicy, allowLists: [{ prefix: "/admin", allow: ["10.0.0.0/8"] }] };
  await made.edge.apply(table(11, [target(backend, 10_000)], { routes: [route({ policy: guarded })] }));
  await other.close();
});

test("a client that resets requests as fast as it sends them is shown out (CVE-2023-44487)", async () => {
  const block = headerBlock(but({ ":path": "/gate" }));
  const frames = Array.from({ length: 2000 }, (_, index) => {
    const stream = 2 * index + 1;
    return Buffer.concat([headersFrame(stream, block), resetFrame(stream)]);
  });
  const answer = await sendFrames(port, frames, { stream: 99_999 });
  expect([constants.NGHTTP2_ENHANCE_YOUR_CALM, null]).toContain(answer.goaway);
  expect(backend.seen.get("GET /gate") ?? 0).toBeLessThan(400);
  expect((await askHttp2(await openHttp2(port, { ca: authority.ca }), "/")).body).toBe("a");
});

test("headers that never end, and more of them than are allowed, end the connection (CVE-2024-27983)", async () => {
  const block = headerBlock([...plain, ["x-a", "b".repeat(100)]]);
  const endless = Array.from({ length: 5000 }, (_, index) =>
    continuationFrame(1, headerBlock([[`x-${index}`, "c".repeat(100)]])),
  );
  const flood = await sendFrames(port, [headersFrame(1, block, 0x1), ...endless]);
  expect(flood.status).toBeNull();
  const large = headerBlock([
    ...plain,
    ...Array.from({ length: 30 }, (_, index): Pair => [`x-${index}`, "d".repeat(500)]),
    ["x-big", "e".repeat(4000)],
  ]);
  expect(
    (await sendFrames(port, [headersFrame(1, large.subarray(0, 16_000), 0x1), continuationEnd(large.subarray(16_000))]))
      .status,
  ).not.toBe(200);
  expect(backend.heads).toEqual([]);
  expect((await askHttp2(await openHttp2(port, { ca: authority.ca }), "/")).body).toBe("a");
});

test("a connection carries so many requests at once and no more", async () => {
  const session = await openHttp2(port, { ca: authority.ca });
  const { maxConcurrentStreams, maxHeaderListSize } = await new Promise<typeof session.remoteSettings>((resolve) =>
    session.once("remoteSettings", resolve),
  );
  expect([maxConcurrentStreams, maxHeaderListSize]).toEqual([128, testLimits.headerBytes]);
  const asked = Array.from({ length: 300 }, () => askHttp2(session, "/gate"));
  await within(30_000, () => (backend.waiting() === 128 ? true : null), "128 requests at the service");
  const opening = setInterval(() => backend.open(), 20);
  for (const answer of await Promise.all(asked)) expect(answer.body).toBe("a");
  clearInterval(opening);
  session.close();
});

test("a handshake that never ends, and a connection that never asks, are not kept, whatever else they say", async () => {
  const now = await config();
  await made.edge.start({ ...now, limits: { ...testLimits, headersTimeoutMs: 400, idleTimeoutMs: 400 } });
  const client = { port, host: "127.0.0.1", rejectUnauthorized: false, ALPNProtocols: ["h2"] };
  const late = connect(client);
  late.on("error", () => undefined).resume();
  late.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  late.write(emptySettings());
  const pings = setInterval(() => late.write(pingFrame()), 50);
  await new Promise((resolve) => late.once("close", resolve));
  clearInterval(pings);
  // One that has asked is let go as well; what it still waits for is not cut.
  const session = await openHttp2(port, { ca: authority.ca });
  const gone = new Promise((resolve) => session.once("close", resolve));
  expect((await askHttp2(session, "/slow?ms=900")).body).toBe("a");
  await gone;
  await made.edge.start(now);
  // A handshake that has begun before a limit changes is held to the one it began with.
  await made.dispose();
  made = await makeEmbeddedEdge({ workers: 1 });
  await made.edge.start({ ...now, limits: { ...testLimits, headersTimeoutMs: 400 } });
  const silent = connectPlain(port, "127.0.0.1");
  silent.on("error", () => undefined).resume();
  await new Promise((resolve) => silent.once("close", resolve));
  await made.edge.start(now);
  await made.edge.apply(table(1, [target(backend, 10_000)]));
});

test("5 replacements of all workers under load in HTTP/2 fail no request", async () => {
  const now = await config();
  const load = startHttp2Load(port, { ca: authority.ca }, 4, ["/", "/slow?ms=30", "/x", "/y"]);
  for (let round = 0; round < 5; round += 1) {
    await load.more(20);
    await made.edge.start(now, { fresh: true });
  }
  await load.more(60);
  const { answers, failures } = await load.stop();
  expect(failures).toEqual([]);
  // What clients asked again had reached nobody.
  expect([...backend.seen.values()].reduce((sum, count) => sum + count, 0)).toBe(answers.get("a"));
  // Those that were replaced end with their last connection.
  await within(60_000, async () => ((await made.status()).workers.length === 1 ? true : null), "the old workers gone");
}, 120_000);

/** The last piece of a head. */
function continuationEnd(block: Buffer): Buffer {
  const frame = continuationFrame(1, block);
  frame[4] = 0x4;
  return frame;
}
