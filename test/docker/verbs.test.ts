import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AccessoryView, DeploymentDetail, PlanView, StatusView } from "../../src/api/contract.ts";
import type { AccessoryInput, ServiceInput } from "../../src/core/product/input.ts";
import { spawnOnTerminal } from "../../src/lib/terminal.ts";
import { startEngine, type TestEngine } from "../../src/testing/hosts/engine.ts";
import { engineRequest } from "../../src/testing/hosts/engine-request.ts";
import { nodeImage } from "../../src/testing/hosts/node-image.ts";
import { redisImage } from "../../src/testing/hosts/redis-image.ts";
import { startRegistry, type TestRegistry } from "../../src/testing/hosts/registry.ts";
import { sampleImage } from "../../src/testing/hosts/sample-image.ts";
import { freePorts } from "../../src/testing/ports.ts";
import { containersOf } from "./engine.fixture.ts";
import { ContainerProduct, web, worker } from "./product.fixture.ts";
import { outcome, type Scene, status } from "./story.fixture.ts";

const program = fileURLToPath(new URL("../../bin/slipway.js", import.meta.url));

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
    const repository = `${registry.host}/tools/store`;
    await registry.take(engine, await sampleImage(engine, { version: "1", repository }));
    const sick = { version: "sick", repository, healthcheck: true, behaviour: { is: "never-healthy" } } as const;
    await registry.take(engine, await sampleImage(engine, sick));
    await registry.take(engine, await sampleImage(engine, { version: "root", repository, user: null }));
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
    // Also what is of releases that the state does not know any more.
    expect((await product?.slipway("down", "--all"))?.text).toContain('"stopped":true');
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

  /** When the engine has started what runs of a service; 0 where nothing does. */
  async function startOf(service: string): Promise<number> {
    const running = (await containersOf(engine)).find(
      ({ state, labels }) => state === "running" && labels["slipway.service"] === service,
    );
    if (running === undefined) return 0;
    const seen = JSON.parse(await engineRequest(engine, "GET", `/containers/${running.name}/json`)) as {
      State: { StartedAt: string };
    };
    return Date.parse(seen.State.StartedAt);
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
  }, 180_000);

  it("one that does not become well gives way to the one before it", async () => {
    const [before] = await caches();
    await deploy("v3", { ...cache, command: ["redis-server", "--no-such-option"] });
    const failed = await product.slipway("accessory", "replace", "cache", "-e", "production");
    expect(failed).toMatchObject({ code: 3, result: { event: "restored", code: "ACCESSORY_RESTORED" } });
    expect(JSON.stringify(failed.result)).toMatch(/crash-looping|exit code 1/);
    expect(await caches()).toEqual([{ ...before, state: "running" }]);
    expect((await accessory())?.differs).not.toEqual([]);
    const history = await product.slipway<{ events: { event: string; actor: string; reason: string }[] }>("history");
    expect(history.result.events.map(({ event }) => event)).toEqual(["accessory.restored", "accessory.replaced"]);
    expect(history.result.events[1]?.reason).toContain("(TZ)");
  }, 180_000);

  it("is started as it was after everything was stopped, and restarted on request", async () => {
    const [before] = await caches();
    await product.slipway("down", "--all");
    expect(await caches()).toMatchObject([{ name: before?.name, state: "exited" }]);
    await product.slipway("up");
    await expect.poll(async () => (await accessory())?.state, { timeout: 20_000 }).toBe("running");
    // What needs it starts when it is well, so not before it has lived for two seconds.
    await expect.poll(() => startOf("web"), { timeout: 60_000 }).toBeGreaterThan(0);
    expect((await startOf("web")) - (await startOf("cache"))).toBeGreaterThanOrEqual(2_000);
    const restarted = await product.slipway("accessory", "restart", "cache", "-e", "production");
    expect(restarted, product.log()).toMatchObject({ code: 0, result: { event: "restarted" } });
    expect(await caches()).toMatchObject([{ name: before?.name, state: "running" }]);
    const unknown = await product.slipway<{ error: { code: string } }>("accessory", "restart", "x", "-e", "production");
    expect([unknown.code, unknown.result.error.code]).toEqual([2, "UNKNOWN_ACCESSORY"]);
  }, 180_000);

  it("runs a command in a fresh instance: output, input, exit code, history, and nothing is left of it", async () => {
    const code =
      'process.stdin.on("data", (word) => { console.log(process.env.SLIPWAY_REVISION, process.env.COLOUR, String(word).trim()); process.exit(4); })';
    const one = byHand(
      "exec",
      "--fresh",
      "-i",
      ...production,
      "-s",
      "web",
      "--reason",
      "try",
      "--",
      "node",
      "-e",
      code,
    );
    one.child.stdin?.end("blue\n");
    expect(await one.ended).toMatchObject({
      code: 4,
      stdout: expect.stringMatching(/^cmd_[0-9a-f]+ undefined blue\n$/),
    });
    const there = byHand("exec", ...production, "-s", "web", "--", "node", "-p", "1 + 1");
    expect(await there.ended).toMatchObject({ code: 0, stdout: "2\n" });
    const missing = byHand("exec", "--fresh", ...production, "-s", "web", "--", "there-is-no-such-program");
    expect((await missing.ended).code).toBe(127);

    // Who goes away takes it along, also when the control plane is killed meanwhile.
    const long = [
      "exec",
      "--fresh",
      ...production,
      "-s",
      "web",
      "--",
      "node",
      "-e",
      "console.log(1); setInterval(() => {}, 1000)",
    ];
    const left = byHand(...long);
    await left.saysSomething;
    expect(await fresh()).toHaveLength(1);
    left.child.kill("SIGKILL");
    await expect.poll(fresh, { timeout: 20_000 }).toEqual([]);
    const orphan = byHand(...long);
    await orphan.saysSomething;
    product.killControlPlane();
    expect((await orphan.ended).code).toBe(1);
    expect((await product.slipway("up")).code).toBe(0);
    await expect.poll(fresh, { timeout: 20_000 }).toEqual([]);

    const { result } = await product.slipway<{ events: { event: string; reason: string }[] }>("history", "-n", "50");
    const told = result.events
      .filter(({ event }) => event.startsWith("run."))
      .map(({ event, reason }) => `${event} ${reason}`);
    expect(told).toContainEqual(expect.stringMatching(/^run\.began web: node -e .* \(try\)$/));
    expect(told).toContainEqual(expect.stringMatching(/^run\.ended exit code 4 after [\d.]+ s: web: node/));
  }, 180_000);

  it("a release has the secrets of its day: told by name, brought back by a rollback, and nowhere in clear", async () => {
    const [first, second] = ["hunter2-first ☂", "hunter2-second"];
    const set = async (value: string) => {
      const one = byHand("secret", "set", "COLOUR", ...production, "--reason", "rotated");
      one.child.stdin?.end(`${value}\n`);
      return (await one.ended).code;
    };
    const colourOf = async (...args: readonly string[]) =>
      (
        await byHand("exec", "--fresh", ...production, "-s", "web", ...args, "--", "node", "-p", "process.env.COLOUR")
          .ended
      ).stdout;
    product.commit("v4", "good", { services: withSecret });
    const releases = async () => (await product.slipway<{ releases: unknown[] }>("releases")).result.releases.length;
    const before = await releases();
    const dry = await product.slipway<PlanView>("deploy", ...production, "--dry-run");
    expect(dry.result.blocked, dry.text).toContainEqual(expect.stringContaining("slipway secret set COLOUR"));
    expect(await releases()).toBe(before);
    const unset = await product.slipway<{ error: { code: string } }>("deploy", ...production, "--yes");
    expect([unset.code, unset.result.error?.code], unset.text).toEqual([2, "SECRET_MISSING"]);
    expect(await set(first)).toBe(0);
    expect((await product.slipway<DeploymentDetail>("deploy", ...production, "--yes")).result.phase).toBe("succeeded");
    expect(await colourOf()).toBe(`${first}\n`);

    // Another value is another release of the same commit; the same value again is none.
    expect(await set(first)).toBe(0);
    expect((await product.slipway<PlanView>("plan", ...production)).result.steps[0]).toContain("nothing");
    expect(await set(second)).toBe(0);
    const planned = await product.slipway<PlanView>("plan", ...production);
    expect(planned.result.services.find(({ name }) => name === "web")?.config).toEqual(["secrets.COLOUR changed"]);
    expect((await product.slipway<DeploymentDetail>("deploy", ...production, "--yes")).result.phase).toBe("succeeded");
    expect(await colourOf()).toBe(`${second}\n`);
    expect((await product.slipway<DeploymentDetail>("rollback", "production")).result.phase).toBe("succeeded");
    expect(await colourOf()).toBe(`${first}\n`);
    const list = await product.slipway<{ secrets: { version: number; pending: boolean }[] }>("secret", "list");
    expect(list.result.secrets).toMatchObject([{ name: "COLOUR", version: 2, usedBy: ["web"], pending: true }]);

    expect(statSync(product.state("secrets.key")).mode & 0o777).toBe(0o600);
    const said = [planned.text, list.text, (await product.slipway("history", "-n", "90")).text, product.log()].join();
    await product.slipway("state", "backup", product.state("copy.db"));
    for (const text of [said, readFileSync(product.state("copy.db"), "latin1")]) expect(text).not.toContain("hunter2");
  }, 180_000);

  it("of a state that was lost, or is an older copy, the next release is really the one that is live", async () => {
    const copy = product.state("older.db");
    expect((await product.slipway("state", "backup", copy)).code).toBe(0);
    const highest = async () => {
      const all = (await containersOf(engine)).map(
        ({ labels }) => /-r(\d+)$/.exec(labels["slipway.revision"] ?? "")?.[1],
      );
      return Math.max(...all.map((number) => Number(number ?? 0)));
    };
    const nextIsLive = async (version: string) => {
      const before = await highest();
      await deploy(version);
      const { live, url } = await status(scene);
      expect(live?.number, product.log()).toBe(before + 1);
      expect((await fetch(new URL("/hello", url ?? ""))).headers.get("x-version")).toBe(version);
      const { result } = await product.slipway<{ checks: { name: string; says: string }[] }>("doctor");
      const target = result.checks.find(({ name }) => name === "target docker");
      expect(target?.says).toContain("of releases that this state does not know");
    };
    await product.slipway("down");
    for (const end of ["", "-wal", "-shm"]) rmSync(product.state(`state.db${end}`), { force: true });
    await nextIsLive("v20");
    await product.slipway("down");
    expect((await product.slipway("state", "restore", copy)).code).toBe(0);
    await nextIsLive("v21");
  });

  it("gives a command a terminal of the right size, and passes Ctrl-C on", async () => {
    const says = `const say = () => process.stdout.write(process.stdout.isTTY + " " + process.stdout.columns + "\\n");
      process.on("SIGINT", () => process.exit(9)); process.stdout.on("resize", say); setInterval(() => {}, 1000); say()`;
    for (const verb of [["exec"], ["exec", "--fresh"]]) {
      const command = [process.execPath, program, ...verb, "-it", ...production, "-s", "web", "--", "node", "-e", says];
      const child = spawnOnTerminal(command, {
        size: { columns: 93, rows: 20 },
        cwd: product.directory,
        env: { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "" },
      });
      let screen = "";
      child.stdout?.setEncoding("utf8").on("data", (text: string) => {
        const before = screen;
        screen += text;
        if (!before.includes("true 93") && screen.includes("true 93")) child.stdin?.write("\u0003");
      });
      const exit = await new Promise((resolve) => child.once("close", resolve));
      expect([exit, screen], screen).toEqual([9, expect.stringContaining("true 93")]);
    }
    await expect.poll(fresh, { timeout: 20_000 }).toEqual([]);
  }, 180_000);

  describe("what services need is well before they start", () => {
    let pantry: ContainerProduct;
    const store = (more: AccessoryInput = {}): AccessoryInput => ({ image: `${registry.host}/tools/store:1`, ...more });
    /** Lives only with the store. */
    const reader: ServiceInput = {
      ...worker,
      needs: [],
      command: [
        ...["node", "-e"],
        `require("net").connect(3000, "store").on("connect", () => setInterval(() => {}, 1_000)).on("error", (error) => { throw error; })`,
      ],
    };

    beforeAll(async () => {
      const [port = 0] = await freePorts(1);
      pantry = new ContainerProduct({
        name: "pantry",
        services: { web: { ...web, instances: 1 }, worker: reader },
        target: { driver: "docker", hosts: [engine.url] },
        rollout: { bake: "0s", drain: "1s" },
        environments: { production: { edge: { listen: `127.0.0.1:${port}` } } },
      });
    });

    afterAll(async () => {
      await pantry?.slipway("down", "--all");
      pantry?.remove();
    });

    async function deployWith(accessory: AccessoryInput, services: Record<string, ServiceInput> = {}) {
      pantry.commit("v1", "good", { accessories: { store: accessory }, services });
      return outcome(await pantry.slipway<DeploymentDetail>("deploy", "--env", "production", "--yes"));
    }

    const awaited = async () => {
      const { environments } = await pantry.ask<StatusView>("/v1/status");
      const under = environments.find(({ deployment }) => deployment !== null)?.deployment ?? null;
      if (under === null) return null;
      return (await pantry.ask<DeploymentDetail>(`/v1/deployments/${under.id}`)).awaits[0] ?? null;
    };

    const here = async () =>
      (await containersOf(engine)).filter(({ labels }) => labels["slipway.product"] === "pantry");

    it.each<[string, () => AccessoryInput, { code: string; message: RegExp; evidence: RegExp }]>([
      [
        "exits",
        () => store({ command: ["node", "-e", "console.error('no data directory'); process.exit(3)"] }),
        {
          code: "CRASH_LOOP",
          message: /accessory store exits again and again/,
          evidence: /exit code 3.* log no data directory/,
        },
      ],
      [
        "is refused by its image's own HEALTHCHECK",
        () => store({ image: `${registry.host}/tools/store:sick`, port: 3_000 }),
        {
          code: "PROBE_DEADLINE",
          message: /store is unhealthy by its image's own/,
          evidence: /last probe .*HEALTHCHECK -> unhealthy/,
        },
      ],
      [
        "does not take connections",
        () =>
          store({ port: 3_000, command: ["node", "-e", "setInterval(() => {}, 1_000)"], health: { deadline: "3s" } }),
        {
          code: "PROBE_DEADLINE",
          message: /store was not well within 3s/,
          evidence: /last probe connection to \S+:\d+ -> .*, for 3s/,
        },
      ],
    ])("one that %s fails the first deployment in its own words, and is gone with it", async (_, accessory, says) => {
      const { code, deployment } = await deployWith(accessory());
      const failure = deployment.failure;
      expect([code, deployment.phase, failure?.code], pantry.log()).toEqual([1, "failed", says.code]);
      expect(failure?.message).toMatch(says.message);
      expect(failure?.evidence.map((each) => each.join(" ")).join(" ")).toMatch(says.evidence);
      expect(await here()).toEqual([]);
    });

    it("one that takes its time is waited for, and one that is live is kept when its check fails", async () => {
      const slow = "setTimeout(() => require('http').createServer((_, to) => to.end()).listen(3000), 4_000)";
      const command = ["node", "-e", slow];
      const check = ["node", "-e", "fetch('http://127.0.0.1:3000')"];
      const deploying = deployWith(store({ port: 3_000, command, health: { command: check } }));
      deploying.catch(() => {}); // told when it is awaited
      // Who looks on is told for what it waits, and what is seen of it.
      await expect.poll(awaited, { timeout: 60_000 }).toEqual({
        what: "the accessory store",
        seen: expect.stringMatching(/^last probe: connection to \S+ -> /),
      });
      const first = await deploying;
      expect(first.deployment.phase, first.deployment.reason).toBe("succeeded");
      expect(JSON.stringify(first.deployment.history)).not.toContain("as root");
      const before = await here();
      const [reads] = before.filter(({ labels }) => labels["slipway.service"] === "worker");
      const seen = await engineRequest(engine, "GET", `/containers/${reads?.name}/json`);
      expect((JSON.parse(seen) as { RestartCount: number }).RestartCount).toBe(0);

      const failing = ["sh", "-c", "echo no table >&2; exit 2"];
      const second = await deployWith(store({ port: 3_000, command, health: { command: failing, deadline: "2s" } }));
      expect(second.deployment.failure).toMatchObject({
        code: "PROBE_DEADLINE",
        evidence: expect.arrayContaining([
          ["last probe", "sh -c echo no table >&2; exit 2 -> exit code 2: no table, for 2s"],
        ]),
        hint: expect.stringContaining("slipway accessory replace store -e production"),
      });
      expect((await here()).map(({ name }) => name)).toEqual(before.map(({ name }) => name));
    });

    it("whoever runs as root is told of in the plan and in the deployment, with how to refuse it", async () => {
      const image = `${registry.host}/tools/store:root`;
      const rooted = (container: ServiceInput["container"] = {}) => ({
        rooted: { ...worker, needs: [], image, container },
      });
      const warns = /^(started; )?rooted runs as root: .*container.rootUser: "refuse" would refuse it/;
      const { deployment } = await deployWith(store({ health: false }), rooted());
      expect(deployment.phase, deployment.reason).toBe("succeeded");
      expect(deployment.history.map(({ reason }) => reason)).toContainEqual(expect.stringMatching(warns));
      const told = await pantry.slipway<PlanView>("plan", "--env", "production");
      expect(told.result.warnings).toContainEqual(expect.stringMatching(warns));

      const refused = await deployWith(store({ health: false }), rooted({ rootUser: "refuse" }));
      expect(refused.deployment.failure).toMatchObject({ code: "ROOT_REFUSED" });
      const blocked = await pantry.slipway<PlanView>("plan", "--env", "production");
      expect(blocked.result.blocked).toContainEqual(expect.stringMatching(/^rooted would run as root/));
    });
  });

  const withSecret = { web: { ...web, secrets: ["COLOUR"] }, worker };
  const production = ["-e", "production"];
  const fresh = async () => (await containersOf(engine)).filter(({ name }) => name.startsWith("cmd_"));

  function byHand(...args: readonly string[]) {
    const child = spawn(process.execPath, [program, ...args], {
      cwd: product.directory,
      stdio: ["pipe", "pipe", "pipe"],
    });
    const printed = { stdout: "", stderr: "" };
    const saysSomething = once(child.stdout, "data");
    child.stdout.setEncoding("utf8").on("data", (text: string) => (printed.stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (printed.stderr += text));
    const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) =>
      child.once("close", (code) => resolve({ code, ...printed })),
    );
    return { child, ended, saysSomething };
  }
});
