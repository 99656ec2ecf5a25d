import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createEmulator, type Emulator } from "emulate";
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from "vitest";
import { freePorts } from "../../../testing/ports.ts";
import type { StepOutcome } from "../outcome.ts";
import { type SharedLimits, SharedSteps, type SharedStore } from "./shared.ts";
import { StepCache } from "./store.ts";

let s3: Emulator;
beforeAll(async () => {
  const [port = 0] = await freePorts(1);
  s3 = await createEmulator({ service: "aws", port, seed: { aws: { s3: { buckets: [{ name: "steps" }] } } } });
});
afterAll(() => s3.close());

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "slipway-shared-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
});

const outcome: StepOutcome = { phase: "passed", reason: "", attempt: 1, lines: ["said"], key: null, reports: null };
const one = "1".repeat(64);
const other = "2".repeat(64);

/** A control plane's own cache, and what it shares; `said` is what it has logged. */
function plane(name: string, limits: Partial<SharedLimits> = {}) {
  const said: string[] = [];
  const log = { info: () => {}, warn: (what: string) => void said.push(what), error: () => {} };
  const at = join(directory, name);
  let now = 0;
  const clock = { now: () => Date.now() + now };
  const shared = new SharedSteps(at, { clock, log, limits });
  onTestFinished(() => shared.close(0));
  const cache = new StepCache(at);
  const adopt = (key: string, store: SharedStore) => cache.adopt(key, (into) => shared.bring(key, store, into));
  const later = (ms: number) => {
    now += ms;
  };
  return { cache, shared, adopt, said, later };
}

function storeAt(endpoint: string, more: Partial<SharedStore> = {}): SharedStore {
  const keys = { keyIdFrom: "A", keyFrom: "B", accessKeyId: "AKIAIOSFODNN7EXAMPLE" };
  const secretAccessKey = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
  return { endpoint, bucket: "steps", region: "us-east-1", prefix: "shop", ...keys, secretAccessKey, ...more };
}

async function kept(name: string, store: SharedStore, key = one): Promise<void> {
  const { cache, shared } = plane(name);
  const work = join(directory, `${name}-work`);
  mkdirSync(join(work, "dist"), { recursive: true });
  writeFileSync(join(work, "dist", "built"), Buffer.alloc(300_000, 7));
  writeFileSync(join(work, "log"), "said\n");
  const from = { directory: work, patterns: ["dist"], log: join(work, "log") };
  await cache.keep(key, { run: "run_1", tookMs: 1, outcome }, from);
  shared.offer(key, store, cache.directoryOf(key));
  await shared.settled();
}

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("what one has kept another restores, with outputs and log, and keeps itself from then on", async () => {
  const store = storeAt(s3.url);
  await kept("a", store);
  const b = plane("b");
  expect(await b.adopt(other, store)).toBeNull();
  const found = await b.adopt(one, store);
  expect(found).toMatchObject({ run: "run_1", outcome, elsewhere: true });
  const to = join(directory, "to");
  if (found === null) throw new Error("it was not brought");
  const log = join(directory, "log");
  const own = await b.cache.find(one);
  expect(own).toEqual(found);
  expect(await b.cache.restore(one, found, { directory: to, patterns: ["dist"], log, room: directory })).toBe(true);
  expect(readFileSync(join(to, "dist", "built"))).toEqual(Buffer.alloc(300_000, 7));
  expect(readFileSync(log, "utf8")).toBe("said\n");
  expect(b.said).toEqual([]);
});

test("nothing is used that was changed, cut, put under another key, or put there by who has not the secret", async () => {
  const store = storeAt(s3.url, { prefix: "wrong" });
  await kept("a", store);
  const url = (key: string) => `${s3.url}/steps/wrong/steps/${key}`;
  const authorization = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/s3/aws4_request";
  const get = async () => Buffer.from(await (await fetch(url(one), { headers: { authorization } })).arrayBuffer());
  const put = async (key: string, body: Buffer) =>
    expect((await fetch(url(key), { method: "PUT", body, headers: { authorization } })).status).toBe(200);
  const whole = await get();
  expect(whole.length).toBeGreaterThan(300_000);
  const changed = Buffer.from(whole);
  changed[200_000] = (changed[200_000] ?? 0) ^ 1;
  const b = plane("b");
  for (const body of [changed, whole.subarray(0, 250_000), Buffer.alloc(0), Buffer.from("<html>")]) {
    await put(one, body);
    expect(await b.adopt(one, store)).toBeNull();
  }
  await put(other, whole);
  expect(await b.adopt(other, store)).toBeNull();
  await put(one, whole);
  expect(await b.adopt(one, { ...store, secretAccessKey: "another" })).toBeNull();
  expect(b.said).toEqual(Array(6).fill("step-cache.shared-wrong"));
  expect(await b.adopt(one, store)).not.toBeNull();
  expect(await plane("c", { objectBytes: 100_000 }).adopt(one, store)).toBeNull();
});

test("a store that never answers, stops in the middle, refuses or is not there is left alone for a while", async () => {
  let calls = 0;
  const silent = await listening(createServer(() => void calls++));
  const stops = await listening(createServer((_, response) => void response.writeHead(200).write("slipway")));
  const refuses = await listening(
    createServer((_, response) => void response.writeHead(403).end("<Code>AccessDenied</Code>")),
  );
  const [free = 0] = await freePorts(1);
  for (const endpoint of [silent, stops, refuses, `http://127.0.0.1:${free}`]) {
    const a = plane("a", { answerMs: 300, fetchMs: 600 });
    const store = storeAt(endpoint);
    expect(await a.adopt(one, store)).toBeNull();
    expect(await a.adopt(one, store)).toBeNull();
    a.shared.offer(one, store, directory);
    await a.shared.settled();
    expect(a.said).toEqual(["step-cache.shared-away"]);
    a.later(60_001);
    expect(await a.adopt(one, store)).toBeNull();
    expect(a.said).toEqual(["step-cache.shared-away", "step-cache.shared-away"]);
  }
  // The second and the offer have not been asked at all.
  expect(calls).toBeLessThanOrEqual(2);
  const gone = plane("gone");
  expect(await gone.adopt(one, storeAt(s3.url, { bucket: "nobodys" }))).toBeNull();
  expect(gone.said).toEqual(["step-cache.shared-away"]);
});
