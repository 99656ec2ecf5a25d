import { once } from "node:events";
import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeAuthority, type TestAuthority } from "../../testing/conformance/edge/authority.ts";
import { type Docker, openDocker } from "./docker.ts";

const never = new AbortController().signal;
const here = "127.0.0.1";
const answer = JSON.stringify({ Version: "x", ApiVersion: "1.41", Os: "linux", Arch: "amd64" });

let authority: TestAuthority;
let engine: Server;
let docker: Docker;
let tls: { readonly ca: string; readonly cert: string; readonly key: string };
/** Serial numbers of the certificates that were shown, one a connection; empty for none. */
let shown: string[];

beforeEach(async () => {
  authority = await makeAuthority("ours");
  const { certFile, keyFile } = await authority.issue("engine", [here]);
  tls = await ours();
  shown = [];
  const own = { ca: authority.ca, cert: readFileSync(certFile), key: readFileSync(keyFile) };
  // As a proxy before an engine does, it asks and lets everybody in: what is shown is looked at here.
  engine = createServer({ ...own, requestCert: true, rejectUnauthorized: false }, (_, response) =>
    response.end(answer),
  );
  engine.on("secureConnection", (socket: TLSSocket) => {
    shown.push(socket.getPeerCertificate().serialNumber ?? "");
  });
  engine.listen(0, here);
  await once(engine, "listening");
});
afterEach(async () => {
  await docker.close();
  engine.close();
  await authority.dispose();
});

/** Under the same names each time, as a renewal has it. */
async function ours(): Promise<typeof tls> {
  const { certFile, keyFile } = await authority.issue("client", [here]);
  return { ca: authority.caFile, cert: certFile, key: keyFile };
}
const open = (files: Parameters<typeof openDocker>[0]["tls"]): Docker =>
  openDocker({ url: `tcp://${here}:${(engine.address() as AddressInfo).port}`, tls: files ?? null });
/** Asks over a connection that is made for it. */
const askAnew = async (): Promise<string | undefined> => {
  engine.closeAllConnections();
  const before = shown.length;
  while (shown.length === before) await docker.send({ method: "GET", path: "/_ping", signal: never }).catch(() => {});
  return shown.at(-1);
};

test("a certificate that was renewed is shown to the next connection", async () => {
  docker = open(tls);
  const first = await askAnew();
  expect(await askAnew()).toBe(first);
  await ours();
  const second = await askAnew();
  expect(second).toMatch(/^[0-9A-F]{8,}$/);
  expect(second).not.toBe(first);
});

test("a new connection tells how long the certificates of both sides hold", async () => {
  docker = open(tls);
  await authority.issue("client", [here], { days: 7 });
  const lives = await docker.certificates(never);
  expect(lives.map(({ whose, notBefore, notAfter }) => [whose, (notAfter - notBefore) / 86_400_000])).toEqual([
    ["its", 1],
    ["our", 7],
  ]);
  await docker.close();
  docker = open({ ca: tls.ca });
  expect(await docker.certificates(never)).toMatchObject([{ whose: "its" }]);
});

test("files in the middle of a renewal, or gone, leave what was read before in use", async () => {
  docker = open(tls);
  const first = await askAnew();
  const old = join(authority.directory, "old.key");
  copyFileSync(tls.key, old);
  await ours();
  const renewed = join(authority.directory, "new.key");
  copyFileSync(tls.key, renewed);
  copyFileSync(old, tls.key);
  expect(await askAnew()).toBe(first);
  rmSync(tls.key);
  expect(await askAnew()).toBe(first);
  writeFileSync(tls.key, "half of");
  expect(await askAnew()).toBe(first);
  copyFileSync(renewed, tls.key);
  expect(await askAnew()).not.toBe(first);
});

test("without a certificate of ours none is shown, and the engine is still one that we believe", async () => {
  docker = open({ ca: tls.ca });
  expect(await askAnew()).toBe("");
});

test("files that were never right are denied in words, and taken when they are", async () => {
  const missing = join(authority.directory, "missing.pem");
  docker = open({ ...tls, cert: missing });
  const failure = { code: "DENIED", hint: expect.stringContaining("belong together") };
  const says = (words: string) => ({ ...failure, message: expect.stringContaining(words) });
  await expect(docker.version(never)).rejects.toMatchObject(says(`tls.cert cannot be read: ENOENT`));
  writeFileSync(missing, "nothing");
  await expect(docker.version(never)).rejects.toMatchObject(says(`tls.cert (${missing})`));
  copyFileSync(tls.cert, missing);
  expect(await docker.version(never)).toMatchObject({ api: "1.41" });
});
