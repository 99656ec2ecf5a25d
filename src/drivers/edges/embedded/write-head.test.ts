import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { sendRaw } from "./raw.fixture.ts";
import { endWith, headerLine, writeHead } from "./write-head.ts";

test("ready-made lines and a joined body are the bytes that node:http would have sent", async () => {
  const body = Buffer.from([...Array(256).keys()]);
  const server = createServer((_, res) => {
    writeHead(res, 200, ["Content-Length", "256", "Date", "now"], headerLine("X-One", "1") + headerLine("X-Two", "é"));
    endWith(res, body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const received = await sendRaw(
    (server.address() as AddressInfo).port,
    "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
  );
  server.close();
  expect(received).toBe(
    `HTTP/1.1 200 OK\r\nContent-Length: 256\r\nDate: now\r\nConnection: close\r\nX-One: 1\r\nX-Two: é\r\n\r\n${body.toString("latin1")}`,
  );
});
