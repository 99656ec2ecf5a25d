import { createReadStream } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DeploymentDetail } from "../../src/api/contract.ts";
import { openSsh } from "../../src/lib/ssh/open-ssh.ts";
import { caddyPart } from "../../src/testing/caddy.ts";
import { startHosts, type TestHost, type TestHosts } from "../../src/testing/hosts/hosts.ts";
import { nodeImage } from "../../src/testing/hosts/node-image.ts";
import { redisImage } from "../../src/testing/hosts/redis-image.ts";
import { startRegistry, type TestRegistry } from "../../src/testing/hosts/registry.ts";
import { containersOf } from "./engine.fixture.ts";
import { ContainerProduct } from "./product.fixture.ts";
import { deploy, expectAtRest, outcome, type Scene, tellStory, untilPhase, visit } from "./story.fixture.ts";

const port = 8080;

describe("a product of containers on two hosts over SSH, behind Caddy on one of them, without a registry of its own", () => {
  let machines: TestHosts;
  let cacheRegistry: TestRegistry;
  let first: TestHost;
  let second: TestHost;
  let scene: Scene;

  beforeAll(async () => {
    machines = await startHosts(2);
    [first, second] = machines.hosts as [TestHost, TestHost];
    cacheRegistry = await startRegistry({ host: machines.gateway, tls: true });
    const cache = `${cacheRegistry.host}/tools/redis:7`;
    await cacheRegistry.take(first, await redisImage(first, cache));
    // What images are made from is only where they are built.
    await nodeImage(first);
    await installCaddy(first, machines);
    const product = new ContainerProduct(
      {
        target: { driver: "docker", hosts: machines.hosts.map(({ name, url }) => ({ url, name })) },
        accessories: { cache: { image: cache, port: 6379, hostPorts: ["6379:6379"] } },
        rollout: { bake: "2s", drain: "2s", rules: { errorRatio: { margin: "5%", minimum: 10 } } },
        environments: { production: { edge: { driver: "caddy", server: first.url, listen: `:${port}` } } },
      },
      { SLIPWAY_SSH_CONFIG: machines.sshConfig, NODE_EXTRA_CA_CERTS: cacheRegistry.caFile ?? "" },
    );
    scene = { product, engines: machines.hosts, production: { host: first.address, port } };
  });

  afterAll(async () => {
    await scene?.product.slipway("down", "--all");
    scene?.product.remove();
    await cacheRegistry?.down();
    await machines?.down();
  });

  it("is built on the first, shipped to both, and probed and reached through them", async () => {
    const { deployment } = await deploy(scene, "v1");
    expect(deployment.phase, `${deployment.reason}\n${scene.product.log()}`).toBe("succeeded");
    await expectAtRest(scene, "v1");
    for (const host of machines.hosts) {
      const web = (await containersOf(host)).filter(({ labels }) => labels["slipway.service"] === "web");
      expect(web.length, host.name).toBe(1);
    }
    expect(await visit(scene, "/through-the-edge")).toBe("v1");
  }, 60_000);

  it("bears good, sick and bad releases, a killed control plane, and a way back", () => tellStory(scene), 120_000);

  it("refuses a release when a host is lost in its middle, and what is left there goes when it is back", async () => {
    const [before = ""] = (await visit(scene)).split(" ");
    const deploying = deploy(scene, "v6");
    await untilPhase(scene, ["starting", "verifying"]);
    // Its engine, which is noticed at once; a cable takes a minute.
    await second.stopEngine("kill");
    const { deployment } = await deploying.finally(() => second.startEngine());
    expect(deployment.phase, deployment.reason).toBe("failed");
    expect(deployment.failure?.message).toContain("h2");
    const settled = () => expectAtRest(scene, before).then(() => "at rest");
    await expect.poll(settled, { timeout: 30_000, interval: 1_000 }).toBe("at rest");
    const again = outcome(await scene.product.slipway<DeploymentDetail>("deploy", "--env", "production", "--yes"));
    expect(again.deployment.phase, again.deployment.reason).toBe("succeeded");
    await expectAtRest(scene, "v6");
  }, 120_000);
});

/** As `slipway server bootstrap` would, without a package manager. */
async function installCaddy(host: TestHost, { directory }: TestHosts): Promise<void> {
  const ssh = openSsh({
    destination: `root@${host.name}`,
    configFile: host.sshConfig,
    controlDirectory: join(directory, "c"),
  });
  const signal = AbortSignal.timeout(60_000);
  await ssh.upload(createReadStream(await caddyPart("caddy")), "/usr/local/bin/caddy", "0755", signal);
  await ssh.close();
}
