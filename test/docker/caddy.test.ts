import { readdirSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { caddyPart } from "../../src/testing/caddy.ts";
import { startEngine, type TestEngine } from "../../src/testing/hosts/engine.ts";
import { nodeImage } from "../../src/testing/hosts/node-image.ts";
import { redisImage } from "../../src/testing/hosts/redis-image.ts";
import { startRegistry, type TestRegistry } from "../../src/testing/hosts/registry.ts";
import { freePorts } from "../fixture/ports.ts";
import { ContainerProduct } from "./product.fixture.ts";
import { deploy, expectAtRest, type Scene, underLoad, visit } from "./story.fixture.ts";

describe("a product of containers behind Caddy on this machine", () => {
  let engine: TestEngine;
  let registry: TestRegistry;
  let scene: Scene;

  beforeAll(async () => {
    [engine, registry] = await Promise.all([startEngine(), startRegistry()]);
    const cache = `${registry.host}/tools/redis:7`;
    await nodeImage(engine);
    await registry.take(engine, await redisImage(engine, cache));
    const [port = 0] = await freePorts(1);
    const product = new ContainerProduct(
      {
        target: { driver: "docker", hosts: [engine.url] },
        accessories: { cache: { image: cache, port: 6379 } },
        rollout: { bake: "1500ms", drain: "2s", rules: { errorRatio: { margin: "5%", minimum: 10 } } },
        edge: { driver: "caddy", listen: `:${port}` },
      },
      { SLIPWAY_CADDY: await caddyPart("caddy") },
    );
    scene = { product, engines: [engine], production: { host: "127.0.0.1", port } };
  });

  afterAll(async () => {
    await scene?.product.slipway("down", "--all");
    scene?.product.remove();
    await registry?.down();
    await engine?.down();
  });

  it("switches under load, and takes back what fails", async () => {
    expect((await deploy(scene, "v1")).deployment.phase, scene.product.log()).toBe("succeeded");
    const good = await underLoad(scene, () => deploy(scene, "v2"));
    expect(good.value.deployment.phase, good.value.deployment.reason).toBe("succeeded");
    expect([...good.versions.keys()].toSorted()).toEqual(["v1", "v2"]);
    const bad = await underLoad(scene, () => deploy(scene, "v3", "errors"));
    expect(bad.value.deployment.phase, bad.value.deployment.reason).toBe("rolled-back");
    await expectAtRest(scene, "v2");
    expect(await visit(scene, "/through-the-edge")).toBe("v2");
  }, 60_000);

  it("comes back by itself when Caddy is killed, also while the control plane is away", async () => {
    expect((await scene.product.slipway("down")).code).toBe(0);
    process.kill(caddyOf(scene.product), "SIGKILL");
    await expect.poll(() => visit(scene).catch(() => ""), { timeout: 20_000 }).toMatch(/^v2 \d+$/);
    expect((await scene.product.slipway("up")).code).toBe(0);
    await expectAtRest(scene, "v2");
  }, 60_000);

  it("refuses an image that is nowhere, and what is live goes on", async () => {
    const { product } = scene;
    const answered = await underLoad(scene, async () => {
      product.commit("v4", "good", { accessories: { cache: { image: `${registry.host}/tools/none:1`, port: 6379 } } });
      return product.slipway<{ error?: { code: string } }>("deploy", "--env", "production", "--yes");
    });
    expect(answered.value.code).toBe(1);
    expect(answered.value.result.error?.code, answered.value.text).toBe("IMAGE_MISSING");
    await expectAtRest(scene, "v2");
  }, 60_000);
});

function caddyOf(product: ContainerProduct): number {
  const config = product.state("caddy", "caddy.json");
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const words = commandOf(pid);
    if (words.includes("run") && words.includes(config)) return Number(pid);
  }
  throw new Error(`no Caddy runs on ${config}`);
}

function commandOf(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    // It has ended meanwhile.
    return [];
  }
}
