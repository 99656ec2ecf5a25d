import { afterAll, beforeAll, expect, test } from "vitest";
import type { EdgeConfig } from "../../../ports/edge.ts";
import { makeAuthority, type TestAuthority } from "../../../testing/conformance/edge/authority.ts";
import { type Backend, startBackend } from "../../../testing/conformance/edge/backend.ts";
import { countsOf, sampleWith } from "../../../testing/conformance/edge/samples.ts";
import { configOn, table, target } from "../../../testing/conformance/edge/tables.ts";
import { type AskHttp3, http3Client } from "../../../testing/http3.ts";
import { freePort } from "../../../testing/ports.ts";
import { type CaddyUnderTest, makeCaddyEdge } from "./made.fixture.ts";

let ask: AskHttp3;
let authority: TestAuthority;
let made: CaddyUnderTest;
let a: Backend;
let b: Backend;
let config: EdgeConfig;
let url = "";

beforeAll(async () => {
  [ask, authority, made, a, b] = await Promise.all([
    http3Client(),
    makeAuthority(),
    makeCaddyEdge(),
    startBackend("a"),
    startBackend("b"),
  ]);
  const port = await freePort();
  const files = await authority.issue("edge", ["shop.example"]);
  const tls = { certificates: [{ ...files, hosts: ["shop.example"] }], acme: null, http2: true };
  config = configOn(port, { listeners: [{ name: "web", host: "127.0.0.1", port, tls }] });
  url = `https://shop.example:${port}/`;
  await made.edge.start(config);
});

afterAll(async () => {
  await made?.dispose();
  await Promise.all([a?.close(), b?.close(), authority?.dispose()]);
});

test("a client of HTTP/3 is served, meets each switch, and is counted", async () => {
  const get = () => ask(url, authority);
  await made.edge.apply(table(1, [target(a, 10_000)]));
  expect(await get()).toEqual({ version: "3", status: 200, body: "a" });
  await made.edge.apply(table(2, [target(b, 10_000), target(a, 0, { fallback: true })]));
  for (let times = 0; times < 5; times++) expect(await get()).toEqual({ version: "3", status: 200, body: "b" });
  const sample = await sampleWith(made.edge, (one) => countsOf(one, "b").requests >= 5);
  expect([countsOf(sample, "a").requests, countsOf(sample, "b").requests]).toEqual([1, 5]);
});

test("a listener that speaks no HTTP/2 speaks no HTTP/3 either", async () => {
  const [listener] = config.listeners;
  if (listener?.tls == null) throw new Error("it speaks TLS");
  await made.edge.start({ ...config, listeners: [{ ...listener, tls: { ...listener.tls, http2: false } }] });
  await expect(ask(url, authority)).rejects.toThrow(/curl/);
});
