import { createSocket } from "node:dgram";
import { once } from "node:events";
import { expect, it, onTestFinished } from "vitest";
import { type DnsOptions, dnsProbe } from "./index.ts";

/** A name server (RFC 1035) that knows one name, says of all others that they are not there, and keeps silent about `silent.test`. */
async function nameServer(): Promise<string> {
  const socket = createSocket("udp4");
  socket.on("message", (question, { port, address }) => {
    const name = question.subarray(13, 13 + (question[12] ?? 0)).toString();
    if (name === "silent") return;
    const isKnown = name === "shop";
    const head = Buffer.from(question.subarray(0, 12));
    head.writeUInt16BE(isKnown ? 0x8180 : 0x8183, 2);
    head.writeUInt16BE(isKnown ? 1 : 0, 6);
    head.writeUInt16BE(0, 10);
    const asked = question.subarray(12, question.indexOf(0, 12) + 5);
    const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 203, 0, 113, 7]);
    socket.send(Buffer.concat(isKnown ? [head, asked, record] : [head, asked]), port, address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  onTestFinished(() => {
    socket.close();
  });
  return `127.0.0.1:${socket.address().port}`;
}

it("a name is there, is another's, is not there, or cannot be known", async () => {
  const server = await nameServer();
  const probe = (more: Partial<DnsOptions>, signal = AbortSignal.timeout(20_000)) =>
    dnsProbe({ name: "shop.test", type: "A", server, answer: null, ...more }).read(signal);
  expect(await probe({})).toEqual({ is: "pass", saw: "203.0.113.7" });
  expect(await probe({ answer: "203.0.113.7" })).toMatchObject({ is: "pass" });
  expect(await probe({ answer: "203.0.113.8" })).toEqual({ is: "fail", saw: "203.0.113.7; 203.0.113.8 was wanted" });
  expect(await probe({ name: "other.test" })).toEqual({ is: "fail", saw: "there is no other.test" });
  expect(await probe({ server: "127.0.0.1:1" })).toMatchObject({ is: "unknown" });
  await expect(probe({ name: "silent.test" }, AbortSignal.timeout(50))).rejects.toMatchObject({ name: "TimeoutError" });
});
