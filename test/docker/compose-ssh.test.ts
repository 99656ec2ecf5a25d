import { once } from "node:events";
import { get } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DeploymentDetail, PlanView } from "../../src/api/contract.ts";
import { engineRequest } from "../../src/testing/hosts/engine-request.ts";
import { startHosts, type TestHost, type TestHosts } from "../../src/testing/hosts/hosts.ts";
import { nodeImage } from "../../src/testing/hosts/node-image.ts";
import { redisImage } from "../../src/testing/hosts/redis-image.ts";
import { freePorts } from "../../src/testing/ports.ts";
import { Visitors } from "../fixture/visitors.ts";
import { backplanes, ComposeProject, cacheImage, hasCompose, secret } from "./compose.fixture.ts";
import { containersOf, networksOf } from "./engine.fixture.ts";

const canRun = hasCompose || process.env.CI !== undefined;

describe.skipIf(!canRun)("a Compose project on a host that only SSH reaches", { timeout: 240_000 }, () => {
  let machines: TestHosts;
  let host: TestHost;
  let project: ComposeProject;
  /** Where docker compose publishes web on the host, and where our edge listens here. */
  let ports: { before: number; edge: number };

  beforeAll(async () => {
    machines = await startHosts(1);
    [host] = machines.hosts as [TestHost];
    await Promise.all([nodeImage(host), redisImage(host, cacheImage)]);
    await engineRequest(host, "POST", "/networks/create", {
      type: "application/json",
      content: JSON.stringify({ Name: backplanes.production }),
    });
    const [before = 0, edge = 0] = await freePorts(2);
    ports = { before, edge };
    const sshOnly = { SLIPWAY_SSH_CONFIG: machines.sshConfig };
    project = new ComposeProject(`unix://${host.socket}`, { production: before, staging: 0 }, sshOnly);
    project.commit("v0", "good", {
      target: {
        driver: "compose",
        hosts: [{ url: host.url, name: host.name, address: host.address }],
        project: "shop",
      },
      // A slow probe on a busy machine is not what is looked at here.
      rollout: { bake: "1s", drain: "2s", rules: { errorRatio: { margin: "5%", minimum: 10 }, healthLost: false } },
      environments: { production: { edge: { listen: `127.0.0.1:${edge}` } } },
    });
    // What it mounts from its directory is on the host, as where somebody had called docker compose there.
    await host.run(["mkdir", "-p", project.directory]);
    const settings = { input: project.read("settings.conf") };
    await host.run(["sh", "-c", 'cat > "$0/settings.conf"', project.directory], settings);
    project.compose("--project-name", "shop", "up", "--detach", "--build", "--quiet-pull");
  });

  afterAll(async () => {
    await project?.slipway("down", "--all");
    project?.remove();
    await machines?.down();
  });

  /** Version of web, version of api that it asked, visits in the cache, and the settings that were laid in. */
  async function visit(): Promise<string[]> {
    const [response] = await once(get({ host: "127.0.0.1", port: ports.edge, path: "/", agent: false }), "response");
    let text = "";
    for await (const chunk of response.setEncoding("utf8")) text += chunk;
    return text.split(" ");
  }

  async function deploy(): Promise<DeploymentDetail> {
    const { result, text } = await project.slipway<DeploymentDetail>("deploy", "--env", "production", "--yes");
    expect(result.phase, text).toBe("succeeded");
    return result;
  }

  const cache = async () => (await containersOf(host)).find(({ name }) => name === "shop-cache-1");
  const ofCompose = async () =>
    (await containersOf(host))
      .filter(({ state, labels }) => state === "running" && labels["com.docker.compose.project"] !== undefined)
      .map(({ name }) => name);

  it("is planned, taken over with its data and its settings, and ends there when the release has passed its bake", async () => {
    const retried = ["--retry", "30", "--retry-delay", "1", "--retry-all-errors"];
    const asked = await host.run(["curl", "--silent", ...retried, `http://127.0.0.1:${ports.before}/`]);
    const before = asked.split(" ");
    expect([before[0], before[1], before[3]]).toEqual(["v0", "v0", "greeting=hello"]);
    const kept = await cache();
    const { result } = await project.slipway<PlanView>("plan", "--env", "production");
    expect(result.steps).toContain("use shop-cache-1 of docker compose as it is: not stopped, not changed");
    expect(JSON.stringify(result)).not.toContain(secret);
    project.commit("v1");
    await deploy();
    const [web, api, visits, settings] = await visit();
    expect([web, api, settings]).toEqual(["v1", "v1", "greeting=hello"]);
    expect(Number(visits)).toBeGreaterThan(Number(before[2]));
    expect(await cache()).toEqual(kept);
    expect(await ofCompose()).toEqual(["shop-cache-1"]);
  });

  it("brings the next version and goes back without a failed request, and leaves what is not ours", async () => {
    const visitors = new Visitors(ports.edge);
    project.commit("v2");
    const second = await deploy();
    expect((await visit()).slice(0, 2)).toEqual(["v2", "v2"]);
    const { result: back } = await project.slipway<DeploymentDetail>("rollback", "production");
    expect(back.phase, back.reason).toBe("succeeded");
    expect((await visit()).slice(0, 2)).toEqual(["v1", "v1"]);
    await visitors.leave();
    expect([visitors.failures, second.failure]).toEqual([[], null]);
    expect([...visitors.versions.keys()].toSorted()).toEqual(["v1", "v2"]);
    expect(project.holding(secret)).toEqual([]);
    expect((await project.slipway("down", "--all")).code).toBe(0);
    expect(await ofCompose()).toEqual(["shop-cache-1"]);
    expect(await networksOf(host)).toEqual(expect.arrayContaining([backplanes.production, "shop_default"]));
  });
});
