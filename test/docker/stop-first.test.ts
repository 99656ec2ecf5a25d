import { get } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DeploymentDetail } from "../../src/api/contract.ts";
import { startEngine, type TestEngine } from "../../src/testing/hosts/engine.ts";
import { nodeImage } from "../../src/testing/hosts/node-image.ts";
import { freePorts } from "../fixture/ports.ts";
import { containersOf } from "./engine.fixture.ts";
import { ContainerProduct } from "./product.fixture.ts";
import { outcome } from "./story.fixture.ts";

describe("a container with a port of its host and a volume that it writes", () => {
  let engine: TestEngine;
  let product: ContainerProduct;
  let port = 0;

  beforeAll(async () => {
    engine = await startEngine();
    await nodeImage(engine);
    const [listen = 0, hostPort = 0] = await freePorts(2);
    port = listen;
    product = new ContainerProduct({
      target: { driver: "docker", hosts: [engine.url] },
      rollout: { bake: "200ms", drain: "2s" },
      environments: { production: { edge: { listen: `127.0.0.1:${port}` } } },
    });
    const web = { kind: "web" as const, path: "web", port: 3000, stopGrace: "5s" as const };
    const health = { path: "/up", interval: "100ms" as const, timeout: "2s" as const, deadline: "6s" as const };
    const lone = { volumes: ["data:/data"], hostPorts: [`127.0.0.1:${hostPort}:3000`] };
    product.commit("v1", "good", { services: { web: { ...web, ...lone, health } } });
    expect((await deploy()).deployment.phase).toBe("succeeded");
  });

  afterAll(async () => {
    await product?.slipway("down", "--all");
    product?.remove();
    await engine?.down();
  });

  async function deploy() {
    return outcome(await product.slipway<DeploymentDetail>("deploy", "--env", "production", "--yes"));
  }

  /** Which version answered, or the status of what was no answer. */
  function visit(): Promise<string> {
    return new Promise((resolve, reject) => {
      get({ host: "127.0.0.1", port, path: "/env", agent: false }, (response) => {
        response.resume().on("end", () => resolve(String(response.headers["x-version"] ?? response.statusCode)));
      }).on("error", reject);
    });
  }

  it("gives way to its successor, and its requests wait meanwhile", async () => {
    product.commit("v2");
    const seen = new Set<string>();
    const ended = { yet: false };
    const deployed = deploy().finally(() => {
      ended.yet = true;
    });
    while (!ended.yet) seen.add(await visit());
    expect((await deployed).deployment.phase).toBe("succeeded");
    expect([...seen].filter((each) => each !== "v1" && each !== "v2")).toEqual([]);
    expect(await visit()).toBe("v2");
  });

  it("comes back when its successor never becomes healthy", async () => {
    product.commit("v3", "unhealthy");
    const { deployment } = await deploy();
    expect([deployment.phase, deployment.failure?.code]).toEqual(["failed", "PROBE_DEADLINE"]);
    expect(deployment.reason).toContain("stable runs again (web had been stopped first)");
    expect(await visit()).toBe("v2");
    const running = (await containersOf(engine)).filter(({ state }) => state === "running");
    expect(running.map(({ labels }) => labels["slipway.service"])).toEqual(["web"]);
  });
});
