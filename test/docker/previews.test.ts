import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import type { DeploymentDetail, PreviewsView } from "../../src/api/contract.ts";
import { startEngine, type TestEngine } from "../../src/testing/hosts/engine.ts";
import { engineRequest } from "../../src/testing/hosts/engine-request.ts";
import { nodeImage } from "../../src/testing/hosts/node-image.ts";
import { redisImage } from "../../src/testing/hosts/redis-image.ts";
import { startRegistry, type TestRegistry } from "../../src/testing/hosts/registry.ts";
import { freePorts } from "../../src/testing/ports.ts";
import { allImagesOf, containersOf, networksOf, volumesOf } from "./engine.fixture.ts";
import { ContainerProduct } from "./product.fixture.ts";
import { outcome } from "./story.fixture.ts";

const branch = "feature/cart";
const patient = { timeout: 120_000, interval: 250 };

vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

let engine: TestEngine;
let registry: TestRegistry;
let product: ContainerProduct;
let remote: string;
let port: number;

beforeAll(async () => {
  [engine, registry] = await Promise.all([startEngine(), startRegistry()]);
  const cache = `${registry.host}/shop/redis:7`;
  await nodeImage(engine);
  await registry.take(engine, await redisImage(engine, cache));
  [port = 0] = await freePorts(1);
  remote = mkdtempSync(join(tmpdir(), "slipway-remote-"));
  execFileSync("git", ["init", "--quiet", "--bare", "--initial-branch=main", remote]);
  const edge = { listen: `127.0.0.1:${port}` };
  product = new ContainerProduct({
    target: { driver: "docker", hosts: [engine.url] },
    accessories: { cache: { image: cache, port: 6379, volumes: ["data:/data"] } },
    rollout: { bake: "200ms", drain: "1s" },
    environments: {
      production: { edge, services: { web: { routes: ["shop.test"] } } },
      preview: { edge, services: { web: { instances: 1 } }, previews: { host: "{name}.preview.test", limit: 2 } },
    },
    triggers: { remote, branches: { "feature/*": { deploy: "preview" } }, poll: "1h" },
  });
});

afterAll(async () => {
  await product?.slipway("down", "--all");
  product?.remove();
  if (remote !== undefined) rmSync(remote, { recursive: true, force: true });
  await registry?.down();
  await engine?.down();
});

/** Version of web, and the visits that its own cache has counted. */
async function visit(host: string): Promise<string> {
  const [answer] = await once(get({ host: "127.0.0.1", port, path: "/", headers: { host }, agent: false }), "response");
  let text = "";
  for await (const chunk of answer.setEncoding("utf8")) text += chunk;
  return text;
}

async function previews(): Promise<PreviewsView["previews"]> {
  return (await product.ask<PreviewsView>("/v1/previews?product=shop")).previews;
}

/** What the engine has of a kind of environment. */
async function found(isOf: (name: string) => boolean) {
  const containers = (await containersOf(engine)).filter(({ labels }) => isOf(labels["slipway.environment"] ?? ""));
  return {
    running: containers.filter(({ state }) => state === "running").length,
    containers: containers.length,
    networks: (await networksOf(engine)).filter((name) => isOf(name.replace(/^shop-/, ""))).length,
    volumes: (await volumesOf(engine)).filter((name) => isOf(name.replace(/^shop-/, ""))).length,
  };
}
const ofPreviews = (name: string): boolean => name.startsWith("preview");
const ofProduction = (name: string): boolean => name.startsWith("production");

/** When the engine has started what runs of a service. */
async function startOf(service: string, isOf: (name: string) => boolean): Promise<number> {
  const running = (await containersOf(engine)).filter(({ state, labels }) => {
    return state === "running" && labels["slipway.service"] === service && isOf(labels["slipway.environment"] ?? "");
  });
  const seen = await engineRequest(engine, "GET", `/containers/${running[0]?.name}/json`);
  return Date.parse((JSON.parse(seen) as { State: { StartedAt: string } }).State.StartedAt);
}

const commit = (version: string): void => {
  product.commit(version);
  execFileSync("git", ["push", "--quiet", remote, "HEAD"], { cwd: product.directory });
};

it("a preview of containers has services, data and a network of its own, sleeps, is woken by a visitor, and leaves nothing", async () => {
  commit("v1");
  const live = outcome(await product.slipway<DeploymentDetail>("deploy", "--env", "production", "--yes"));
  expect(live.deployment.phase, live.deployment.reason).toBe("succeeded");
  expect([await visit("shop.test"), await visit("shop.test")]).toEqual(["v1 1", "v1 2"]);
  const [before, images] = [await found(ofProduction), (await allImagesOf(engine)).length];

  execFileSync("git", ["switch", "--quiet", "--create", branch], { cwd: product.directory });
  commit("v2");
  expect((await product.slipway("triggers", "apply")).code).toBe(0);
  const created = await product.slipway("preview", "create", branch);
  expect(created.code, created.text).toBe(0);
  await expect.poll(async () => (await previews()).map(({ url }) => url), patient).toEqual([expect.anything()]);
  const [preview] = await previews();
  const { host } = new URL(preview?.url ?? "");
  await expect.poll(() => visit(host).catch(() => ""), patient).toBe("v2 1");
  expect(await found(ofPreviews)).toEqual({ running: 3, containers: 3, networks: 1, volumes: 1 });

  expect((await product.slipway("preview", "sleep", preview?.name ?? "")).code).toBe(0);
  await expect.poll(async () => (await found(ofPreviews)).running, patient).toBe(0);
  expect(await Promise.all([visit(host), visit(host)])).toEqual(
    expect.arrayContaining([expect.stringMatching(/^v2 \d$/)]),
  );
  expect((await previews()).map(({ phase }) => phase)).toEqual(["awake"]);
  // What needs the cache has waited until it was well: it has lived for two seconds by then.
  const [cache = 0, web = 0] = await Promise.all(["cache", "web"].map((service) => startOf(service, ofPreviews)));
  expect(web - cache).toBeGreaterThanOrEqual(2_000);

  expect((await product.slipway("preview", "remove", preview?.name ?? "")).code).toBe(0);
  await expect.poll(previews, patient).toEqual([]);
  const nothing = { running: 0, containers: 0, networks: 0, volumes: 0 };
  await expect.poll(() => found(ofPreviews), patient).toEqual(nothing);
  await expect.poll(async () => (await allImagesOf(engine)).length, patient).toBeLessThanOrEqual(images + 2);
  expect([await found(ofProduction), await visit("shop.test")]).toEqual([before, "v1 3"]);
});
