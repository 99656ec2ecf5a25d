import { once } from "node:events";
import { createServer } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import type { HostCondition } from "../../ports/hosts.ts";
import { domainReport } from "./check-domains.ts";
import { hostReport } from "./check-hosts.ts";

const well: HostCondition = { name: "h1", url: "ssh://h1", aheadMs: 0, freeBytes: 12_340_000_000, trouble: null };

it.each([
  [{}, "its clock is right; 12.3 GB are free for images"],
  [{ aheadMs: -4_900, freeBytes: null }, "its clock is right; its disk cannot be asked for"],
  [
    { aheadMs: -61_200 },
    { says: "its clock is 1m1s behind this machine's", hint: expect.stringContaining("timedatectl") },
  ],
  [{ aheadMs: 3_600_000 }, { says: expect.stringContaining("1h ahead of"), hint: expect.anything() }],
  [
    { freeBytes: 300_000_000 },
    { says: expect.stringContaining("only 0.3 GB"), hint: expect.stringContaining("docker") },
  ],
  [
    { trouble: "host h1: Connection refused", aheadMs: null, freeBytes: null },
    { says: "host h1: Connection refused", hint: expect.stringContaining("server check") },
  ],
])("a host that is %j is told of in words", (change, words) => {
  expect(hostReport({ ...well, ...change })).toEqual(words);
});

it("a name that leads nowhere, a port where nobody is, and one that speaks no TLS are told apart", async () => {
  const clock = { now: () => Date.now() } as Parameters<typeof domainReport>[0]["clock"];
  const server = createServer((socket) => socket.on("error", () => {}).end("plain", () => socket.destroy())).listen(
    0,
    "localhost",
  );
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const report = (name: string) => domainReport({ clock }, { name, server: null, port });
  expect(await report("nowhere.invalid")).toEqual({
    says: "nowhere.invalid has no address",
    hint: expect.stringContaining("A record"),
  });
  expect(await report("localhost")).toEqual({
    says: expect.stringMatching(/^localhost: no TLS/),
    hint: expect.stringContaining("edge"),
  });
  server.close();
  await once(server, "close");
  expect(await report("localhost")).toEqual({
    says: `${port} is reached, and nothing listens there yet`,
    hint: expect.stringContaining("slipway status"),
  });
});
