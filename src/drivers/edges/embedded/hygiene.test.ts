import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type Backend, startBackend } from "../../../testing/conformance/edge/backend.ts";
import { configOn, openPolicy, route, table, target } from "../../../testing/conformance/edge/tables.ts";
import { freePort } from "../../../testing/ports.ts";
import { type EmbeddedUnderTest, makeEmbeddedEdge } from "./made.fixture.ts";
import { sendRaw, statuses } from "./raw.fixture.ts";

let made: EmbeddedUnderTest;
let backend: Backend;
let port = 0;

beforeAll(async () => {
  made = await makeEmbeddedEdge({ workers: 1 });
  backend = await startBackend("a");
  port = await freePort();
  await made.edge.start(configOn(port));
  const guarded = { ...openPolicy, allowLists: [{ prefix: "/admin", allow: ["10.0.0.0/8"] }] };
  await made.edge.apply(table(1, [target(backend, 10_000)], { routes: [route({ policy: guarded })] }));
});
afterAll(async () => {
  await made.dispose();
  await backend.close();
});
beforeEach(() => {
  backend.seen.clear();
  backend.heads.length = 0;
});

const get = (head: string): string => `GET / HTTP/1.1\r\n${head}\r\n\r\n`;
const post = (head: string, body: string): string => `POST / HTTP/1.1\r\nHost: h\r\n${head}\r\n\r\n${body}`;

/** Requests that two programs could read in two ways, or that are no HTTP: refused, and never seen by a service. */
const refused: [what: string, bytes: string, status: number][] = [
  ["Content-Length and Transfer-Encoding", post("Content-Length: 4\r\nTransfer-Encoding: chunked", "0\r\n\r\n"), 400],
  ["Transfer-Encoding and Content-Length", post("Transfer-Encoding: chunked\r\nContent-Length: 4", "0\r\n\r\n"), 400],
  ["two different Content-Lengths", post("Content-Length: 1\r\nContent-Length: 2", "ab"), 400],
  ["two equal Content-Lengths", post("Content-Length: 1\r\nContent-Length: 1", "a"), 400],
  ["Content-Length with a sign", post("Content-Length: +3", "abc"), 400],
  ["Content-Length in hex", post("Content-Length: 0x3", "abc"), 400],
  ["negative Content-Length", post("Content-Length: -1", ""), 400],
  ["Content-Length list", post("Content-Length: 3, 3", "abc"), 400],
  ["empty Content-Length", post("Content-Length: ", "abc"), 400],
  ["Content-Length beyond numbers", post("Content-Length: 99999999999999999999999", "abc"), 400],
  ["blank before the colon", post("Transfer-Encoding : chunked", "0\r\n\r\n"), 400],
  ["vertical tab before the value", post("Transfer-Encoding:\x0bchunked", "0\r\n\r\n"), 400],
  ["an unknown transfer encoding", post("Transfer-Encoding: xchunked", "0\r\n\r\n"), 400],
  ["chunked twice", post("Transfer-Encoding: chunked, chunked", "0\r\n\r\n"), 400],
  ["chunked in two headers", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n"), 400],
  ["gzip, chunked", post("Transfer-Encoding: gzip, chunked", "0\r\n\r\n"), 400],
  ["identity", post("Transfer-Encoding: identity", ""), 400],
  ["chunked, identity", post("Transfer-Encoding: chunked, identity", "0\r\n\r\n"), 400],
  ["quoted chunked", post('Transfer-Encoding: "chunked"', "0\r\n\r\n"), 400],
  ["chunked in HTTP/1.0", "POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400],
  ["obsolete line folding", get("Host: h\r\nX-A: b\r\n c"), 400],
  ["folded Transfer-Encoding", post("Transfer-Encoding:\r\n chunked", "0\r\n\r\n"), 400],
  ["bare line feeds", "GET / HTTP/1.1\nHost: h\n\n", 400],
  ["a bare line feed in the head", get("Host: h\nX-A: b"), 400],
  ["a bare carriage return in a value", get("Host: h\r\nX-A: b\rc"), 400],
  ["NUL in a value", get("Host: h\r\nX-A: b\0c"), 400],
  ["NUL in a name", get("Host: h\r\nX\0A: b"), 400],
  ["a blank in a name", get("Host: h\r\nX A: b"), 400],
  ["no colon", get("Host: h\r\nX-A"), 400],
  ["an empty name", get("Host: h\r\n: b"), 400],
  ["an empty header line first", "GET / HTTP/1.1\r\n Host: h\r\n\r\n", 400],
  ["no Host", get("X-A: b"), 400],
  ["no Host in HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", 400],
  ["two Hosts", get("Host: a\r\nHost: b"), 400],
  ["the same Host twice", get("Host: a\r\nHost: a"), 400],
  ["Host with a path", get("Host: a/b"), 400],
  ["Host with a user", get("Host: u@a"), 400],
  ["Host with a blank", get("Host: a b"), 400],
  ["Host with a comma", get("Host: a,b"), 400],
  ["an empty Host", get("Host: "), 400],
  ["Host with a bad port", get("Host: a:port"), 400],
  ["an absolute form of another host", "GET http://evil.example/ HTTP/1.1\r\nHost: h\r\n\r\n", 400],
  ["an absolute form of another port", "GET http://h:81/ HTTP/1.1\r\nHost: h\r\n\r\n", 400],
  ["an absolute form of another scheme", "GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n", 400],
  ["no path", "GET h HTTP/1.1\r\nHost: h\r\n\r\n", 400],
  ["TRACE", "TRACE / HTTP/1.1\r\nHost: h\r\n\r\n", 405],
  ["CONNECT", "CONNECT h:80 HTTP/1.1\r\nHost: h\r\n\r\n", 405],
  ["an unknown method", "HACK / HTTP/1.1\r\nHost: h\r\n\r\n", 400],
  ["a lower-case method", "get / HTTP/1.1\r\nHost: h\r\n\r\n", 400],
  ["HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400],
  ["HTTP/0.9", "GET /\r\n\r\n", 400],
  ["HTTP/9.9", "GET / HTTP/9.9\r\nHost: h\r\n\r\n", 400],
  ["TLS on a plain port", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400],
  ["an encoded slash", "GET /a%2fadmin HTTP/1.1\r\nHost: h\r\n\r\n", 400],
  ["encoded dots", "GET /a/%2e%2e/admin HTTP/1.1\r\nHost: h\r\n\r\n", 400],
  ["a backslash", "GET /a\\admin HTTP/1.1\r\nHost: h\r\n\r\n", 400],
  ["an encoded NUL", "GET /a%00 HTTP/1.1\r\nHost: h\r\n\r\n", 400],
  ["above the root", "GET /../etc/passwd HTTP/1.1\r\nHost: h\r\n\r\n", 400],
  ["an unknown expectation", get("Host: h\r\nExpect: 200-maybe"), 417],
  ["100 kB of headers", get(`Host: h\r\nX-A: ${"a".repeat(100_000)}`), 431],
];

for (const [what, bytes, status] of refused)
  test(`refused and not passed on: ${what}`, async () => {
    // A second request on the same connection would be answered 200 if the first were read as something shorter.
    const received = await sendRaw(
      port,
      bytes + (bytes.endsWith("\r\n\r\n") ? get("Host: h\r\nConnection: close") : ""),
      { idleMs: 3000 },
    );
    expect(statuses(received)[0], JSON.stringify(received.slice(0, 200))).toBe(status);
    if (status === 400 && /Transfer|Content-Length/.test(bytes)) {
      expect(statuses(received)).toHaveLength(1);
      expect(backend.heads).toEqual([]);
    }
    expect(
      backend.heads.filter(({ headers }) => headers["x-a"] !== undefined || headers["transfer-encoding"] !== undefined),
    ).toEqual([]);
  });

test("no spelling of a guarded path gets past the allow-list", async () => {
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
  ]) {
    const received = await sendRaw(port, `GET ${path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`);
    expect(statuses(received), path).toEqual([403]);
  }
  expect(backend.heads).toEqual([]);
  expect(statuses(await sendRaw(port, "GET /administrator HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"))).toEqual([
    200,
  ]);
});

test("an absolute form of the same host is its path", async () => {
  const received = await sendRaw(port, "GET http://H:80/a?b HTTP/1.1\r\nHost: h:80\r\nConnection: close\r\n\r\n");
  expect(statuses(received)).toEqual([200]);
  expect(backend.heads[0]?.url).toBe("/a?b");
});

test("what a client says about addresses, schemes and traces is not passed on", async () => {
  const spoofs = [
    "X-Forwarded-For: 6.6.6.6",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: evil",
    "X-Forwarded-Port: 443",
    "X-Real-IP: 6.6.6.6",
    "Forwarded: for=6.6.6.6",
    "X_Forwarded_For: 6.6.6.6",
    "True-Client-IP: 6.6.6.6",
    "X-Original-URL: /admin",
    "X-Rewrite-URL: /admin",
    "X-Trace-Id: 6666",
    "traceparent: 00-66666666666666666666666666666666-6666666666666666-01",
    "tracestate: a=b",
  ];
  await sendRaw(port, get(`Host: h\r\n${spoofs.join("\r\n")}\r\nConnection: close`));
  const { headers, raw } = backend.heads[0]!;
  expect(headers).toMatchObject({
    "x-forwarded-for": "127.0.0.1",
    "x-forwarded-proto": "http",
    "x-forwarded-host": "h",
  });
  expect(raw.join("\n")).not.toMatch(/6\.6\.6\.6|6666|evil|x-original|x-rewrite|x-real|tracestate|x-forwarded-port/i);
  expect(headers.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
});

test("hop-by-hop headers, and those that Connection names, stay on their side", async () => {
  await sendRaw(
    port,
    get(
      "Host: h\r\nConnection: close, X-Private, X-Forwarded-For\r\nX-Private: 1\r\nTE: trailers\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nX-Public: 1",
    ),
  );
  const { headers } = backend.heads[0]!;
  for (const name of ["x-private", "te", "keep-alive", "proxy-connection"]) expect(headers[name], name).toBeUndefined();
  expect(headers["x-public"]).toBe("1");
  // Naming it does not remove what the edge itself says.
  expect(headers["x-forwarded-for"]).toBe("127.0.0.1");
});

test("an upgrade to anything but a WebSocket is a request whose wish is not heard", async () => {
  const h2c =
    "Host: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA";
  const received = await sendRaw(port, get(h2c) + get("Host: h\r\nX-Second: 1\r\nConnection: close"));
  expect(statuses(received)).toEqual([200, 200]);
  expect(backend.heads[0]?.headers.upgrade).toBeUndefined();
  expect(backend.heads[0]?.headers["http2-settings"]).toBeUndefined();
  expect(backend.heads[1]?.headers["x-second"]).toBe("1");
});

test("pipelined requests are answered in their order", async () => {
  const received = await sendRaw(
    port,
    "GET /slow?ms=80 HTTP/1.1\r\nHost: h\r\n\r\nGET /nowhere/../x HTTP/1.1\r\nHost: h\r\n\r\nPOST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET /%2e%2e/ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    { idleMs: 3000 },
  );
  expect(statuses(received)).toEqual([200, 200, 200, 400]);
});

test("a page of the edge's own speaks the language it is asked in, with the trace and no address", async () => {
  const ask = (accept: string): Promise<string> =>
    sendRaw(port, `GET /%2f HTTP/1.1\r\nHost: h\r\nAccept: ${accept}\r\nConnection: close\r\n\r\n`);
  expect(await ask("text/html,*/*")).toMatch(
    /content-type: text\/html[\s\S]*<h1>Bad Request<\/h1>[\s\S]*trace [0-9a-f]{32}/i,
  );
  const json = (await ask("application/json")).split("\r\n\r\n")[1] ?? "";
  expect(JSON.parse(json)).toMatchObject({ error: { code: "BAD_PATH", status: 400 } });
  expect(await ask("*/*")).toMatch(/content-type: text\/plain/i);
});
