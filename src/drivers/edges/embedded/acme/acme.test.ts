import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { CertificateStatus, EdgeConfig } from "../../../../ports/edge.ts";
import { makeAuthority, type TestAuthority } from "../../../../testing/conformance/edge/authority.ts";
import { type Backend, startBackend } from "../../../../testing/conformance/edge/backend.ts";
import { ask, within } from "../../../../testing/conformance/edge/client.ts";
import { configOn, openPolicy, route, table, target } from "../../../../testing/conformance/edge/tables.ts";
import { askSecure, handshake, startHttp2Load } from "../../../../testing/conformance/edge/tls-client.ts";
import { freePort } from "../../../../testing/ports.ts";
import { type EmbeddedUnderTest, makeEmbeddedEdge } from "../made.fixture.ts";
import { type Pebble, startPebble } from "./pebble.fixture.ts";

let authority: TestAuthority;
let made: EmbeddedUnderTest;
let a: Backend;
let pebble: Pebble | null = null;
let plainPort = 0;
let port = 0;

beforeEach(async () => {
  authority = await makeAuthority();
  made = await makeEmbeddedEdge();
  a = await startBackend("a");
  plainPort = await freePort();
  port = await freePort();
});
afterEach(async () => {
  await made.dispose();
  await a.close();
  await pebble?.dispose();
  pebble = null;
  await authority.dispose();
});

const configFor = (
  hosts: readonly string[],
  directoryUrl: string,
  caFile: string | null = authority.caFile,
): EdgeConfig =>
  configOn(plainPort, {
    listeners: [
      { name: "plain", host: "127.0.0.1", port: plainPort, tls: null },
      {
        name: "web",
        host: "127.0.0.1",
        port,
        tls: { certificates: [], acme: { hosts, email: "team@example.org", directoryUrl, caFile }, http2: true },
      },
    ],
  });
/** Everything is sent to https: the CA's question must be answered all the same. */
const applyRedirecting = (): Promise<void> => {
  const policy = { ...openPolicy, redirectToHttps: true };
  const routes = [route({ policy }), route({ listener: "plain", policy })];
  return made.edge.apply(table(1, [target(a, 10_000)], { routes }));
};
const seen = (
  what: string,
  look: (all: readonly CertificateStatus[]) => boolean,
): Promise<readonly CertificateStatus[]> =>
  within(
    45_000,
    async () => {
      const all = await made.edge.certificates().catch(() => []);
      return look(all) ? all : null;
    },
    what,
  );
const allGot = (all: readonly CertificateStatus[]): boolean =>
  all.length > 0 && all.every(({ notAfter, trouble }) => notAfter > 0 && trouble === null);

test("certificates are got for each host, kept in files of the user alone, and served on", async () => {
  pebble = await startPebble(authority, { httpPort: plainPort });
  const config = configFor(["one.example", "two.example"], pebble.directoryUrl);
  await made.edge.start(config);
  await applyRedirecting();
  // Wanted, and not there yet: nobody waits for a CA.
  expect((await made.edge.certificates()).map(({ hosts }) => hosts[0])).toEqual(["one.example", "two.example"]);
  const all = await seen("both certificates", allGot);
  expect(all[0]).toMatchObject({ listener: "web", hosts: ["one.example"] });
  expect(all[0]?.issuer).toMatch(/^Pebble Intermediate/);

  const ca = await pebble.root();
  for (const host of ["one.example", "two.example"]) expect((await askSecure(port, "/", { ca, host })).body).toBe("a");
  // What was open for the CA is closed again.
  expect((await ask(plainPort, "/.well-known/acme-challenge/AAAAAAAAAAAAAAAAAAAAAA")).status).toBe(308);

  const [folder = ""] = (await readdir(join(made.directory, "acme"))).filter((name) => name !== "state.json");
  const files = (await readdir(join(made.directory, "acme", folder))).sort();
  expect(files).toEqual(["account.key", "one.example.pem", "two.example.pem"]);
  for (const file of files) expect((await stat(join(made.directory, "acme", folder, file))).mode & 0o777).toBe(0o600);
  expect(await readFile(join(made.directory, "edge.json"), "utf8")).not.toContain("PRIVATE");

  // Found again by the next primary, without a word to the CA.
  await pebble.stop();
  const { serial } = await handshake(port, { host: "one.example" });
  const before = await made.status();
  process.kill(before.pid, "SIGKILL");
  await made.relaunch();
  const again = await within(60_000, () => handshake(port, { host: "one.example" }).catch(() => null), "served again");
  expect(again.serial).toBe(serial);
  await seen("no trouble", allGot);
});

test("a certificate is renewed before its end, and nobody notices", async () => {
  pebble = await startPebble(authority, { httpPort: plainPort, validityS: 18 });
  await made.edge.start(configFor(["one.example"], pebble.directoryUrl));
  await applyRedirecting();
  const [first] = await seen("the first certificate", allGot);
  const ca = await pebble.root();
  const load = startHttp2Load(port, { ca, host: "one.example" }, 2, ["/", "/slow?ms=20"]);
  await seen("the second certificate", ([one]) => allGot([one!]) && one!.notAfter > first!.notAfter);
  await load.more(10);
  expect((await load.stop()).failures).toEqual([]);
});

test("a CA that is away is named, and asked again by itself when it is back", async () => {
  pebble = await startPebble(authority, { httpPort: plainPort });
  await pebble.stop();
  await made.edge.start(configFor(["one.example"], pebble.directoryUrl));
  await applyRedirecting();
  const [status] = await seen("the trouble", ([one]) => /cannot be asked/.test(one?.trouble ?? ""));
  expect(status).toMatchObject({ hosts: ["one.example"], notAfter: 0 });
  expect(status?.trouble).toContain("ECONNREFUSED");
  await pebble.start();
  await seen("the certificate", allGot);
  expect((await askSecure(port, "/", { ca: await pebble.root(), host: "one.example" })).body).toBe("a");
});

test("a name that is somewhere else is told in the CA's words, does not hold up others, and is asked for again when told to", async () => {
  pebble = await startPebble(authority, { httpPort: plainPort });
  await pebble.move("away.example", "127.0.0.9");
  const config = configFor(["away.example", "*.wild.example", "here.example"], pebble.directoryUrl);
  await made.edge.start(config);
  await applyRedirecting();
  const [away, wild] = await seen(
    "one got, one refused",
    (all) => all[2]?.trouble === null && /could not verify/.test(all[0]?.trouble ?? ""),
  );
  expect(away).toMatchObject({ hosts: ["away.example"], notAfter: 0 });
  expect(away?.trouble).toMatch(/could not verify away\.example: connection/);
  expect(wild?.trouble).toContain("wildcard");
  // Until then its visitors get a certificate of another name rather than none.
  expect((await handshake(port, { host: "away.example" })).names).toBe("DNS:here.example");

  await pebble.move("away.example", "127.0.0.1");
  await made.edge.start(config, { fresh: true });
  await seen("the other one", (all) => all[0]?.notAfter !== 0 && all[0]?.trouble === null);
  expect((await handshake(port, { host: "away.example" })).names).toBe("DNS:away.example");
});

test("an ACME server whose own certificate nobody vouches for is not believed", async () => {
  pebble = await startPebble(authority, { httpPort: plainPort });
  await made.edge.start(configFor(["one.example"], pebble.directoryUrl, null));
  const [status] = await seen("the trouble", ([one]) => /cannot be asked/.test(one?.trouble ?? ""));
  expect(status?.trouble).toMatch(/certificate/i);
});
