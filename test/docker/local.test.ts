import { afterAll, beforeAll, expect, it } from "vitest";
import type { DeploymentDetail, StatusView } from "../../src/api/contract.ts";
import { startEngine, type TestEngine } from "../../src/testing/hosts/engine.ts";
import { nodeImage } from "../../src/testing/hosts/node-image.ts";
import { redisImage } from "../../src/testing/hosts/redis-image.ts";
import { startRegistry, type TestRegistry } from "../../src/testing/hosts/registry.ts";
import { freePorts } from "../fixture/ports.ts";
import { Visitors } from "../fixture/visitors.ts";
import { containersOf, imagesOf, networksOf } from "./engine.fixture.ts";
import { ContainerProduct } from "./product.fixture.ts";
import { moveToRegistry } from "./registry.fixture.ts";

let engine: TestEngine;
let registry: TestRegistry;
let product: ContainerProduct;
let ports: readonly number[];

beforeAll(async () => {
  [engine, registry] = await Promise.all([startEngine(), startRegistry({ auth: "basic" })]);
  const cache = `${registry.host}/shop/redis:7`;
  await nodeImage(engine);
  await redisImage(engine, cache);
  await moveToRegistry(engine, registry, cache);
  ports = await freePorts(2);
  product = new ContainerProduct(
    {
      target: { driver: "docker", hosts: [engine.url] },
      registry: { repository: `${registry.host}/shop`, user: registry.user, passwordFrom: "REGISTRY_TOKEN" },
      accessories: { cache: { image: cache, port: 6379 } },
      rollout: { bake: "1500ms", drain: "2s", rules: { errorRatio: { margin: "5%", minimum: 10 } } },
      retention: { releases: 1 },
      environments: {
        staging: { edge: { listen: `:${ports[0]}` }, rollout: { bake: "200ms" } },
        production: { edge: { listen: `:${ports[1]}` } },
      },
    },
    { REGISTRY_TOKEN: registry.password },
  );
});

afterAll(async () => {
  console.log(product?.log());
  if (process.env.KEEP) console.log(product.directory, engine.socket);
  await product?.slipway("down", "--all");
  product?.remove();
  await registry?.down();
  await engine?.down();
});

it("is built, pushed, pulled and run; promoted as the same digest", async () => {
  product.commit("v1");
  const staged = await product.slipway<DeploymentDetail>("deploy", "--env", "staging", "--yes");
  console.log(staged.text);
  expect(staged.code).toBe(0);
  console.log(await containersOf(engine), await networksOf(engine), await imagesOf(engine, ""));
  const promoted = await product.slipway<DeploymentDetail>("promote", "production", "--yes");
  console.log(promoted.text);
  console.log((await product.slipway<StatusView>("status")).text);
});
