import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer as createPlainServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer } from "node:tls";
import { expect, it, onTestFinished } from "vitest";
import { tcpProbe } from "../tcp/index.ts";
import { tlsProbe } from "./index.ts";

const soon = (): AbortSignal => AbortSignal.timeout(20_000);
const dayMs = 86_400_000;

it("a certificate is believed, is for the name, and has days left", async () => {
  const directory = mkdtempSync(join(tmpdir(), "slipway-tls-"));
  const [keyFile, certFile] = [join(directory, "key.pem"), join(directory, "cert.pem")];
  const names = ["-subj", "/CN=shop.test", "-addext", "subjectAltName=DNS:shop.test"];
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "30"];
  execFileSync("openssl", ["req", "-x509", "-nodes", ...kind, ...names, "-keyout", keyFile, "-out", certFile], {
    stdio: "ignore",
  });
  const cert = readFileSync(certFile, "utf8");
  const server = createServer({ key: readFileSync(keyFile), cert }).listen(0, "127.0.0.1");
  server.on("tlsClientError", () => {});
  onTestFinished(() => {
    server.close();
    rmSync(directory, { recursive: true });
  });
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const options = { host: "127.0.0.1", port, servername: "shop.test", days: 14, ca: cert };
  const good = await tlsProbe(options).read(soon());
  expect(good).toMatchObject({ is: "pass", saw: expect.stringMatching(/^its certificate ends on \d{4}-/) });
  expect(good.values?.["certificate days"]).toBeCloseTo(30, 1);
  const later = await tlsProbe(options, () => Date.now() + 20 * dayMs).read(soon());
  expect(later).toMatchObject({ is: "fail", saw: expect.stringMatching(/in (9\.9|10\.0) days; 14 are wanted/) });
  const ended = await tlsProbe(options, () => Date.now() + 40 * dayMs).read(soon());
  expect(ended).toMatchObject({ is: "fail", saw: expect.stringContaining("ended on") });
  const { ca: _, ...stranger } = options;
  expect(await tlsProbe(stranger).read(soon())).toMatchObject({
    is: "fail",
    saw: expect.stringContaining("is not believed"),
  });
  expect(await tlsProbe({ ...options, servername: "other.test" }).read(soon())).toMatchObject({
    is: "fail",
    values: { "certificate days": expect.any(Number) },
  });
  expect(await tcpProbe({ host: "127.0.0.1", port }).read(soon())).toMatchObject({ is: "pass" });
});

it("what speaks no TLS, hangs, or is not there has failed", async () => {
  const plain = createPlainServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.end("no TLS here\r\n"));
  }).listen(0, "127.0.0.1");
  onTestFinished(() => {
    plain.close();
  });
  await once(plain, "listening");
  const { port } = plain.address() as { port: number };
  const options = { host: "127.0.0.1", servername: "shop.test", days: 14 };
  await expect(tlsProbe({ ...options, port }).read(soon())).rejects.toThrow(
    /wrong version number|packet length|closed/,
  );
  await expect(tlsProbe({ ...options, port: 1 }).read(soon())).rejects.toThrow("connection refused");
  await expect(tcpProbe({ host: "127.0.0.1", port: 1 }).read(soon())).rejects.toThrow("connection refused");
});
