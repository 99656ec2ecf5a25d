import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AccessoryView, DeploymentDetail, PlanView } from "../../src/api/contract.ts";
import type { AccessoryInput } from "../../src/core/product/input.ts";
import { startEngine, type TestEngine } from "../../src/testing/hosts/engine.ts";
import { engineRequest } from "../../src/testing/hosts/engine-request.ts";
import { nodeImage } from "../../src/testing/hosts/node-image.ts";
import { redisImage } from "../../src/testing/hosts/redis-image.ts";
import { startRegistry, type TestRegistry } from "../../src/testing/hosts/registry.ts";
import { freePorts } from "../fixture/ports.ts";
import { containersOf } from "./engine.fixture.ts";
import { ContainerProduct } from "./product.fixture.ts";
import { outcome, type Scene, status } from "./story.fixture.ts";

describe("what a person does by hand with containers", () => {
  let engine: TestEngine;
  let registry: TestRegistry;
  let scene: Pick<Scene, "product">;
  let product: ContainerProduct;
  let cache: AccessoryInput;

  beforeAll(async () => {
    [engine, registry] = await Promise.all([startEngine(), startRegistry()]);
    const image = `${registry.host}/tools/redis:7`;
    await nodeImage(engine);
    await registry.take(engine, await redisImage(engine, image));
    const [port = 0] = await freePorts(1);
    cache = { image, port: 6379, volumes: ["cache:/data"] };
    product = new ContainerProduct({
      target: { driver: "docker", hosts: [engine.url] },
      accessories: { cache },
      rollout: { bake: "0s", drain: "1s" },
      environments: { production: { edge: { listen: `127.0.0.1:${port}` } } },
    });
    scene = { product };
    await deploy("v1");
  });

  afterAll(async () => {
    await product?.slipway("down", "--all");
    product?.remove();
    await registry?.down();
    await engine?.down();
  });

  async function deploy(version: string, accessory: AccessoryInput = cache): Promise<void> {
    product.commit(version, "good", { accessories: { cache: accessory } });
    const { deployment } = outcome(await product.slipway<DeploymentDetail>("deploy", "--env", "production", "--yes"));
    expect(deployment.phase, product.log()).toBe("succeeded");
  }

  async function caches() {
    const all = (await containersOf(engine)).filter(({ labels }) => labels["slipway.service"] === "cache");
    return Promise.all(
      all.map(async ({ name, state }) => {
        const seen = JSON.parse(await engineRequest(engine, "GET", `/containers/${name}/json`)) as {
          Mounts: { Name?: string }[];
          Config: { Env: string[] };
        };
        return { name, state, volume: seen.Mounts[0]?.Name, env: seen.Config.Env };
      }),
    );
  }

  const accessory = async (): Promise<AccessoryView | undefined> =>
    (await product.slipway<{ accessories: AccessoryView[] }>("accessory", "list")).result.accessories[0];

  it("an accessory whose config changed is kept and told of, until somebody replaces it; its volume stays", async () => {
    const [before] = await caches();
    await deploy("v2", { ...cache, env: { TZ: "UTC" } });
    expect((await caches()).map(({ name }) => name)).toEqual([before?.name]);
    const says = ["env.TZ added"];
    expect((await status(scene)).accessories).toMatchObject([{ name: "cache", state: "running", differs: says }]);
    const planned = await product.slipway<PlanView>("plan", "--env", "production");
    expect(planned.result.warnings).toContainEqual(expect.stringContaining("slipway accessory replace cache"));

    const replaced = await product.slipway("accessory", "replace", "cache", "-e", "production", "--reason", "TZ");
    expect(replaced, product.log()).toMatchObject({ code: 0, result: { event: "replaced" } });
    const after = await caches();
    expect(after).toMatchObject([{ state: "running", volume: before?.volume }]);
    expect(after[0]?.env).toContain("TZ=UTC");
    expect(await accessory()).toMatchObject({ state: "running", differs: [] });
  }, 90_000);

  it("one that does not become well gives way to the one before it", async () => {
    const [before] = await caches();
    await deploy("v3", { ...cache, command: ["redis-server", "--no-such-option"] });
    const failed = await product.slipway("accessory", "replace", "cache", "-e", "production");
    expect(failed).toMatchObject({ code: 3, result: { event: "restored", code: "ACCESSORY_RESTORED" } });
    expect(JSON.stringify(failed.result)).toContain("no-such-option");
    expect(await caches()).toEqual([{ ...before, state: "running" }]);
    expect((await accessory())?.differs).not.toEqual([]);
    const history = await product.slipway<{ events: { event: string; actor: string; reason: string }[] }>("history");
    expect(history.result.events.map(({ event }) => event)).toEqual(["accessory.restored", "accessory.replaced"]);
    expect(history.result.events[1]?.reason).toContain("(TZ)");
  }, 90_000);

  it("is started as it was after everything was stopped, and restarted on request", async () => {
    const [before] = await caches();
    await product.slipway("down", "--all");
    expect(await caches()).toMatchObject([{ name: before?.name, state: "exited" }]);
    await product.slipway("up");
    await expect.poll(async () => (await accessory())?.state, { timeout: 20_000 }).toBe("running");
    const restarted = await product.slipway("accessory", "restart", "cache", "-e", "production");
    expect(restarted, product.log()).toMatchObject({ code: 0, result: { event: "restarted" } });
    expect(await caches()).toMatchObject([{ name: before?.name, state: "running" }]);
    const unknown = await product.slipway<{ error: { code: string } }>("accessory", "restart", "x", "-e", "production");
    expect([unknown.code, unknown.result.error.code]).toEqual([2, "UNKNOWN_ACCESSORY"]);
  }, 90_000);
});
