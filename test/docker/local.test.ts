import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { DeploymentDetail, ErrorBody, HistoryView, ReleaseView } from "../../src/api/contract.ts";
import type { RouteTable } from "../../src/ports/edge.ts";
import { caddyPart } from "../../src/testing/caddy.ts";
import { startEngine, type TestEngine } from "../../src/testing/hosts/engine.ts";
import { engineRequest } from "../../src/testing/hosts/engine-request.ts";
import { nodeImage } from "../../src/testing/hosts/node-image.ts";
import { redisImage } from "../../src/testing/hosts/redis-image.ts";
import { startRegistry, type TestRegistry } from "../../src/testing/hosts/registry.ts";
import { freePorts } from "../../src/testing/ports.ts";
import { containersOf, imageIdsOf, imagesOf, networksOf } from "./engine.fixture.ts";
import { bearsLoadAndSickness, elastic } from "./load-and-health.fixture.ts";
import { ContainerProduct, web } from "./product.fixture.ts";
import {
  deploy,
  expectAtRest,
  leftOvers,
  outcome,
  type Scene,
  status,
  tellStory,
  underLoad,
  visit,
} from "./story.fixture.ts";

type Kept = { readonly table: RouteTable };

/** Which version answered, or the status of what was no answer. */
function versionOf(at: Scene["production"], path: string, headers: Record<string, string> = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ ...at, path, headers, agent: false }, (response) => {
      response.resume().on("end", () => resolve(String(response.headers["x-version"] ?? response.statusCode)));
    }).on("error", reject);
  });
}

// Each test is several deployments, of seconds where nobody else works and of half a minute on a busy machine.
vi.setConfig({ testTimeout: 600_000, hookTimeout: 600_000 });

describe("a product of containers on this machine's engine, with a registry and the embedded edge", () => {
  let engine: TestEngine;
  let registry: TestRegistry;
  let scene: Scene;
  /** What prints the registry's password reads it there. */
  let passwords: string;

  beforeAll(async () => {
    [engine, registry] = await Promise.all([startEngine(), startRegistry({ auth: "basic" })]);
    const cache = `${registry.host}/shop/redis:7`;
    await nodeImage(engine);
    await registry.take(engine, await redisImage(engine, cache));
    const [staging = 0, production = 0] = await freePorts(2);
    passwords = join(mkdtempSync(join(tmpdir(), "slipway-password-")), "registry");
    writeFileSync(passwords, registry.password);
    const product = new ContainerProduct({
      target: { driver: "docker", hosts: [engine.url] },
      registry: { repository: `${registry.host}/shop`, user: registry.user, passwordCommand: ["cat", passwords] },
      accessories: { cache: { image: cache, port: 6379 } },
      rollout: { bake: "1500ms", drain: "2s", rules: { errorRatio: { margin: "5%", minimum: 10 } } },
      retention: { releases: 1 },
      environments: {
        staging: { edge: { listen: `:${staging}` }, rollout: { bake: "200ms" } },
        production: { edge: { listen: `:${production}` } },
      },
    });
    scene = {
      product,
      engines: [engine],
      production: { host: "127.0.0.1", port: production },
      table: async () => (JSON.parse(readFileSync(product.state("edge", "edge.json"), "utf8")) as Kept).table,
      images: new Set(await imageIdsOf(engine)),
      bad: new Set(),
    };
  });

  afterAll(async () => {
    await scene?.product.slipway("down", "--all");
    scene?.product.remove();
    await registry?.down();
    await engine?.down();
    if (passwords !== undefined) rmSync(dirname(passwords), { recursive: true, force: true });
  });

  it("is built and pushed once, and promoted by its digest", async () => {
    const { product } = scene;
    product.commit("v1");
    const staged = outcome(await product.slipway<DeploymentDetail>("deploy", "--env", "staging", "--yes"));
    expect(staged.deployment.phase, staged.deployment.reason).toBe("succeeded");
    registry.forget();
    const promoted = outcome(await product.slipway<DeploymentDetail>("promote", "production", "--yes"));
    expect(promoted.deployment.phase, promoted.deployment.reason).toBe("succeeded");
    expect(promoted.deployment.release.id).toBe(staged.deployment.release.id);
    // Tags may be put; nothing is uploaded again.
    expect(registry.seen.filter(({ path }) => path.includes("/blobs/uploads"))).toEqual([]);
    const images = (await containersOf(engine)).filter(({ labels }) => labels["slipway.service"] === "web");
    expect(images.map(({ labels }) => labels["slipway.environment"]).toSorted()).toEqual([
      ...["production", "production", "staging", "staging"],
    ]);
    expect(new Set(images.map(({ imageId }) => imageId)).size).toBe(1);
    await expectAtRest(scene, "v1");
  });

  it("reaches its accessory by name, and its own services through the edge", async () => {
    const [, first] = (await visit(scene)).split(" ");
    const [, second] = (await visit(scene)).split(" ");
    expect(Number(second)).toBe(Number(first) + 1);
    expect(await visit(scene, "/through-the-edge")).toBe("v1");
  });

  it("bears good, sick and bad releases, a killed control plane, and a way back", () => tellStory(scene));

  it("shows what runs, what was said, and runs a command beside it", async () => {
    const { product } = scene;
    const logs = await product.slipway("logs", "--env", "production", "--service", "web");
    expect(logs.text).toContain("web v5 starts");
    const ran = await product.slipway<{ stdout: string }>(
      ...["exec", "--env", "production", "--service", "web", "--", "node", "-p", "process.env.SLIPWAY_ENVIRONMENT"],
    );
    expect(ran.code, ran.text).toBe(0);
    expect(ran.text).toContain("production");
    expect((await status(scene)).live?.number).toBe(2);
  });

  it("keeps what a way back needs, and no container, image or layer of what is pruned", async () => {
    const { product } = scene;
    for (const version of ["v6", "v7"]) {
      // As ECR does every twelve hours: the control plane goes on with the one that is right now.
      await registry.changePassword(`until ${version}`);
      writeFileSync(passwords, registry.password);
      const { deployment } = await deploy(scene, version);
      expect(deployment.phase, deployment.reason).toBe("succeeded");
    }
    const { result } = await product.slipway<{ releases: readonly ReleaseView[] } | readonly ReleaseView[]>("releases");
    const releases = "releases" in result ? result.releases : result;
    const kept = releases.filter(({ pruned }) => !pruned).map(({ number }) => number);
    expect(kept.length).toBeLessThan(releases.length);
    // What is pruned goes after the deployment has ended, in its own time.
    const unknown = async () => {
      const numbers = (await containersOf(engine)).map(({ labels }) =>
        Number(/-r(\d+)$/.exec(labels["slipway.revision"] ?? "")?.[1]),
      );
      return [...new Set(numbers)].filter((number) => number > 0 && !kept.includes(number));
    };
    await expect.poll(unknown, { timeout: 60_000 }).toEqual([]);
    const named = async () => (await imagesOf(engine, "slipway/shop/web")).map((name) => name.split(":")[1]);
    const used = async () =>
      (await containersOf(engine))
        .filter(({ labels }) => labels["slipway.service"] === "web")
        .map(({ imageId }) => imageId.slice(7, 31));
    await expect.poll(named, { timeout: 60_000 }).toEqual([...new Set(await used())].toSorted());
    expect(await networksOf(engine)).toEqual(["shop-production", "shop-staging"]);
    const back = outcome(await product.slipway<DeploymentDetail>("rollback", "production"));
    expect(back.deployment.phase, back.deployment.reason).toBe("succeeded");
    await expectAtRest(scene, "v6");
  });

  it("leaves nothing that nobody needs: what is left by others, or of a release that nobody knows, would be seen", async () => {
    const make = (path: string, what: object): Promise<string> =>
      engineRequest(engine, "POST", path, { type: "application/json", content: JSON.stringify(what) });
    const Image = `slipway-test/node:${process.versions.node}`;
    const of = {
      product: "shop",
      environment: "production",
      mode: "service",
      release: "rel_none",
      revision: "none-r99",
    };
    const Labels = Object.fromEntries(Object.entries(of).map(([name, value]) => [`slipway.${name}`, value]));
    await make("/containers/create?name=stray", { Image, Volumes: { "/data": {} } });
    await make("/containers/create?name=unknown", { Image, Labels });
    await make("/networks/create", { Name: "shop-elsewhere" });
    await make("/volumes/create", { Name: "forgotten" });
    expect((await leftOvers(scene)).toSorted()).toEqual([
      "engine 1: container stray, created",
      "engine 1: container unknown, created",
      "engine 1: network shop-elsewhere",
      expect.stringMatching(/^engine 1: volume [0-9a-f]{64}$/),
      "engine 1: volume forgotten",
    ]);
    const paths = ["containers/stray?v=1", "containers/unknown", "networks/shop-elsewhere", "volumes/forgotten"];
    for (const path of paths) await engineRequest(engine, "DELETE", `/${path}`);
    expect(await leftOvers(scene)).toEqual([]);
  });

  it("stops everything with down --all, says what it could not stop, and up starts what was live", async () => {
    const { product } = scene;
    const up = (await containersOf(engine)).filter(({ state }) => state === "running");
    const revisions = new Set(up.map(({ labels }) => labels["slipway.revision"]));
    await engine.stopEngine("kill");
    const { code, result } = await product.slipway<ErrorBody>("down", "--all");
    expect([code, result.error.code]).toEqual([1, "STOP_FAILED"]);
    expect(new Set(result.error.evidence?.map(([revision]) => revision))).toEqual(revisions);
    await engine.startEngine();
    expect((await product.slipway("down", "--all")).code).toBe(0);
    expect((await containersOf(engine)).filter(({ state }) => state === "running")).toEqual([]);
    expect(existsSync(product.state("control-plane.json"))).toBe(false);
    await product.slipway("up");
    await expect.poll(() => visit(scene).catch(() => ""), { timeout: 60_000 }).toMatch(/^v6 \d+$/);
  });

  describe.each(["embedded", "caddy"] as const)("a canary of containers, through the edge %s", (driver) => {
    // Each its own: releases are counted on from what the engine has of a product.
    const name = `gallery-${driver}`;
    let gallery: ContainerProduct;
    let place: Pick<Scene, "product" | "production" | "visits">;

    beforeAll(async () => {
      const [port = 0] = await freePorts(1);
      gallery = new ContainerProduct(
        {
          name,
          services: { web },
          target: { driver: "docker", hosts: [engine.url] },
          rollout: {
            strategy: "canary",
            steps: [{ weight: "20%", promotion: "manual" }, "50%"],
            stepBake: "300ms",
            stepMinimum: 10,
            bake: "200ms",
            drain: "2s",
            rules: { errorRatio: { margin: "5%", minimum: 10 }, latency: false },
          },
          edge: { optIn: { header: "x-canary" } },
          environments: { production: { edge: { driver, listen: `127.0.0.1:${port}` } } },
        },
        { SLIPWAY_CADDY: await caddyPart("caddy") },
      );
      place = { product: gallery, production: { host: "127.0.0.1", port }, visits: { path: "/hello" } };
      gallery.commit("v1");
      expect((await toGallery()).deployment.phase, gallery.log()).toBe("succeeded");
    });

    afterAll(async () => {
      await gallery?.slipway("down", "--all");
      gallery?.remove();
    });

    async function toGallery() {
      return outcome(await gallery.slipway<DeploymentDetail>("deploy", "--env", "production", "--yes"));
    }

    /** Who answers ten visitors that ask for this side. */
    async function side(value: string): Promise<readonly string[]> {
      const ask = () => versionOf(place.production, "/hello", { "x-canary": value });
      return [...new Set(await Promise.all(Array.from({ length: 10 }, ask)))];
    }

    it("goes up at a person's word; meanwhile who asks for a side gets it, and nobody is lost", async () => {
      gallery.commit("v2");
      const { versions } = await underLoad(place, async () => {
        const { code, text } = await gallery.slipway("deploy", "--env", "production", "--yes");
        expect(code, text).toBe(5);
        const { services } = await status(place);
        expect(services.map(({ revisions }) => revisions.map(({ number, weight }) => [number, weight]))).toEqual([
          [
            [2, 2_000],
            [1, 8_000],
          ],
        ]);
        expect([await side("1"), await side("0")]).toEqual([["v2"], ["v1"]]);
        const { deployment } = outcome(await gallery.slipway<DeploymentDetail>("promote-step", "production"));
        expect(deployment.phase, deployment.reason).toBe("succeeded");
      });
      expect([...versions.keys()].toSorted()).toEqual(["v1", "v2"]);
      expect([await side("1"), await side("0")]).toEqual([["v2"], ["v2"]]);
    });

    it("that nobody visits cannot be judged: it pauses, says why, and goes back when it is called off", async () => {
      gallery.commit("v2-unseen", "good", {
        rollout: { strategy: "canary", steps: ["20%"], stepBake: "100ms", stepMinimum: 10, stepLimit: "1s" },
      });
      const { code, text } = await gallery.slipway("deploy", "--env", "production", "--yes");
      expect(code, text).toBe(5);
      expect(text).toMatch(/cannot be judged: web: \d of at least 10 requests were seen/);
      expect((await gallery.slipway("cancel", "production")).code).toBe(0);
      expect(await side("0")).toEqual(["v2"]);
    });

    it("that answers errors is caught at its first step, and its containers are gone", async () => {
      gallery.commit("v3", "errors");
      const { value, versions } = await underLoad(place, toGallery);
      expect([value.code, value.deployment.phase]).toEqual([3, "rolled-back"]);
      expect(value.deployment.failure?.message).toMatch(/^at 20 % of the traffic: web: \d+ of \d+ requests failed/);
      expect(versions.get("v3")).toBeLessThan(versions.get("v2") ?? 0);
      const left = (await containersOf(engine)).filter(({ labels }) => labels["slipway.product"] === name);
      expect(left.filter(({ labels }) => labels["slipway.revision"]?.endsWith("-r4"))).toEqual([]);
      expect(await side("1")).toEqual(["v2"]);
    });

    it.runIf(driver === "embedded")(
      "has as many containers as the load needs, and one that is sick is restarted",
      async () => {
        const at = { strategy: "blue-green", bake: "200ms", drain: "2s" } as const;
        gallery.commit("v4", "good", { services: { web: { ...web, ...elastic } }, rollout: at, edge: {} });
        const { deployment } = await toGallery();
        expect(deployment.phase, deployment.reason).toBe("succeeded");
        const path = `/v1/history?product=${name}&environment=production`;
        await bearsLoadAndSickness({
          port: place.production.port,
          visits: { path: "/hello" },
          status: () => status(place),
          history: async () => (await gallery.ask<{ history: readonly HistoryView[] }>(path)).history,
          sicken: () => versionOf(place.production, "/sicken"),
        });
      },
    );
  });

  describe("a container with a port of its host and a volume that it writes", () => {
    let ledger: ContainerProduct;
    let port = 0;

    beforeAll(async () => {
      const [listen = 0, hostPort = 0] = await freePorts(2);
      port = listen;
      const lone = { instances: 1, volumes: ["data:/data"], hostPorts: [`127.0.0.1:${hostPort}:3000`] };
      ledger = new ContainerProduct({
        name: "ledger",
        services: { web: { ...web, ...lone } },
        target: { driver: "docker", hosts: [engine.url] },
        rollout: { bake: "200ms", drain: "2s" },
        environments: { production: { edge: { listen: `127.0.0.1:${port}` } } },
      });
      ledger.commit("v1");
      expect((await deployLedger()).deployment.phase).toBe("succeeded");
    });

    afterAll(async () => {
      await ledger?.slipway("down", "--all");
      ledger?.remove();
    });

    async function deployLedger() {
      return outcome(await ledger.slipway<DeploymentDetail>("deploy", "--env", "production", "--yes"));
    }

    const ask = () => versionOf({ host: "127.0.0.1", port }, "/hello");

    it("gives way to its successor, and its requests wait meanwhile", async () => {
      ledger.commit("v2");
      const seen = new Set<string>();
      const ended = { yet: false };
      const deployed = deployLedger().finally(() => {
        ended.yet = true;
      });
      while (!ended.yet) seen.add(await ask());
      expect((await deployed).deployment.phase).toBe("succeeded");
      expect([...seen].filter((each) => each !== "v1" && each !== "v2")).toEqual([]);
      expect(await ask()).toBe("v2");
    });

    it("comes back when its successor never becomes healthy", async () => {
      ledger.commit("v3", "unhealthy");
      const { deployment } = await deployLedger();
      expect([deployment.phase, deployment.failure?.code]).toEqual(["failed", "PROBE_DEADLINE"]);
      expect(deployment.reason).toContain("stable runs again (web had been stopped first)");
      expect(await ask()).toBe("v2");
      const running = (await containersOf(engine)).filter(
        ({ state, labels }) => state === "running" && labels["slipway.product"] === "ledger",
      );
      expect(running.map(({ labels }) => labels["slipway.service"])).toEqual(["web"]);
    });
  });
});
