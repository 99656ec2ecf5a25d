import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import type { ProbeAnswer } from "../../../core/judge/probe.ts";
import { wallClock } from "../../../testing/engine/wall-clock.ts";
import { httpProber } from "./index.ts";

const prober = httpProber(wallClock);
const { signal } = new AbortController();
/** Long enough for a busy machine: what ends by itself must not need it. */
const patientMs = 20_000;

/** A server that answers each connection in its own way. */
async function listening(answer: (socket: Socket, asked: string) => void, host = "127.0.0.1"): Promise<string> {
  const server: Server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", (data) => answer(socket, data.toString()));
  });
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => sockets.add(socket));
  server.listen(0, host);
  await once(server, "listening");
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, "close");
  });
  const { port } = server.address() as AddressInfo;
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

const probe = (address: string, timeoutMs = patientMs, path = "/up"): Promise<ProbeAnswer> =>
  prober.http({ address, path, timeoutMs }, signal);

const whole = (status: string, body: string, headers = "") =>
  `HTTP/1.1 ${status}\r\n${headers}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

describe("a probe gets", () => {
  it("status and body, and says who asks", async () => {
    let seen = "";
    const address = await listening((socket, asked) => {
      seen = asked;
      socket.end(whole("503 Service Unavailable", "ünhealthy ☃"));
    });
    expect(await probe(address, patientMs, "/up?deep=1")).toMatchObject({
      is: "answer",
      status: 503,
      body: "ünhealthy ☃",
    });
    expect(seen.split("\r\n")[0]).toBe("GET /up?deep=1 HTTP/1.1");
    expect(seen.toLowerCase()).toContain(`host: ${address}\r\n`);
    expect(seen.toLowerCase()).toContain("user-agent: slipway-probe\r\n");
  });

  it("an empty body, a chunked one, and one that ends with the connection", async () => {
    const empty = await listening((socket) => socket.end("HTTP/1.1 204 No Content\r\n\r\n"));
    expect(await probe(empty)).toMatchObject({ status: 204, body: "" });
    const chunked = await listening((socket) =>
      socket.end("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"),
    );
    expect(await probe(chunked)).toMatchObject({ status: 200, body: "hello" });
    const unframed = await listening((socket) => socket.end("HTTP/1.0 200 OK\r\n\r\nuntil the end"));
    expect(await probe(unframed)).toMatchObject({ status: 200, body: "until the end" });
  });

  it("a redirect as it is, without following it", async () => {
    let connections = 0;
    const address = await listening((socket) => {
      connections += 1;
      socket.end(whole("302 Found", "", "location: /login\r\n"));
    });
    expect(await probe(address)).toMatchObject({ status: 302 });
    expect(connections).toBe(1);
  });

  it("the answer after an early hint", async () => {
    const address = await listening((socket) =>
      socket.end(`HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${whole("200 OK", "ok")}`),
    );
    expect(await probe(address)).toMatchObject({ status: 200, body: "ok" });
  });

  it("at most 64 kB of a body that does not end, and does not wait for more", async () => {
    const chunk = "x".repeat(16 * 1024);
    let letGo: () => void = () => {};
    const closed = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const address = await listening((socket) => {
      socket.on("close", letGo);
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      const more = (): void => {
        while (!socket.destroyed && socket.write(chunk));
      };
      socket.on("drain", more);
      more();
    });
    const answer = await probe(address);
    expect(answer.is === "answer" && answer.body.length).toBe(64 * 1024);
    await closed;
  });

  it("an answer over IPv6", async ({ skip }) => {
    const address = await listening((socket) => socket.end(whole("200 OK", "six")), "::1").catch(() => null);
    if (address === null) return skip("this machine has no IPv6");
    expect(await probe(address)).toMatchObject({ status: 200, body: "six" });
  });
});

describe("a probe that gets nothing says why", () => {
  it("when nothing listens", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, "close");
    expect(await probe(`127.0.0.1:${port}`)).toMatchObject({
      is: "nothing",
      why: "connection refused: nothing listens there",
    });
  });

  it("when the connection is closed, or reset, without an answer", async () => {
    const closed = await listening((socket) => socket.end());
    expect(await probe(closed)).toMatchObject({ is: "nothing", why: "connection closed without an answer" });
    const reset = await listening((socket) => socket.resetAndDestroy());
    expect(await probe(reset)).toMatchObject({ is: "nothing", why: "connection closed without an answer" });
  });

  it("when the answer breaks off, in its head and in its body", async () => {
    const head = await listening((socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-le"));
    expect(await probe(head)).toMatchObject({ is: "nothing" });
    const body = await listening((socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"));
    expect(await probe(body)).toMatchObject({
      is: "nothing",
      why: "connection closed in the middle of the answer, after 200",
    });
    const chunk = await listening((socket) =>
      socket.end("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\nhalf"),
    );
    expect(await probe(chunk)).toMatchObject({ is: "nothing" });
  });

  it("when the answer is not HTTP", async () => {
    const greetings = [
      "220 mail.example.org ESMTP\r\n",
      "SSH-2.0-OpenSSH_9\r\n",
      "\x16\x03\x01\x02\x00",
      "HTTP/1.1 twohundred OK\r\n\r\n",
      "{}",
    ];
    for (const greeting of greetings) {
      const address = await listening((socket) => socket.end(greeting));
      expect(await probe(address), greeting).toMatchObject({ is: "nothing", why: expect.stringContaining("not HTTP") });
    }
  });

  it("when the headers are more than anybody needs", async () => {
    const address = await listening((socket) => socket.end(whole("200 OK", "", `x-long: ${"x".repeat(200_000)}\r\n`)));
    expect(await probe(address)).toMatchObject({ is: "nothing" });
  });

  it("when the other side wants to speak another protocol", async () => {
    const address = await listening((socket) =>
      socket.write("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"),
    );
    expect(await probe(address)).toMatchObject({ is: "nothing", why: "connection closed without an answer" });
  });

  it("when no answer comes in time, when its head does not end, and when its body does not", async () => {
    const silent = await listening(() => {});
    expect(await probe(silent, 50)).toMatchObject({ is: "nothing", why: "no answer within 50 ms" });
    const slowHead = await listening((socket) => drip(socket, "HTTP/1.1 200 OK\r\nx: y\r\n"));
    expect(await probe(slowHead, 50)).toMatchObject({ is: "nothing", why: "no answer within 50 ms" });
    const slowBody = await listening((socket) => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n");
      drip(socket, "slow");
    });
    expect(await probe(slowBody, 200)).toMatchObject({
      is: "nothing",
      why: "200, but its body did not end within 200 ms",
    });
  });

  it("when it cannot even be asked", async () => {
    expect(await probe("127.0.0.1:1", patientMs, "/with space")).toMatchObject({ is: "nothing" });
    expect(await probe("127.0.0.1:99999")).toMatchObject({ is: "nothing" });
    expect(await probe("no-such-host.invalid:80")).toMatchObject({ is: "nothing" });
  });
});

describe("a probe that is called off", () => {
  it("rejects with the reason and lets go of the connection", async () => {
    let connected: (socket: Socket) => void = () => {};
    const connection = new Promise<Socket>((resolve) => {
      connected = resolve;
    });
    const address = await listening((socket) => connected(socket));
    const stop = new AbortController();
    const asked = prober.http({ address, path: "/", timeoutMs: patientMs }, stop.signal);
    const refused = expect(asked).rejects.toThrow("enough");
    const socket = await connection;
    const closed = once(socket, "close");
    stop.abort(new Error("enough"));
    await refused;
    await closed;
  });

  it("does not ask at all when it was called off before", async () => {
    let asked = 0;
    const address = await listening(() => {
      asked += 1;
    });
    await expect(
      prober.http({ address, path: "/", timeoutMs: 50 }, AbortSignal.abort(new Error("enough"))),
    ).rejects.toThrow("enough");
    await probe(address, 50);
    expect(asked).toBe(1);
  });

  it("leaves nothing on the signal, however often it is used", async () => {
    const address = await listening((socket) => socket.end(whole("200 OK", "ok")));
    const warnings: unknown[] = [];
    const note = (warning: unknown): number => warnings.push(warning);
    process.on("warning", note);
    onTestFinished(() => void process.off("warning", note));
    for (let count = 0; count < 30; count += 1) await probe(address);
    expect(warnings).toEqual([]);
  });
});

/** Byte after byte, for ever, until the other side has had enough. */
function drip(socket: Socket, text: string): void {
  let sent = 0;
  const timer = setInterval(() => {
    if (socket.destroyed) return clearInterval(timer);
    socket.write(text[sent % text.length] ?? "");
    sent += 1;
  }, 5);
  socket.on("close", () => clearInterval(timer));
}
