import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import type { DeploymentDetail, PreviewsView, TriggersView } from "../../src/api/contract.ts";
import type { ProductInput } from "../../src/core/product/input.ts";
import { startEngine, type TestEngine } from "../../src/testing/hosts/engine.ts";
import { engineRequest } from "../../src/testing/hosts/engine-request.ts";
import { nodeImage } from "../../src/testing/hosts/node-image.ts";
import { redisImage } from "../../src/testing/hosts/redis-image.ts";
import { startRegistry, type TestRegistry } from "../../src/testing/hosts/registry.ts";
import { freePorts } from "../../src/testing/ports.ts";
import { backplanes, ComposeProject, cacheImage, secret } from "./compose.fixture.ts";
import { containersOf, networksOf, volumesOf } from "./engine.fixture.ts";
import { outcome } from "./story.fixture.ts";

const patient = { timeout: 120_000, interval: 250 };
/** Of the previews, and of nobody else. */
const ownPassword = "a-password-for-previews";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

let engine: TestEngine;
let registry: TestRegistry;
let project: ComposeProject;
let remote: string;
let port: number;

beforeAll(async () => {
  [engine, registry] = await Promise.all([startEngine(), startRegistry()]);
  const redis = `${registry.host}/shop/redis:7`;
  await nodeImage(engine);
  await registry.take(engine, await redisImage(engine, redis));
  await engineRequest(engine, "POST", "/networks/create", {
    type: "application/json",
    content: JSON.stringify({ Name: backplanes.production }),
  });
  [port = 0] = await freePorts(1);
  remote = mkdtempSync(join(tmpdir(), "slipway-remote-"));
  execFileSync("git", ["init", "--quiet", "--bare", "--initial-branch=main", remote]);
  project = new ComposeProject(engine.url, { production: port, staging: port });
  project.write(".env.preview", `WEB_PORT=${port}\nCACHE_PASSWORD=${ownPassword}\n`);
  project.write("docker-compose.yml", project.read("docker-compose.yml").replace(cacheImage, redis));
  project.write("compose.preview.yml", overlay);
});

afterAll(async () => {
  await project?.slipway("down", "--all");
  project?.remove();
  if (remote !== undefined) rmSync(remote, { recursive: true, force: true });
  await registry?.down();
  await engine?.down();
});

/** What is otherwise in a preview: nothing is shared with production, neither a network nor a password. */
const overlay = `
services:
  api:
    env_file: !override [.env.preview]
    networks: !override { default: { aliases: [counter] } }
  cache: { networks: !override [default] }
`;

const config = (): Omit<ProductInput, "name"> => {
  const edge = { listen: `127.0.0.1:${port}` };
  return {
    target: { driver: "compose", hosts: [engine.url], project: "shop" },
    rollout: { bake: "200ms", drain: "1s" },
    environments: {
      production: { edge, services: { web: { routes: ["shop.test"] } } },
      preview: {
        edge,
        target: { file: ["docker-compose.yml", "compose.preview.yml"], envFile: ".env.preview" },
        previews: { host: "{name}.preview.test", limit: 1 },
      },
    },
    triggers: { remote, branches: { "feature/*": { deploy: "preview" } }, poll: "1s" },
  };
};

const git = (...args: readonly string[]) => execFileSync("git", args, { cwd: project.directory, stdio: "pipe" });

const push = (version: string): void => {
  project.commit(version, "good", config());
  git("push", "--quiet", remote, "HEAD");
};

/** Versions of web and of the api that it asked, and the visits that their own cache has counted. */
async function visit(host: string): Promise<string> {
  const [answer] = await once(get({ host: "127.0.0.1", port, path: "/", headers: { host }, agent: false }), "response");
  let text = "";
  for await (const chunk of answer.setEncoding("utf8")) text += chunk;
  return text.replace(" greeting=hello", "");
}

const previews = async () => (await project.ask<PreviewsView>("/v1/previews?product=shop")).previews;

/** Hosts of those that answer. */
async function hosts(): Promise<readonly string[]> {
  return (await previews()).flatMap(({ url }) => (url === null ? [] : [new URL(url).hostname]));
}

/** What the engine has of previews. */
async function found() {
  const containers = (await containersOf(engine)).filter(({ labels }) =>
    labels["slipway.environment"]?.startsWith("preview/"),
  );
  const isTheirs = (name: string) => name.includes("preview");
  return {
    running: containers.filter(({ state }) => state === "running").length,
    containers: containers.length,
    networks: (await networksOf(engine)).filter(isTheirs).map((name) => name.replace(/-rel_.*$/, "")),
    volumes: (await volumesOf(engine)).filter(isTheirs),
  };
}

it("a branch of a Compose file has a project of its own while it is there: asked, asleep, replaced, and gone without a rest", async () => {
  push("v1");
  const live = outcome(await project.slipway<DeploymentDetail>("deploy", "--env", "production", "--yes"));
  expect(live.deployment.phase, live.deployment.reason).toBe("succeeded");
  expect([await visit("shop.test"), await visit("shop.test")]).toEqual(["v1 v1 1", "v1 v1 2"]);
  expect((await project.slipway("triggers", "apply")).code).toBe(0);
  // The first look only remembers what is there.
  const polledAt = async () => (await project.ask<TriggersView>("/v1/triggers?product=shop&limit=1")).inForce?.polledAt;
  await expect.poll(polledAt, patient).toEqual(expect.any(Number));

  git("switch", "--quiet", "--create", "feature/cart");
  push("v2");
  await expect.poll(hosts, patient).toEqual([expect.stringMatching(/^feature-cart-.*\.preview\.test$/)]);
  const [cart = ""] = await hosts();
  const own = cart.replace(".preview.test", "");
  // Its own cache begins to count anew, behind a password that production's does not have.
  await expect.poll(() => visit(cart).catch(() => ""), patient).toBe("v2 v2 1");
  expect(await found()).toEqual({
    running: 4,
    containers: 4,
    networks: [`Slipway-shop-preview_${own}`, `shop.preview.${own}_default`],
    volumes: [`shop.preview.${own}_data`],
  });

  expect((await project.slipway("preview", "sleep", own)).code).toBe(0);
  await expect.poll(async () => (await found()).running, patient).toBe(0);
  expect(await Promise.all([visit(cart), visit(cart)])).toEqual([
    expect.stringMatching(/^v2 v2 \d$/),
    expect.stringMatching(/^v2 v2 \d$/),
  ]);

  // There is room for one: the next branch takes its place.
  git("switch", "--quiet", "--create", "feature/pay");
  push("v3");
  await expect.poll(hosts, patient).toEqual([expect.stringMatching(/^feature-pay-/)]);
  const [pay = ""] = await hosts();
  await expect.poll(() => visit(pay).catch(() => ""), patient).toBe("v3 v3 1");
  expect(await found()).toMatchObject({
    running: 4,
    volumes: [`shop.preview.${pay.replace(".preview.test", "")}_data`],
  });

  git("push", "--quiet", remote, "--delete", "feature/pay", "feature/cart");
  await expect.poll(previews, patient).toEqual([]);
  expect(await found()).toEqual({ running: 0, containers: 0, networks: [], volumes: [] });
  expect(await visit("shop.test")).toBe("v1 v1 3");
  expect(await volumesOf(engine)).toEqual(["shop_data"]);
  expect([project.holding(secret), project.holding(ownPassword)]).toEqual([[], []]);
});
