import { createReadStream } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { DeploymentDetail, HistoryView } from "../../src/api/contract.ts";
import { openSsh } from "../../src/lib/ssh/open-ssh.ts";
import type { RouteTable } from "../../src/ports/edge.ts";
import { caddyPart } from "../../src/testing/caddy.ts";
import { startHosts, type TestHost, type TestHosts } from "../../src/testing/hosts/hosts.ts";
import { nodeImage } from "../../src/testing/hosts/node-image.ts";
import { redisImage } from "../../src/testing/hosts/redis-image.ts";
import { startRegistry, type TestRegistry } from "../../src/testing/hosts/registry.ts";
import { containersOf, imageIdsOf } from "./engine.fixture.ts";
import { bears, deployAnd } from "./fault.fixture.ts";
import { ContainerProduct, web } from "./product.fixture.ts";
import {
  deploy,
  deployHead,
  expectAtRest,
  type Outcome,
  type Scene,
  status,
  underLoad,
  untilPhase,
  visit,
} from "./story.fixture.ts";

const port = 8080;
const room = "/var/lib/slipway/edge";
const patient = { timeout: 120_000, interval: 250 };

// Each test is several deployments, of seconds where nobody else works and of half a minute on a busy machine.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

describe("three hosts over SSH, behind Caddy on the first, without a registry of its own: under load", () => {
  let machines: TestHosts;
  let cacheRegistry: TestRegistry;
  let first: TestHost;
  /** The one that things happen to: not that of Caddy, nor that of Redis, without which nobody could answer. */
  let victim: TestHost;
  let scene: Scene;

  beforeAll(async () => {
    machines = await startHosts(3, { diskBytes: 1_500_000_000 });
    [first] = machines.hosts as [TestHost];
    cacheRegistry = await startRegistry({ host: machines.gateway, tls: true });
    const cache = `${cacheRegistry.host}/tools/redis:7`;
    await cacheRegistry.take(first, await redisImage(first, cache));
    // What images are made from is only where they are built.
    await nodeImage(first);
    await installCaddy(first, machines);
    const product = new ContainerProduct(
      {
        services: { web: { ...web, instances: 3 } },
        target: {
          driver: "docker",
          hosts: machines.hosts.map(({ name, url }) => ({ url, name })),
          whenLost: "replace",
          lostAfter: "2s",
        },
        accessories: { cache: { image: cache, port: 6379, hostPorts: ["6379:6379"] } },
        rollout: { bake: "1500ms", drain: "2s", rules: { errorRatio: { margin: "5%", minimum: 10 } } },
        environments: { production: { edge: { driver: "caddy", server: first.url, listen: `:${port}` } } },
      },
      { SLIPWAY_SSH_CONFIG: machines.sshConfig, NODE_EXTRA_CA_CERTS: cacheRegistry.caFile ?? "" },
    );
    scene = {
      product,
      engines: machines.hosts,
      production: { host: first.address, port },
      visits: { path: "/hello" },
      table: async () => JSON.parse(await first.run(["cat", `${room}/slots/current/table`])) as RouteTable,
      images: new Set((await Promise.all(machines.hosts.map(imageIdsOf))).flat()),
      bad: new Set(),
    };
    expect((await deploy(scene, "v1")).deployment.phase, product.log()).toBe("succeeded");
    const holds = async (host: TestHost, service: string) =>
      (await containersOf(host)).some(({ labels }) => labels["slipway.service"] === service);
    for (const host of machines.hosts) {
      expect(await holds(host, "web"), host.name).toBe(true);
      if (host !== first && !(await holds(host, "cache"))) victim = host;
    }
  });

  afterAll(async () => {
    await scene?.product.slipway("down", "--all");
    scene?.product.remove();
    await cacheRegistry?.down();
    await machines?.down();
  });

  it("a good release, built on the first and shipped to the others, and one that never becomes healthy", async () => {
    const good = await underLoad(scene, () => deploy(scene, "v2"));
    expect(good.value.deployment.phase, good.value.deployment.reason).toBe("succeeded");
    expect([...good.versions.keys()].toSorted()).toEqual(["v1", "v2"]);
    await expectAtRest(scene, "v2");
    expect(await visit(scene, "/through-the-edge")).toBe("v2");
    await bears(scene, {
      live: "v2",
      phase: "failed",
      during: () => deploy(scene, "v3", "unhealthy"),
      says: {
        code: "PROBE_DEADLINE",
        message: /web was not healthy within 3s, instance \d on host h\d/,
        evidence: /GET http:\S+\/up -> 503.*the database is migrating/s,
        hint: /log lines/,
      },
    });
  });

  it("SSH dropped in the middle", () =>
    bears(scene, {
      live: "v4",
      phase: "succeeded",
      during: () =>
        deployAnd(scene, "v4", async () => {
          await untilPhase(scene, ["starting", "verifying"]);
          for (const host of machines.hosts) await host.run(["sh", "-c", endSessions]);
        }),
    }));

  it("an engine that crashes in the middle, and comes back", () => {
    const away = { from: 0, until: 0 };
    return bears(scene, {
      live: "v5",
      phase: "succeeded",
      during: () =>
        deployAnd(scene, "v5", async () => {
          await untilPhase(scene, ["starting", "verifying"]);
          away.from = Date.now();
          await victim.restartEngine("kill");
          away.until = Date.now();
        }),
      toll: {
        why: "what its containers were answering when it ended them, for another instance is not asked twice",
        takes: ({ began, ended }) => ended >= away.from && began <= away.until,
      },
    });
  });

  it("Caddy killed in the middle", () => {
    const away = { from: 0, until: 0 };
    return bears(scene, {
      live: "v6",
      phase: "succeeded",
      during: () =>
        deployAnd(scene, "v6", async () => {
          await untilPhase(scene, ["starting", "verifying"]);
          away.from = Date.now();
          await first.run(["sh", "-c", "kill -9 $(pidof caddy)"]);
          await expect.poll(() => visit(scene).catch(() => ""), { timeout: 60_000 }).toMatch(/^v\d+ \d+$/);
          away.until = Date.now();
        }),
      toll: {
        why: "all requests come through it",
        takes: ({ began, ended }) => ended >= away.from && began <= away.until,
      },
    });
  });

  it("a full disk on a host", () =>
    bears(scene, {
      live: "v6",
      phase: "failed",
      during: async () => {
        await victim.fillDisk(0);
        return deploy(scene, "v7", "large");
      },
      says: {
        code: "DISK_FULL",
        message: new RegExp(`host ${victim.name}: no space is left on its disk`),
        evidence: /no space left on device/,
        hint: /free space there/,
      },
      after: () => victim.freeDisk(),
    }));

  it("a host cut off in the middle: its instance starts elsewhere, and nothing of it is one too many when it is back", async () => {
    const away = { from: 0, until: 0 };
    const says = `host ${victim.name} is given up until it answers; its instances run on other hosts`;
    const awayNow = async () => (await status(scene)).away.map(({ host, says }) => [host, says]);
    await bears(scene, {
      live: "v6",
      phase: "failed",
      during: () =>
        deployAnd(scene, "v8", async () => {
          await untilPhase(scene, ["starting"]);
          away.from = Date.now();
          await victim.cut();
        }),
      says: {
        code: "HOST_AWAY",
        message: new RegExp(`host ${victim.name}: .*${victim.address}`),
        evidence: /^/,
        hint: /server check/,
      },
      toll: {
        why: "what had been sent to the host when its cable was pulled out is lost, as are connections to it that were open",
        takes: ({ began }) => began >= away.from - 1_000 && began <= away.from + 5_000,
      },
      after: async () => {
        await expect.poll(runningElsewhere, patient).toBe(3);
        expect(await awayNow()).toEqual([[victim.name, says]]);
        // Another control plane knows it, and does not wait for it either.
        scene.product.killControlPlane();
        expect((await scene.product.slipway("up")).code).toBe(0);
        await expect.poll(awayNow, patient).toEqual([[victim.name, says]]);
        await victim.mend();
        await expect.poll(awayNow, patient).toEqual([]);
        await expect.poll(async () => (await runningWeb()).length, patient).toBe(3);
      },
    });
    const path = "/v1/history?product=shop&environment=production";
    const { history } = await scene.product.ask<{ history: readonly HistoryView[] }>(path);
    const told = history.filter(({ event }) => /^(host|instance)\./.test(event));
    const hostsTold = told.filter(({ event }) => event.startsWith("host."));
    expect(hostsTold.slice(0, 2).map(({ event, evidence }) => [event, evidence])).toEqual([
      ["host.back", [["host", victim.name]]],
      ["host.lost", [["host", victim.name]]],
    ]);
    // Nobody tries to restart what is where nobody answers.
    const there = told.filter(({ at, reason }) => at >= away.from && reason.includes(`on host ${victim.name}`));
    expect(there.filter(({ event }) => event.startsWith("instance."))).toEqual([]);
    const again = await underLoad(scene, () => deployHead(scene));
    expect(again.value.deployment.phase, again.value.deployment.reason).toBe("succeeded");
    await expectAtRest(scene, "v8");
  });

  it("host by host where it is rolling, and a host that is cut off at the second batch undoes the first as well", async () => {
    const rollout = { strategy: "rolling", batch: 1, bake: "1500ms", drain: "2s" } as const;
    const good = await underLoad(scene, () => deploy(scene, "v9", "good", { rollout }));
    expect(good.value.deployment.phase, good.value.deployment.reason).toBe("succeeded");
    expect([...good.versions.keys()].toSorted()).toEqual(["v8", "v9"]);
    expect(await switchesOf(good.value)).toBe(3);
    await expectAtRest(scene, "v9");

    const away = { from: 0 };
    await bears(scene, {
      live: "v9",
      phase: "rolled-back",
      during: async () => {
        scene.product.commit("v10", "slow", { rollout });
        const deploying = deployHead(scene);
        deploying.catch(() => {}); // told when it is awaited
        await untilPhase(scene, ["draining"]);
        await untilPhase(scene, ["starting", "verifying"]);
        away.from = Date.now();
        await victim.cut();
        return deploying;
      },
      says: { code: "HOST_AWAY", message: new RegExp(`host ${victim.name}: `), evidence: /^/, hint: /server check/ },
      toll: {
        why: "what had been sent to the host when its cable was pulled out is lost, as are connections to it that were open",
        takes: ({ began }) => began >= away.from - 1_000 && began <= away.from + 5_000,
      },
      after: () => victim.mend(),
    });
  });

  it("one that is away when a deployment begins: is waited for until somebody calls that off, or skipped; and it goes on when it is back", async () => {
    const hosts = machines.hosts.map(({ name, url }) => ({ url, name }));
    const away = (whenAway: "wait" | "skip") => ({ target: { driver: "docker", hosts, whenAway } }) as const;
    const toldOf = ({ history }: DeploymentDetail) =>
      history.flatMap(({ event, reason }) => (event.startsWith("host.") ? [[event, reason]] : []));
    const silent = `host ${victim.name} does not answer; `;
    /** Resolves when the deployment under way has told of a host. */
    const untilTold = () =>
      expect
        .poll(async () => {
          const { deployment } = await status(scene);
          if (deployment === null) return [];
          const detail = await scene.product.ask<DeploymentDetail>(`/v1/deployments/${deployment.id}`);
          return [detail.phase, ...toldOf(detail)];
        }, patient)
        .toEqual(["starting", ["host.awaited", `${silent}it is waited for, 15m at most`]]);
    // Nobody gives it up by itself.
    expect((await deploy(scene, "v10", "good", away("wait"))).code).toBe(0);
    await victim.cut();

    const cancel = async () => {
      await untilTold();
      const { code, text } = await scene.product.slipway("cancel", "production", "--reason", "it takes too long");
      expect(code, text).toBe(0);
    };
    const off = await deployAnd(scene, "v11", cancel, "good", away("wait"));
    expect([off.deployment.phase, off.deployment.reason]).toEqual(["cancelled", expect.stringContaining("too long")]);

    const others = await deploy(scene, "v12", "good", away("skip"));
    expect([others.code, others.deployment.phase], others.deployment.reason).toEqual([0, "succeeded"]);
    const says = `${silent}the release goes to the others without it`;
    expect(toldOf(others.deployment)).toEqual([["host.skipped", says]]);
    expect(await runningElsewhere()).toBe(3);
    expect((await status(scene)).away).toEqual([
      { host: victim.name, says: expect.stringMatching(/has not answered for .*; deployments go on without it$/) },
    ]);

    const mend = async () => {
      await untilTold();
      await victim.mend();
    };
    const all = await deployAnd(scene, "v13", mend, "good", away("wait"));
    expect([all.code, all.deployment.phase], all.deployment.reason).toEqual([0, "succeeded"]);
    expect(toldOf(all.deployment).map(([event]) => event)).toEqual(["host.awaited", "host.answers"]);
    // What it had of the release before last runs no more, and it has its part of this one.
    await expectAtRest(scene, "v13");
    expect(new Set((await runningWeb()).map(({ host }) => host)).size).toBe(3);
  });

  /** How many times a deployment has switched traffic. */
  async function switchesOf({ deployment: { id } }: Outcome): Promise<number> {
    const path = "/v1/history?product=shop&environment=production";
    const { history } = await scene.product.ask<{ history: readonly HistoryView[] }>(path);
    return history.filter((row) => row.deployment === id && row.event === "deployment.shifting").length;
  }

  /** Containers of the live web that run, on all hosts. */
  async function runningWeb() {
    const live = (await status(scene)).live?.number;
    const isLive = (revision: string | undefined) => revision === `rev_shop-production-web-r${live}`;
    const found = await Promise.all(
      machines.hosts.map(async (host) => (await containersOf(host)).map((each) => ({ ...each, host: host.name }))),
    );
    return found.flat().filter(({ state, labels }) => state === "running" && isLive(labels["slipway.revision"]));
  }

  async function runningElsewhere(): Promise<number> {
    const web = (await status(scene)).services.find(({ service }) => service === "web");
    const stable = web?.revisions.find(({ role }) => role === "stable");
    return (stable?.instances ?? []).filter(({ host, lastSeen }) => host !== victim.name && lastSeen === null).length;
  }
});

/** All of sshd but the one that listens. */
const endSessions = "for p in $(pidof sshd); do grep -qa listener /proc/$p/cmdline || kill -9 $p; done";

/** As `slipway server bootstrap` would, without a package manager. */
async function installCaddy(host: TestHost, { directory }: TestHosts): Promise<void> {
  const ssh = openSsh({
    destination: `root@${host.name}`,
    configFile: host.sshConfig,
    controlDirectory: join(directory, "c"),
  });
  const signal = AbortSignal.timeout(600_000);
  await ssh.upload(createReadStream(await caddyPart("caddy")), "/usr/local/bin/caddy", "0755", signal);
  await ssh.close();
}
