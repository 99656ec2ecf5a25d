import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { OpenFeature, ProviderEvents } from "@openfeature/server-sdk";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { HistoryView } from "../src/api/contract.ts";
import type { FlagView } from "../src/api/flag-contract.ts";
import { SlipwayFlags } from "../src/openfeature/index.ts";
import { freePorts } from "../src/testing/ports.ts";
import { deploy, ended, type Plane, release, startPlane, tearDown } from "./fixture/plane.ts";
import { makeRepository, type Repository } from "./fixture/repository.ts";

let repository: Repository;
let plane: Plane;
let listen = 0;
/** What a process of the service was given. */
let given: { url: string; token: string };

const kept = join(tmpdir(), `slipway-flags-test-${process.pid}.json`);
const domain = "test";

const flags = {
  checkout: { percentage: "0%", rules: [{ when: { key: ["*@example.com"] } }] },
  colour: { off: "blue", on: "green", percentage: "50%" },
  limit: { off: 10, on: 99, percentage: "100%" },
  risky: { percentage: "100%" },
};

beforeAll(async () => {
  [listen = 0] = await freePorts(1);
  repository = await makeRepository();
  plane = await startPlane(repository);
  const write = `require("node:fs").writeFileSync(${JSON.stringify(join(repository.directory, "given"))},
    JSON.stringify({ url: process.env.SLIPWAY_FLAGS_URL, token: process.env.SLIPWAY_FLAGS_TOKEN }));
    setInterval(() => {}, 1000);`;
  repository.write(
    {},
    { "work.js": write, ".gitignore": ".slipway\ngiven\n" },
    {
      services: { mailer: { kind: "worker", command: ["node", "work.js"] } },
      rollout: { bake: "10ms" },
      flags,
      flagServer: { listen: `127.0.0.1:${listen}` },
      rules: { down: "probe at nobody lost -> flag off risky" },
      probes: { nobody: { tcp: "127.0.0.1:1", every: "1s" } },
    },
  );
  expect(await ended(plane, await deploy(plane, await release(plane, repository)))).toMatchObject({
    phase: "succeeded",
  });
  given = JSON.parse(readFileSync(join(repository.directory, "given"), "utf8")) as typeof given;
});
afterEach(() => OpenFeature.clearProviders());
afterAll(async () => {
  rmSync(kept, { force: true });
  await tearDown(repository, plane);
});

const client = () => OpenFeature.getClient(domain);
const provider = () => new SlipwayFlags({ ...given, file: kept });

async function set(flag: string, setting: object | null): Promise<void> {
  const body = { product: "probe", environment: "production", flag, setting, actor: "ada", reason: "trying it" };
  await plane.client.post("/v1/flags", body);
}

/** Until it is so: news come by themselves. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 50));
}

describe("flags by OpenFeature's own SDK", () => {
  it("are as the config says, for this person the same every time, and say what is wrong", async () => {
    await OpenFeature.setProviderAndWait(domain, provider());
    const who = (targetingKey: string) => ({ targetingKey });
    expect(await client().getBooleanValue("checkout", false, who("ada@example.com"))).toBe(true);
    expect(await client().getBooleanValue("checkout", true, who("ada@example.org"))).toBe(false);
    const colour = await client().getStringDetails("colour", "red", who("ada"));
    expect(["blue", "green"]).toContain(colour.value);
    expect(await client().getStringDetails("colour", "red", who("ada"))).toEqual(colour);
    expect(colour.reason).toBe("SPLIT");
    expect(await client().getNumberValue("limit", 1)).toBe(99);
    const code = async (flag: string, context = {}) =>
      (await client().getStringDetails(flag, "red", context)).errorCode;
    expect([await code("colour"), await code("limit"), await code("nothing")]).toEqual([
      "TARGETING_KEY_MISSING",
      "TYPE_MISMATCH",
      "FLAG_NOT_FOUND",
    ]);
  });

  it("are turned by hand without a release, with who and why in the history, and services hear of it at once", async () => {
    await OpenFeature.setProviderAndWait(domain, provider());
    const changed = new Promise<readonly string[]>((resolve) =>
      client().addHandler(ProviderEvents.ConfigurationChanged, (event) => resolve(event?.flagsChanged ?? [])),
    );
    await set("limit", { is: "off" });
    expect(await changed).toEqual(["limit"]);
    expect(await client().getNumberDetails("limit", 1)).toMatchObject({ value: 10, reason: "DISABLED" });
    const { history } = await plane.client.get<{ history: HistoryView[] }>("/v1/history?product=probe&limit=50");
    expect(history.find(({ event, reason }) => event === "flag.set" && reason.startsWith("limit"))).toMatchObject({
      actor: "ada",
      reason: "limit from config to off: trying it",
    });
    await set("limit", null);
    await until(async () => (await client().getNumberValue("limit", 1)) === 99);
    await expect(set("lmit", { is: "off" })).rejects.toMatchObject({
      code: "UNKNOWN_FLAG",
      hint: "did you mean limit?",
    });
  });

  it("are switched off by a rule, which takes nothing else away", async () => {
    const risky = async () => {
      const query = "product=probe&environment=production";
      return (await plane.client.get<{ flags: Record<string, FlagView> }>(`/v1/flags?${query}`)).flags.risky?.setting;
    };
    await until(async () => (await risky()) !== null);
    expect(await risky()).toEqual({ is: "off" });
    const { history } = await plane.client.get<{ history: HistoryView[] }>("/v1/history?product=probe&limit=50");
    expect(history.find(({ event, actor }) => event === "flag.set" && actor === "rule down")?.reason).toMatch(
      /^risky from config to off: /,
    );
  });

  it("are read with the environment's own token, which opens nothing else", async () => {
    const ask = async (url: string, token: string) =>
      (await fetch(url, { headers: { authorization: `Bearer ${token}` } })).status;
    const other = given.url.replace("production", "staging");
    expect([await ask(given.url, given.token), await ask(given.url, "x"), await ask(other, given.token)]).toEqual([
      200, 401, 401,
    ]);
    const first = await fetch(given.url, { headers: { authorization: `Bearer ${given.token}` } });
    await first.text();
    const headers = { authorization: `Bearer ${given.token}`, "if-none-match": first.headers.get("etag") ?? "" };
    expect((await fetch(given.url, { headers })).status).toBe(304);
    expect(await ask(`http://127.0.0.1:${listen}/v1/flags?product=probe&environment=production`, given.token)).toBe(
      404,
    );
  });

  it("stay as they were last known when the control plane is away: in memory, and on disk for the next process", async () => {
    await set("checkout", { is: "on" });
    await OpenFeature.setProviderAndWait(domain, provider());
    await until(() => client().getBooleanValue("checkout", false, { targetingKey: "eve" }));
    const stale = new Promise<void>((resolve) => client().addHandler(ProviderEvents.Stale, () => resolve()));
    plane.child.kill("SIGKILL");
    await plane.died;
    plane.client.close();
    await stale;
    const details = () => client().getBooleanDetails("checkout", false, { targetingKey: "eve" });
    expect(await details()).toMatchObject({ value: true, reason: "STALE" });
    await OpenFeature.clearProviders();
    await OpenFeature.setProviderAndWait(domain, provider());
    expect(await details()).toMatchObject({ value: true, reason: "STALE" });
    // A process that was never told anything has the values of its code.
    await OpenFeature.clearProviders();
    writeFileSync(kept, "{broken");
    await expect(OpenFeature.setProviderAndWait(domain, provider())).rejects.toThrow("does not answer");
    expect((await details()).value).toBe(false);
    plane = await startPlane(repository);
    await until(async () => (await details()).reason === "STATIC");
    expect((await details()).value).toBe(true);
  });
});
