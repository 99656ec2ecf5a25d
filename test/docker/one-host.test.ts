import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { CheckView } from "../../src/api/contract.ts";
import type { RouteTable } from "../../src/ports/edge.ts";
import { caddyPart } from "../../src/testing/caddy.ts";
import { makeAuthority, type TestAuthority } from "../../src/testing/conformance/edge/authority.ts";
import { startEngine, type TestEngine } from "../../src/testing/hosts/engine.ts";
import { nodeImage } from "../../src/testing/hosts/node-image.ts";
import { redisImage } from "../../src/testing/hosts/redis-image.ts";
import { startRegistry, type TestRegistry } from "../../src/testing/hosts/registry.ts";
import { freePorts } from "../../src/testing/ports.ts";
import { imageIdsOf } from "./engine.fixture.ts";
import { bears, deployAnd } from "./fault.fixture.ts";
import { ContainerProduct, worker } from "./product.fixture.ts";
import { deploy, deployHead, expectAtRest, type Scene, status, underLoad, untilPhase, visit } from "./story.fixture.ts";

const domain = "shop.test";

// Each test is several deployments, of seconds where nobody else works and of half a minute on a busy machine.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

describe("one host, a registry, and Caddy beside the control plane: under load", () => {
  let engine: TestEngine;
  let registry: TestRegistry;
  let authority: TestAuthority;
  let scene: Scene;

  beforeAll(async () => {
    [engine, registry, authority] = await Promise.all([
      startEngine(),
      startRegistry({ auth: "basic" }),
      makeAuthority(),
    ]);
    const cache = `${registry.host}/tools/redis:7`;
    await nodeImage(engine);
    await registry.take(engine, await redisImage(engine, cache));
    const [port = 0, tlsPort = 0] = await freePorts(2);
    const { certFile: cert, keyFile: key } = await authority.issue("edge", [domain]);
    const product = new ContainerProduct(
      {
        target: { driver: "docker", hosts: [engine.url] },
        registry: { repository: `${registry.host}/shop`, user: registry.user, passwordFrom: "REGISTRY_TOKEN" },
        accessories: { cache: { image: cache, port: 6379 } },
        rollout: { bake: "1500ms", drain: "2s", rules: { errorRatio: { margin: "5%", minimum: 10 } } },
        edge: {
          driver: "caddy",
          listen: `:${port}`,
          tls: { listen: `:${tlsPort}`, certificates: [{ hosts: [domain], cert, key }] },
        },
      },
      { SLIPWAY_CADDY: await caddyPart("caddy"), REGISTRY_TOKEN: registry.password },
    );
    const table = () => readFileSync(product.state("caddy", "slots", "current", "table"), "utf8");
    scene = {
      product,
      engines: [engine],
      production: { host: "127.0.0.1", port },
      table: async () => JSON.parse(table()) as RouteTable,
      images: new Set(await imageIdsOf(engine)),
      bad: new Set(),
    };
    expect((await deploy(scene, "v1")).deployment.phase, product.log()).toBe("succeeded");
  });

  afterAll(async () => {
    await scene?.product.slipway("down", "--all");
    scene?.product.remove();
    await authority?.dispose();
    await registry?.down();
    await engine?.down();
  });

  it("a good release", async () => {
    const good = await underLoad(scene, () => deploy(scene, "v2"));
    expect(good.value.deployment.phase, good.value.deployment.reason).toBe("succeeded");
    expect([...good.versions.keys()].toSorted()).toEqual(["v1", "v2"]);
    await expectAtRest(scene, "v2");
    expect(await visit(scene, "/through-the-edge")).toBe("v2");
  });

  it("a release that answers errors", () =>
    bears(scene, {
      live: "v2",
      phase: "rolled-back",
      during: () => deploy(scene, "v3", "errors"),
      says: { code: "ERROR_RATIO", message: /web: \d+ of \d+ requests failed/, evidence: /log/, hint: /log lines/ },
    }));

  it("a release that takes memory without end", () =>
    bears(scene, {
      live: "v2",
      phase: "rolled-back",
      during: () =>
        // Lost connections would be judged first, and say less.
        deploy(scene, "v4", "greedy", { rollout: { bake: "60s", drain: "2s", rules: { errorRatio: false } } }),
      says: {
        code: "HEALTH_LOST",
        message: /web instance \d exited .*killed by SIGKILL: it used more memory than its limit/,
        evidence: /last exit killed by SIGKILL: it used more memory/,
        hint: /previous release is live/,
      },
    }));

  it("an image that nobody has: by its name when the release is made, by its digest when it is deployed", async () => {
    const nowhere = `${registry.host}/tools/none`;
    scene.product.commit("v5", "good", { services: { ghost: { ...worker, path: ".", image: `${nowhere}:1` } } });
    const refused = await scene.product.slipway<Refusal>("deploy", "--env", "production", "--yes");
    expect([refused.code, refused.result.error?.code], refused.text).toEqual([1, "IMAGE_MISSING"]);
    expect(refused.result.error?.message).toContain(`${nowhere}:1`);
    const digest = `sha256:${"ab".repeat(32)}`;
    await bears(scene, {
      live: "v2",
      phase: "failed",
      during: () => deploy(scene, "v5", "good", { services: { ghost: { ...worker, image: `${nowhere}@${digest}` } } }),
      says: {
        code: "IMAGE_MISSING",
        message: new RegExp(`host \\S+ .*${nowhere}@${digest}`),
        evidence: /pull /,
        hint: /image/,
      },
    });
  });

  it("a platform whose programs the builder cannot run, before the first image is built", async () => {
    const images = new Set(await imageIdsOf(engine));
    scene.product.commit("v5-foreign", "good", { services: { ghost: foreign("FROM scratch\nRUN make\n") } });
    const refused = await scene.product.slipway<Refusal>("deploy", "--env", "production", "--yes");
    expect([refused.code, refused.result.error?.code], refused.text).toEqual([2, "IMAGE_WRONG_PLATFORM"]);
    expect(refused.result.error?.message).toBe(`builder docker:${engine.url} cannot build ghost for linux/s390x`);
    // Those of the other services are of a new commit, and would have been others.
    expect(new Set(await imageIdsOf(engine))).toEqual(images);
  });

  it("an image for another processor, which the builder can make", () =>
    bears(scene, {
      live: "v2",
      phase: "failed",
      during: () => {
        const ghost = foreign("FROM scratch\nCOPY server.mjs /\nUSER 1000:1000\n");
        return deploy(scene, "v6", "good", { services: { ghost } });
      },
      says: {
        code: "IMAGE_WRONG_PLATFORM",
        message: /ghost: the image is for linux\/s390x, and host \S+ is linux\//,
        evidence: /^/,
        hint: /image\.platforms/,
      },
    }));

  /** A service that is built for a processor that this machine does not have. */
  function foreign(dockerfile: string) {
    writeFileSync(join(scene.product.directory, "worker", "foreign.Dockerfile"), dockerfile);
    return { ...worker, image: { dockerfile: "foreign.Dockerfile", platforms: ["linux/s390x"] } };
  }

  it("a port of the host that another program has", async () => {
    const squatter = await listening();
    const { port } = squatter.address() as { port: number };
    await bears(scene, {
      live: "v2",
      phase: "failed",
      during: () =>
        deploy(scene, "v7", "good", { services: { worker: { ...worker, hostPorts: [`127.0.0.1:${port}:9000`] } } }),
      says: {
        code: "PORT_TAKEN",
        message: new RegExp(`host \\S+: port ${port} is used by another program, and worker needs it`),
        evidence: /engine .*address already in use/,
        hint: /choose another port/,
      },
    });
    squatter.close();
  });

  it("a registry that denies, is away, and is slow", async () => {
    const refusal = async () => {
      const { code, result, text } = await underLoad(scene, () =>
        scene.product.slipway<Refusal>("deploy", "--env", "production", "--yes"),
      ).then(({ value }) => value);
      expect(code, text).toBe(1);
      return `${result.error?.code}: ${result.error?.message}`;
    };
    scene.product.commit("v8");
    registry.deny((method) => (method === "PUT" || method === "POST" ? 403 : null));
    expect(await refusal()).toMatch(new RegExp(`REGISTRY_DENIED: .*${registry.host}`));
    registry.deny(null);
    await registry.stop();
    expect(await refusal()).toMatch(new RegExp(`REGISTRY_AWAY: .*${registry.host}`));
    await registry.start();
    await expectAtRest(scene, "v2");
    registry.slow(200);
    await bears(scene, { live: "v8", phase: "succeeded", during: () => deployHead(scene) });
    registry.slow(0);
  });

  it("an engine that crashes in the middle, and comes back", async () => {
    const away = { from: 0, until: 0 };
    await bears(scene, {
      live: "v9",
      phase: "succeeded",
      during: () =>
        deployAnd(scene, "v9", async () => {
          await untilPhase(scene, ["starting", "verifying"]);
          away.from = Date.now();
          await engine.restartEngine("kill");
          await expect.poll(() => statesOf(scene), { timeout: 60_000 }).toEqual(new Set(["running"]));
          // Each instance has to listen again, not only the first one that is asked.
          const allAnswer = async (): Promise<boolean> => {
            for (let count = 0; count < 20; count += 1)
              if (!/^v\d+ \d+$/.test(await visit(scene).catch(() => ""))) return false;
            return true;
          };
          await expect.poll(allAnswer, { timeout: 60_000 }).toBe(true);
          away.until = Date.now();
        }),
      toll: {
        why: "an engine that comes up ends every container before it starts it again, and here are all of them",
        takes: ({ began, ended }) => ended >= away.from && began <= away.until,
      },
    });
  });

  it("Caddy killed in the middle, and again while the control plane is away", async () => {
    const away = { from: 0, until: 0 };
    const kill = async () => {
      away.from = Date.now();
      process.kill(caddyOf(scene.product), "SIGKILL");
      await expect.poll(() => visit(scene).catch(() => ""), { timeout: 60_000 }).toMatch(/^v\d+ \d+$/);
      away.until = Date.now();
    };
    await bears(scene, {
      live: "v10",
      phase: "succeeded",
      during: () =>
        deployAnd(scene, "v10", async () => {
          await untilPhase(scene, ["starting", "verifying"]);
          await kill();
        }),
      toll: {
        why: "all requests come through it",
        takes: ({ began, ended }) => ended >= away.from && began <= away.until,
      },
    });
    expect((await scene.product.slipway("down")).code).toBe(0);
    await kill();
    expect((await scene.product.slipway("up")).code).toBe(0);
    await expectAtRest(scene, "v10");
  });

  it("a certificate that has expired: it is told, with its name, and a renewed one is taken up", async () => {
    const certificates = async (): Promise<CheckView | undefined> => {
      const { checks } = await scene.product.ask<{ checks: readonly CheckView[] }>("/v1/checks");
      return checks.find(({ name }) => name.startsWith("certificates"));
    };
    await authority.issue("edge", [domain], { days: -1 });
    await expect
      .poll(async () => (await certificates())?.says, { timeout: 60_000 })
      .toMatch(new RegExp(`${domain}: ended .*expired`));
    expect((await certificates())?.hint).toContain("renew the files");
    await bears(scene, { live: "v11", phase: "succeeded", during: () => deploy(scene, "v11") });
    expect((await certificates())?.ok).toBe(false);
    await authority.issue("edge", [domain], { days: 90 });
    await expect.poll(async () => (await certificates())?.ok, { timeout: 60_000 }).toBe(true);
    await expectAtRest(scene, "v11");
  });
});

/** In which states instances are that take requests, or would. */
async function statesOf(scene: Scene): Promise<ReadonlySet<string>> {
  const { services } = await status(scene);
  const instances = services.flatMap(({ revisions }) => revisions.flatMap((revision) => revision.instances));
  return new Set(instances.map(({ state }) => state));
}

type Refusal = { readonly error?: { readonly code: string; readonly message: string } };

async function listening(): Promise<Server> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

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
