import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { TlsFiles } from "./dial.ts";
import { openDocker } from "./docker.ts";

const directory = mkdtempSync(join(tmpdir(), "slipway-tls-"));
afterAll(() => rmSync(directory, { recursive: true }));
const file = (name: string) => join(directory, name);
const openssl = (...args: string[]) => execFileSync("openssl", args, { stdio: "pipe" });
const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

function authority(name: string): string {
  openssl(
    "req",
    "-x509",
    ...newKey,
    "-days",
    "2",
    "-subj",
    `/CN=${name}`,
    "-keyout",
    file(`${name}.key`),
    "-out",
    file(name),
  );
  return name;
}

function signed(by: string, name: string, { alt, days }: { readonly alt: string; readonly days: number }): TlsFiles {
  openssl(
    "req",
    "-new",
    ...newKey,
    "-subj",
    `/CN=${name}`,
    "-keyout",
    file(`${name}.key`),
    "-out",
    file(`${name}.csr`),
  );
  writeFileSync(file(`${name}.ext`), `subjectAltName=${alt}\n`);
  const signer = ["-CA", file(by), "-CAkey", file(`${by}.key`), "-CAcreateserial", "-extfile", file(`${name}.ext`)];
  openssl("x509", "-req", "-in", file(`${name}.csr`), ...signer, "-days", String(days), "-out", file(name));
  return { ca: readFileSync(file(by)), cert: readFileSync(file(name)), key: readFileSync(file(`${name}.key`)) };
}

const ours = authority("ours");
const theirs = authority("theirs");
const here = { alt: "IP:127.0.0.1", days: 2 };
const client = signed(ours, "client", here);
const stranger = signed(theirs, "stranger", here);
const good = signed(ours, "good", here);

async function failureAt(server: Server, tls: TlsFiles): Promise<unknown> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    return await failureOf(`tcp://127.0.0.1:${(server.address() as AddressInfo).port}`, tls);
  } finally {
    server.close();
  }
}

async function failureOf(url: string, tls: TlsFiles): Promise<unknown> {
  const docker = openDocker({ url, tls });
  try {
    return await docker.version(new AbortController().signal).then(
      () => null,
      (error: unknown) => error,
    );
  } finally {
    await docker.close();
  }
}

const secure = (files: TlsFiles) => createTlsServer({ ...files, requestCert: true, rejectUnauthorized: true });
const words = (what: string, hint: string) => ({
  code: "DENIED",
  message: expect.stringMatching(new RegExp(`^tcp://127\\.0\\.0\\.1:\\d+: .*${what}.*\\)$`, "s")),
  hint: expect.stringContaining(hint),
});

test.each([
  ["of another authority", () => secure(good), { ...client, ca: stranger.ca }, "tls.ca does not hold", "as tls.ca"],
  ["that is over", () => secure(signed(ours, "over", { ...here, days: -1 })), client, "is over", "renew"],
  [
    "for another name",
    () => secure(signed(ours, "name", { alt: "DNS:a.test", days: 2 })),
    client,
    "other names.*a.test",
    "url",
  ],
  ["that is none: the port is plain", () => createServer(), client, "does not speak TLS", "--tlsverify"],
] as const)("an engine's certificate %s is told with what was seen and a hint", async (_, server, tls, what, hint) => {
  expect(await failureAt(server(), tls)).toMatchObject(words(what, hint));
});

// OpenSSL's own server: like an engine it says no with an alert, where Node's closes without a word. By TLS 1.3
// the alert comes when our side is connected already.
test.each(["-tls1_2", "-tls1_3"])("our certificate that the engine does not accept is told: %s", async (version) => {
  const files = ["-cert", file("good"), "-key", file("good.key"), "-CAfile", file(ours)];
  const args = [
    "s_server",
    "-accept",
    "127.0.0.1:0",
    ...files,
    "-Verify",
    "1",
    "-verify_return_error",
    "-www",
    version,
  ];
  const server = spawn("openssl", args, { stdio: ["ignore", "pipe", "ignore"] });
  const closed = once(server, "close");
  try {
    let said = "";
    for await (const chunk of server.stdout.iterator({ destroyOnReturn: false })) {
      said += String(chunk);
      if (/ACCEPT \S+:\d+\n/.test(said)) break;
    }
    const url = `tcp://127.0.0.1:${/ACCEPT \S+:(\d+)/.exec(said)?.[1]}`;
    expect(await failureOf(url, { ...stranger, ca: client.ca })).toMatchObject(words("our certificate", "tls.cert"));
  } finally {
    server.kill();
    await closed;
  }
});
