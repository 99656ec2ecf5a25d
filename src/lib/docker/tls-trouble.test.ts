import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Server } from "node:net";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { makeAuthority, type TestAuthority } from "../../testing/conformance/edge/authority.ts";
import { openDocker } from "./docker.ts";
import type { TlsFiles } from "./tls-files.ts";

const [ours, theirs] = [await makeAuthority("ours"), await makeAuthority("theirs")];
afterAll(async () => {
  for (const authority of [ours, theirs]) await authority.dispose();
});

const here = "127.0.0.1";
type Own = { readonly ca: string; readonly cert: string; readonly key: string };

async function signed(authority: TestAuthority, name: string, host = here, days = 2): Promise<Own> {
  const { certFile, keyFile } = await authority.issue(name, [host], { days });
  return { ca: authority.caFile, cert: certFile, key: keyFile };
}

const client = await signed(ours, "client");
const stranger = await signed(theirs, "stranger");
const good = await signed(ours, "good");
const [over, named] = [await signed(ours, "over", here, -1), await signed(ours, "name", "a.test")];

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

const secure = ({ ca, cert, key }: Own) =>
  createTlsServer({
    ca: readFileSync(ca),
    cert: readFileSync(cert),
    key: readFileSync(key),
    requestCert: true,
    rejectUnauthorized: true,
  });
const words = (what: string, hint: string) => ({
  code: "DENIED",
  message: expect.stringMatching(new RegExp(`^tcp://127\\.0\\.0\\.1:\\d+: .*${what}.*\\)$`, "s")),
  hint: expect.stringContaining(hint),
});

test.each([
  ["of another authority", () => secure(good), { ...client, ca: stranger.ca }, "tls.ca does not hold", "as tls.ca"],
  ["that is over", () => secure(over), client, "is over", "renew"],
  ["for another name", () => secure(named), client, "other names.*a.test", "url"],
  ["that is none: the port is plain", () => createServer(), client, "does not speak TLS", "--tlsverify"],
] as const)("an engine's certificate %s is told with what was seen and a hint", async (_, server, tls, what, hint) => {
  expect(await failureAt(server(), tls)).toMatchObject(words(what, hint));
});

// OpenSSL's own server: like an engine it says no with an alert, where Node's closes without a word. By TLS 1.3
// the alert comes when our side is connected already.
test.each([
  ["-tls1_2", "that it does not accept", { ...stranger, ca: client.ca }, "our certificate"],
  ["-tls1_3", "that it does not accept", { ...stranger, ca: client.ca }, "our certificate"],
  ["-tls1_3", "that it is not shown", { ca: client.ca }, "wants a certificate of ours"],
] as const)("an engine's word about our certificate is told: %s, one %s", async (version, _, tls, what) => {
  const files = [
    "-cert",
    join(ours.directory, "good.pem"),
    "-key",
    join(ours.directory, "good.key"),
    "-CAfile",
    ours.caFile,
  ];
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
    expect(await failureOf(url, tls)).toMatchObject(words(what, "tls.cert"));
  } finally {
    server.kill();
    await closed;
  }
});
