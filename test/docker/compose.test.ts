import { once } from "node:events";
import { get } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DeploymentDetail, PlanView } from "../../src/api/contract.ts";
import type { ProductInput } from "../../src/core/product/input.ts";
import { startEngine, type TestEngine } from "../../src/testing/hosts/engine.ts";
import { engineRequest } from "../../src/testing/hosts/engine-request.ts";
import { nodeImage } from "../../src/testing/hosts/node-image.ts";
import { redisImage } from "../../src/testing/hosts/redis-image.ts";
import { freePorts } from "../../src/testing/ports.ts";
import { Visitors } from "../fixture/visitors.ts";
import { backplanes, ComposeProject, cacheImage, hasCompose, secret } from "./compose.fixture.ts";
import { containersOf, type FoundContainer, networksOf } from "./engine.fixture.ts";

/** Each visit is three programs' work and, for a new connection, questions to the engine's DNS: a slow machine does fewer of them. */
const few = { atOnce: 10 } as const;

const canRun = hasCompose || process.env.CI !== undefined;

describe.skipIf(!canRun)("a Compose project that docker compose runs", { timeout: 240_000 }, () => {
  let engine: TestEngine;
  let project: ComposeProject;
  /** Where docker compose publishes web, where our edge listens, and where both do. */
  let ports: { before: number; edge: number; shared: number };
  let cache: FoundContainer & { readonly id: string };

  beforeAll(async () => {
    engine = await startEngine();
    await Promise.all([nodeImage(engine), redisImage(engine, cacheImage)]);
    for (const Name of Object.values(backplanes))
      await engineRequest(engine, "POST", "/networks/create", {
        type: "application/json",
        content: JSON.stringify({ Name }),
      });
    const [before = 0, edge = 0, shared = 0] = await freePorts(3);
    ports = { before, edge, shared };
    project = new ComposeProject(engine.url, { production: before, staging: shared });
    project.commit("v0", "good", configOf());
    project.compose("--project-name", "shop", "up", "--detach", "--build", "--quiet-pull");
    cache = await cacheNow();
  }, 180_000);

  afterAll(async () => {
    await project?.slipway("down", "--all");
    project?.remove();
    await engine?.down();
  });

  function configOf(bake: "1s" | "1m" = "1s"): Omit<ProductInput, "name"> {
    return {
      target: { driver: "compose", hosts: [engine.url], project: "shop" },
      rollout: { bake, drain: "2s", rules: { errorRatio: { margin: "5%", minimum: 10 } } },
      environments: {
        production: { edge: { listen: `127.0.0.1:${ports.edge}` } },
        staging: {
          edge: { listen: `127.0.0.1:${ports.shared}` },
          target: { project: "shop-staging", envFile: ".env.staging" },
          // Two projects and their visitors on one busy machine: a slow probe is not what is looked at here.
          rollout: { rules: { healthLost: false } },
        },
      },
    };
  }

  async function cacheNow(name = "shop-cache-1"): Promise<FoundContainer & { readonly id: string }> {
    const found = (await containersOf(engine)).find((each) => each.name === name);
    const { Id } = JSON.parse(await engineRequest(engine, "GET", `/containers/${name}/json`)) as { Id: string };
    if (found === undefined) throw new Error(`${name} is not there`);
    return { ...found, id: Id };
  }

  /** Version of web, version of api that it asked, visits in the cache, and the settings that were laid in. */
  async function visit(port: number) {
    const [response] = await once(get({ host: "127.0.0.1", port, path: "/", agent: false }), "response");
    let text = "";
    for await (const chunk of response.setEncoding("utf8")) text += chunk;
    const [web, api, visits, settings] = text.split(" ");
    return { web, api, visits: Number(visits), settings };
  }

  async function deploy(environment = "production"): Promise<DeploymentDetail & { readonly code: number | null }> {
    const { result, code, text } = await project.slipway<DeploymentDetail>("deploy", "--env", environment, "--yes");
    expect(result.phase, text).toBeDefined();
    return { ...result, code };
  }

  const running = async () =>
    (await containersOf(engine)).filter(({ state, name }) => state === "running" && !name.startsWith("shop-staging"));

  it("is planned with all that will happen to it, and what is otherwise", async () => {
    const { result } = await project.slipway<PlanView>("plan", "--env", "production");
    expect(result.steps).toEqual(
      expect.arrayContaining([
        "use shop-cache-1 of docker compose as it is: not stopped, not changed",
        "after the switch, stop shop-worker-1 of docker compose",
        expect.stringMatching(
          new RegExp(
            `^when the release has passed its bake, stop .*shop-web-1.*; until then port ${ports.before} answers`,
          ),
        ),
      ]),
    );
    expect(result.differences?.map(({ path }) => path)).toEqual(
      expect.arrayContaining(["services.web.ports[0]", "services.cache"]),
    );
    expect(JSON.stringify(result)).not.toContain(secret);
  });

  it("is taken over without a failed request, and what keeps data is not touched", async () => {
    const first = await visit(ports.before);
    expect(first).toMatchObject({ web: "v0", api: "v0", settings: "greeting=hello" });
    project.commit("v1");
    const visitors = new Visitors(ports.before, few);
    const deploying = deploy();
    deploying.catch(() => {}); // told when it is awaited
    // Until the new release has all traffic: then those who know the old port have been sent to the new one.
    await expect
      .poll(
        () =>
          visit(ports.edge).then(
            ({ web }) => web,
            () => "",
          ),
        { timeout: 180_000 },
      )
      .toBe("v1");
    await visitors.leave();
    expect(visitors.failures).toEqual([]);
    expect(visitors.answered).toBeGreaterThan(10);
    const { phase, reason } = await deploying;
    expect(phase, reason).toBe("succeeded");
    const now = await visit(ports.edge);
    expect(now).toMatchObject({ web: "v1", api: "v1", settings: "greeting=hello" });
    expect(now.visits).toBeGreaterThan(first.visits);
    expect(await cacheNow()).toEqual(cache);
    const byCompose = (await running()).filter(({ labels }) => labels["com.docker.compose.project"] !== undefined);
    expect(byCompose.map(({ name }) => name)).toEqual(["shop-cache-1"]);
  });

  it("brings the next version without a failed request, each web with the api of its own release", async () => {
    project.commit("v2");
    const visitors = new Visitors(ports.edge, few);
    const mixed: string[] = [];
    const deploying = deploy();
    const ended = { yet: false };
    deploying
      .catch(() => {}) // told when it is awaited
      .finally(() => {
        ended.yet = true;
      });
    while (!ended.yet) {
      const { web, api } = await visit(ports.edge);
      if (web !== api) mixed.push(`${web} asked ${api}`);
    }
    const { phase, reason } = await deploying;
    await visitors.leave();
    expect(phase, reason).toBe("succeeded");
    expect([visitors.failures, mixed]).toEqual([[], []]);
    expect([...visitors.versions.keys()].toSorted()).toEqual(["v1", "v2"]);
    expect(await cacheNow()).toEqual(cache);
  });

  it("takes a bad version back by itself", async () => {
    // As long as it takes until enough have come: it is taken back before.
    project.commit("v3", "errors", configOf("1m"));
    const visitors = new Visitors(ports.edge, few);
    const { phase, code, reason, failure } = await deploy();
    await visitors.leave();
    expect([phase, code], JSON.stringify([reason, failure])).toEqual(["rolled-back", 3]);
    expect(await visit(ports.edge)).toMatchObject({ web: "v2", api: "v2" });
    expect(await cacheNow()).toEqual(cache);
    // One network for the release that is live, one for the one before, and what docker compose made.
    const own = (await networksOf(engine)).filter((name) => name.startsWith("Slipway-shop-production"));
    expect(own.length).toBeLessThanOrEqual(2);
    const volumes = JSON.parse(await engineRequest(engine, "GET", "/volumes")) as { Volumes: { Name: string }[] };
    expect(volumes.Volumes.map(({ Name }) => Name)).toEqual(["shop_data"]);
  });

  it("keeps what is not in git sealed, and sees that it has changed", async () => {
    expect(project.holding(secret)).toEqual([]);
    const planned = async () => (await project.slipway<PlanView>("plan", "--env", "production")).result.release;
    const made = await planned();
    expect(made.id).not.toBeNull();
    const before = project.read(".env");
    project.write(".env", `${before}EXTRA=1\n`);
    expect(await planned()).toMatchObject({ id: null, number: made.number + 1 });
    project.write(".env", before);
    expect(await planned()).toEqual(made);
  });

  it("gives the very port of docker compose to the edge, with no more than a moment between", async () => {
    project.commit("v4", "good", configOf());
    project.compose(
      ...["--project-name", "shop-staging", "--env-file", ".env.staging", "up", "--detach", "--build", "--quiet-pull"],
    );
    const { result } = await project.slipway<PlanView>("plan", "--env", "staging");
    expect(result.warnings.join("\n")).toContain(
      `shop-staging-web-1 of docker compose has port ${ports.shared}, which the edge is to listen on`,
    );
    const stateful = await cacheNow("shop-staging-cache-1");
    const visitors = new Visitors(ports.shared, few);
    const { phase, reason, failure } = await deploy("staging");
    await visitors.leave();
    expect(phase, JSON.stringify([reason, failure?.evidence, visitors.reasons])).toBe("succeeded");
    // Seen: 2 of 5,045 at 200 requests a second, both under way at that moment.
    expect(visitors.failures.filter((each) => !/ECONNREFUSED|ECONNRESET|hang up/.test(each))).toEqual([]);
    expect(visitors.failures.length).toBeLessThan(visitors.answered);
    expect(await visit(ports.shared)).toMatchObject({ web: "v4", api: "v4" });
    expect(await cacheNow("shop-staging-cache-1")).toEqual(stateful);
  });

  it("ends with down --all what is ours, and nothing of docker compose's", async () => {
    expect((await project.slipway("down", "--all")).code).toBe(0);
    const left = (await containersOf(engine)).filter(({ state }) => state === "running").map(({ name }) => name);
    expect(left.toSorted()).toEqual(["shop-cache-1", "shop-staging-cache-1"]);
    expect(await cacheNow()).toEqual(cache);
    expect(await networksOf(engine)).toEqual(expect.arrayContaining(Object.values(backplanes)));
  });

  it("says what is wrong with a Compose file, all at once and where", async () => {
    const good = project.read("docker-compose.yml");
    project.write(
      "docker-compose.yml",
      good
        .replace("stop_grace_period: 5s\n    x-slipway", "stop_grace_period: soon\n    x-slipway")
        .replace("worker:\n", "worker:\n    privileged: true\n")
        .replace("interval: 2s }", "intervall: 2s }"),
    );
    const { code, text } = await project.run("validate");
    project.write("docker-compose.yml", good);
    expect(code).toBe(2);
    expect(text).toMatch(/docker-compose\.yml services\.web\.stop_grace_period +"soon" does not fit here/);
    expect(text).toMatch(/docker-compose\.yml services\.cache\.healthcheck\.intervall +unknown key/);
  });
});
