import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { afterEach, describe, expect, it } from "vitest";
import { certificate, certificateFinding, leadsHere, reachable } from "./outside.ts";

const now = Date.parse("2026-11-21T00:00:00Z");
const inDays = (days: number): number => now + days * 86_400_000;
const servers: Server[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

async function listen(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

describe("from outside", () => {
  it("a port answers, is only reached, or is kept away", async () => {
    const server = createServer((socket) => socket.end());
    const port = await listen(server);
    expect(await reachable("127.0.0.1", port)).toMatchObject({ is: "ok" });
    await new Promise((resolve) => servers.pop()?.close(resolve));
    expect(await reachable("127.0.0.1", port)).toMatchObject({
      is: "note",
      evidence: `${port} is reached, and nothing listens there yet`,
    });
  });

  it("a name leads here, elsewhere, or nowhere", async () => {
    expect(await leadsHere("localhost", ["127.0.0.1", "::1"])).toMatchObject({ is: "ok" });
    expect(await leadsHere("localhost", ["203.0.113.7"])).toMatchObject({ is: "note" });
    expect(await leadsHere("nowhere.invalid", ["203.0.113.7"])).toMatchObject({
      is: "blocked",
      evidence: "nowhere.invalid has no address",
      hint: expect.stringContaining("A record to 203.0.113.7"),
    });
  });

  it("a certificate that no browser takes is told, with why", async () => {
    const directory = mkdtempSync(join(tmpdir(), "slpsrv-tls-"));
    const [key, cert] = [join(directory, "key"), join(directory, "cert")];
    const made = spawnSync(
      "openssl",
      [
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "90",
        "-subj",
        "/CN=localhost",
        "-keyout",
        key,
        "-out",
        cert,
      ],
      { encoding: "utf8" },
    );
    expect(made.status, made.stderr).toBe(0);
    const port = await listen(createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) }));
    rmSync(directory, { recursive: true });
    expect(await certificate("localhost", Date.now(), { host: "127.0.0.1", port })).toMatchObject({
      is: "blocked",
      evidence: expect.stringMatching(/self.signed/i),
    });
  });

  it.each([
    ["runs out late", { from: inDays(-30), until: inDays(60), trouble: null }, "ok", "60 more days"],
    ["should have been renewed", { from: inDays(-87), until: inDays(3), trouble: null }, "note", "3 days left"],
    ["lives for days only", { from: inDays(-3), until: inDays(3), trouble: null }, "ok", "3 more days"],
    [
      "has run out",
      { from: inDays(-92), until: inDays(-2), trouble: "certificate has expired" },
      "blocked",
      "ran out 2 days ago",
    ],
    ["is not there", null, "blocked", "no TLS (ECONNREFUSED)"],
  ] as const)("a certificate that %s", (_, seen, is, words) => {
    expect(certificateFinding("app.example.com", seen, seen === null ? "ECONNREFUSED" : null, now)).toMatchObject({
      is,
      evidence: expect.stringContaining(words),
    });
  });
});
