import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { webSocketHead, within } from "../../../testing/conformance/edge/client.ts";
import { configOn, table, target, testLimits } from "../../../testing/conformance/edge/tables.ts";
import { freePort } from "../../../testing/ports.ts";
import { type EmbeddedUnderTest, makeEmbeddedEdge } from "./made.fixture.ts";
import { sendRaw, statuses } from "./raw.fixture.ts";

let made: EmbeddedUnderTest;
let port = 0;
let handle: (req: IncomingMessage, res: ServerResponse) => void = (_, res) => res.end();
const server = createServer((req, res) => handle(req, res));

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  made = await makeEmbeddedEdge({ workers: 1 });
  port = await freePort();
  const limits = { ...testLimits, headersTimeoutMs: 700, requestTimeoutMs: 1500, bodyBytes: 100_000 };
  await made.edge.start(configOn(port, { limits }));
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  await made.edge.apply(table(1, [target({ label: "a", address } as Parameters<typeof target>[0], 10_000)]));
});
afterEach(() => {
  handle = (_, res) => void res.end();
});
afterAll(async () => {
  await made.dispose();
  server.closeAllConnections();
  server.close();
});

test("a body passes whole, with a length and in chunks", async () => {
  handle = (req, res) => {
    let bytes = 0;
    req.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
    });
    req.on("end", () => res.end(`${bytes} ${req.headers["content-length"] ?? req.headers["transfer-encoding"]}`));
  };
  const body = "x".repeat(90_000);
  const head = "POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n";
  expect(await sendRaw(port, [`${head}Content-Length: 90000\r\n\r\n`, body])).toContain("90000 90000");
  const chunks = `15f90\r\n${body}\r\n0\r\n\r\n`;
  expect(await sendRaw(port, [`${head}Transfer-Encoding: chunked\r\n\r\n`, chunks])).toContain("90000 chunked");
});

test("a body that is too large is 413, by its length at once and in chunks when it gets there", async () => {
  let finished = 0;
  handle = (req, res) => {
    req.resume();
    req.on("end", () => {
      finished += 1;
      res.end();
    });
  };
  const head = "POST / HTTP/1.1\r\nHost: h\r\n";
  expect(statuses(await sendRaw(port, `${head}Content-Length: 100001\r\n\r\n`))).toEqual([413]);
  const chunk = `c350\r\n${"x".repeat(50_000)}\r\n`;
  expect(
    statuses(await sendRaw(port, [`${head}Transfer-Encoding: chunked\r\n\r\n`, chunk, chunk, chunk, "0\r\n\r\n"]))[0],
  ).toBe(413);
  expect(finished).toBe(0);
});

test("after a refused small body the connection goes on with the next request", async () => {
  const bad = "POST /%2f HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabcde";
  const received = await sendRaw(port, `${bad}GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`);
  expect(statuses(received)).toEqual([400, 200]);
});

test("an answer that comes while the body is still sent reaches the client", async () => {
  handle = (_, res) => void res.writeHead(403, { Connection: "close" }).end("no");
  const socket = connect(port, "127.0.0.1");
  socket.write("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 90000\r\n\r\nbegin");
  let received = "";
  socket.on("data", (chunk: Buffer) => {
    received += chunk.toString("latin1");
  });
  await within(30_000, () => (received.includes("\r\nno\r\n") ? true : null), "the early 403");
  expect(statuses(received)).toEqual([403]);
  // The rest of the body is read away, and the connection serves the next request.
  handle = (_, res) => void res.end("yes");
  socket.write(`${"x".repeat(90_000 - 5)}GET / HTTP/1.1\r\nHost: h\r\n\r\n`);
  await within(30_000, () => (received.includes("yes") ? true : null), "the next answer");
  socket.destroy();
});

test("a client that expects 100 Continue gets it when the service takes the body, and not when it is refused", async () => {
  handle = (req, res) => void req.resume().on("end", () => res.end("got it"));
  const head = (length: number): string =>
    `POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`;
  const socket = connect(port, "127.0.0.1");
  let received = "";
  socket.on("data", (chunk: Buffer) => {
    received += chunk.toString("latin1");
  });
  socket.write(head(3));
  await within(30_000, () => (received.includes("100 Continue") ? true : null), "100 Continue");
  socket.write("abc");
  await within(30_000, () => (received.includes("got it") ? true : null), "the answer");
  expect(statuses(received)).toEqual([100, 200]);
  socket.destroy();
  expect(statuses(await sendRaw(port, head(200_000)))).toEqual([413]);
});

test("early hints pass, and other news before the answer does no harm", async () => {
  handle = (_, res) => {
    res.writeEarlyHints({ link: "</a.css>; rel=preload" });
    res.end("done");
  };
  const received = await sendRaw(port, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  expect(statuses(received)).toEqual([103, 200]);
  expect(received).toContain("</a.css>; rel=preload");
});

test("an answer that breaks off is broken off for the client too, never ended cleanly", async () => {
  for (const framing of [{ "Content-Length": "100" }, {}]) {
    handle = (req, res) => {
      res.writeHead(200, framing);
      res.write("part");
      setImmediate(() => setTimeout(() => req.socket.destroy(), 20));
    };
    const broken = await new Promise<string>((resolve) => {
      request({ host: "127.0.0.1", port, agent: false }, (res) => {
        res.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
        res.on("end", () => resolve("ended"));
        res.resume();
      }).end();
    });
    expect(broken).toBe("ECONNRESET");
  }
});

test("garbage instead of an answer is 502", async () => {
  const { createServer: createRaw } = await import("node:net");
  const raw = createRaw((socket) =>
    socket.on("error", () => undefined).once("data", () => socket.end("SSH-2.0-x\r\n\r\n")),
  );
  await new Promise<void>((resolve) => raw.listen(0, "127.0.0.1", resolve));
  const address = `127.0.0.1:${(raw.address() as AddressInfo).port}`;
  const before = (await made.edge.current())!;
  await made.edge.apply(table(2, [target({ label: "g", address } as Parameters<typeof target>[0], 10_000)]));
  expect(
    statuses(await sendRaw(port, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")),
  ).toEqual([502]);
  await made.edge.apply({ ...before, generation: 3 });
  raw.close();
});

test("a service that closes idle connections whenever it likes fails no request", async () => {
  // Without a Keep-Alive header the edge cannot know; it must notice, and ask again where that is safe.
  handle = (req, res) => {
    res.removeHeader("Keep-Alive");
    res.shouldKeepAlive = true;
    res.end("ok");
    const { socket } = req;
    setTimeout(() => socket.destroy(), 3);
  };
  for (let index = 0; index < 60; index += 1) {
    const answer = await sendRaw(port, "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    expect(statuses(answer), `request ${index}`).toEqual([200]);
  }
});

test("an aborted upload and an aborted download are aborted at the service", async () => {
  const told: string[] = [];
  const seen: string[] = [];
  handle = (req, res) => {
    seen.push(req.url ?? "");
    req.on("error", () => undefined);
    req.resume();
    res.on("close", () => told.push(req.url ?? ""));
    if (req.url === "/download") {
      res.writeHead(200);
      res.write("x".repeat(1000));
    }
  };
  const upload = connect(port, "127.0.0.1");
  upload.write("POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\nabc");
  const download = connect(port, "127.0.0.1");
  download.write("GET /download HTTP/1.1\r\nHost: h\r\n\r\n");
  await new Promise((resolve) => download.once("data", resolve));
  // What has not come to a service yet is told to none.
  await within(60_000, () => (seen.length === 2 ? true : null), "both requests there");
  upload.destroy();
  download.destroy();
  await within(60_000, () => (told.length === 2 ? true : null), "both services told");
});

test("a client that reads slowly holds back the service, not the edge's memory", async () => {
  let sent = 0;
  const total = 64 * 1024 * 1024;
  handle = (_, res) => {
    res.writeHead(200, { "Content-Length": total });
    const chunk = Buffer.alloc(65_536);
    const pump = (): void => {
      while (sent < total) {
        sent += chunk.length;
        if (!res.write(chunk)) {
          res.once("drain", pump);
          return;
        }
      }
      res.end();
    };
    pump();
    res.on("close", () => undefined);
  };
  const socket = connect(port, "127.0.0.1");
  socket.pause();
  socket.write("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  let before = -1;
  await within(
    30_000,
    async () => {
      const still = sent > 0 && sent === before;
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 150));
      return still ? true : null;
    },
    "the service held back",
  );
  expect(sent).toBeLessThan(24 * 1024 * 1024);
  socket.destroy();
});

test("a WebSocket that the service refuses is answered as the service answered, and one the edge refuses too", async () => {
  server.once("upgrade", (_, socket) =>
    socket.end("HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\nX-Why: key\r\n\r\nsorr"),
  );
  const refused = await sendRaw(port, webSocketHead("/ws"), { idleMs: 2000 });
  expect(statuses(refused)).toEqual([401]);
  expect(refused).toMatch(/X-Why: key[\s\S]*sorr$/);
  expect(statuses(await sendRaw(port, webSocketHead("/%2f"), { idleMs: 2000 }))).toEqual([400]);
});

test("slow heads and slow bodies are 408 in their time", async () => {
  handle = (req, res) => void req.resume().on("end", () => res.end());
  const head = await sendRaw(port, "GET / HTTP/1.1\r\nHost: h\r\nX-Slow: ", { idleMs: 5000 });
  expect(statuses(head)).toEqual([408]);
  const body = await sendRaw(port, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nab", { idleMs: 5000 });
  expect(statuses(body)).toEqual([408]);
});

test("trailers reach a client that reads them, and no other", async () => {
  handle = (_, res) => {
    res.writeHead(200, { Trailer: "X-Checksum" });
    res.write("body");
    res.addTrailers({ "X-Checksum": "abc", "Content-Type": "text/evil" });
    res.end();
  };
  const head = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close, TE\r\n";
  const received = await sendRaw(port, `${head}TE: trailers\r\n\r\n`, { idleMs: 10_000 });
  expect(received).toMatch(/\r\n0\r\nX-Checksum: abc\r\n\r\n$/);
  expect(await sendRaw(port, `${head}\r\n`, { idleMs: 10_000 })).toMatch(/\r\n0\r\n\r\n$/);
});
