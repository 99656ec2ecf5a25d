import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { ProductInput } from "../../core/product/input.ts";
import { resolveEnvironment } from "../../core/product/resolve.ts";
import { validateProduct } from "../../core/product/validate.ts";
import type { HostCondition } from "../../ports/hosts.ts";
import { freePort } from "../../testing/ports.ts";
import { type Domain, domainReport, domainsIn } from "./check-domains.ts";
import { hostReport } from "./check-hosts.ts";

const well: HostCondition = {
  name: "h1",
  url: "ssh://h1",
  aheadMs: 0,
  freeBytes: 12_340_000_000,
  certificates: [],
  trouble: null,
  hint: null,
};
const day = 86_400_000;
const now = 1_000 * day;

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
  [
    { trouble: "host h1: its certificate is over", aheadMs: null, hint: "renew the engine's certificate" },
    { says: "host h1: its certificate is over", hint: "renew the engine's certificate" },
  ],
  [
    { certificates: [{ whose: "its", notBefore: now - 300 * day, notAfter: now + 65 * day }] },
    "its clock is right; 12.3 GB are free for images",
  ],
  [
    {
      certificates: [
        { whose: "its", notBefore: now - 300 * day, notAfter: now + 65 * day },
        { whose: "our", notBefore: now - 361 * day, notAfter: now + 4 * day },
      ],
    },
    { says: "our certificate: ends in 4 days, and was not renewed", hint: expect.stringContaining("renew") },
  ],
] satisfies [Partial<HostCondition>, unknown][])("a host that is %j is told of in words", (change, words) => {
  expect(hostReport({ ...well, ...change }, now)).toEqual(words);
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
  const report = (name: string) =>
    domainReport({ clock }, { name, server: null, port, plain: { acme: null, redirect: null } });
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

describe("ports of plain HTTP", () => {
  const redirecting = createHttpServer((request, response) => {
    response.writeHead(308, { location: `https://${request.headers.host}${request.url}` }).end();
  });
  const another = createHttpServer((_, response) => response.end("another web server"));
  const silent = createServer((socket) => socket.on("error", () => {}).end("plain", () => socket.destroy()));
  const all = [redirecting, another, silent];
  const portOf = (server: Server): number => (server.address() as AddressInfo).port;
  let closed = 0;

  beforeAll(async () => {
    for (const server of all) await once(server.listen(0, "localhost"), "listening");
    closed = await freePort();
  });
  afterAll(() => {
    for (const server of all) server.close();
  });

  const report = (plain: Partial<Domain["plain"]>) => {
    const clock = { now: () => Date.now() } as Parameters<typeof domainReport>[0]["clock"];
    const domain = { name: "localhost", server: null, port: portOf(silent) };
    return domainReport({ clock }, { ...domain, plain: { acme: null, redirect: null, ...plain } });
  };

  it("who comes to one is sent to https, or it is told who was met instead", async () => {
    const met = (words: string) => ({ says: expect.stringContaining(words), hint: expect.anything() });
    // Only the TLS is wrong then.
    expect(await report({ redirect: portOf(redirecting) })).toEqual({
      says: expect.stringMatching(/^localhost: no TLS [^;]*$/),
      hint: expect.anything(),
    });
    const answered = `plain HTTP at ${portOf(another)} is answered 200, and not sent to https`;
    expect(await report({ redirect: portOf(another) })).toEqual({
      says: expect.stringContaining(answered),
      hint: expect.stringContaining("another web server"),
    });
    expect(await report({ redirect: portOf(silent) })).toEqual(met(`${portOf(silent)} answers no plain HTTP`));
    expect(await report({ redirect: closed })).toEqual(
      met(`${closed} is reached, and nothing listens there yet: who types localhost without https:// comes there`),
    );
  });

  it("the CA reaches the one where it asks, or it is told that it cannot", async () => {
    expect(await report({ acme: portOf(another) })).not.toEqual(
      expect.objectContaining({ says: expect.stringContaining("CA") }),
    );
    expect(await report({ acme: closed })).toEqual({
      says: expect.stringContaining(`nothing listens there yet: the CA asks localhost for its proof there`),
      hint: expect.anything(),
    });
  });
});

it("which ports a name needs is what its environment has of TLS", () => {
  const needs = (edge: NonNullable<ProductInput["edge"]>) => {
    const services = { web: { kind: "web", command: ["x"], routes: ["shop.org", "shop.test", "/"] } } as const;
    const { config, problems } = validateProduct({ name: "shop", services, edge });
    if (config === null) throw new Error(JSON.stringify(problems));
    return domainsIn(resolveEnvironment(config, "production")).map(({ name, plain }) => [
      name,
      plain.acme,
      plain.redirect,
    ]);
  };
  expect(needs({})).toEqual([]);
  expect(needs({ tls: {} })).toEqual([["shop.org", 80, 8080]]);
  expect(needs({ tls: {}, redirectToHttps: false })).toEqual([["shop.org", 80, null]]);
  expect(needs({ driver: "caddy", listen: ":80", tls: {} })).toEqual([["shop.org", null, 80]]);
  const certificates = [{ cert: "/c", key: "/k", hosts: ["shop.org"] }];
  expect(needs({ listen: ":80", tls: { certificates } })).toEqual([["shop.org", null, 80]]);
});
