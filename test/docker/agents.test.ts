import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startEngine, type TestEngine } from "../../src/testing/hosts/engine.ts";
import { engineRequest } from "../../src/testing/hosts/engine-request.ts";
import { nodeImage } from "../../src/testing/hosts/node-image.ts";
import { redisImage } from "../../src/testing/hosts/redis-image.ts";
import { freePorts } from "../../src/testing/ports.ts";
import { Agents } from "../fixture/agent.ts";
import { type Plane, startPlane, tearDown } from "../fixture/plane.ts";
import { beginRun, hasEnded, logOf, makeRepository, type Repository, runWhen, stepOf } from "../fixture/repository.ts";
import { containersOf, imagesOf, networksOf, volumesOf } from "./engine.fixture.ts";
import { image, integrationFiles, redis } from "./integration.fixture.ts";

let engine: TestEngine;
let repository: Repository;
let plane: Plane;
let port = 0;
const room = mkdtempSync(join(tmpdir(), "slipway-agents-docker-"));
const agents = new Agents(room, () => port);
const secret = "correct-horse-battery";

/** Says what it sees, asks the Redis beside it, and waits for a file in its checkout. */
const looks = `const fs = require("node:fs");
  const socket = require("node:net").connect(6379, "cache");
  socket.write("SET greeting hello\\r\\nGET greeting\\r\\n");
  let text = "";
  socket.on("data", (data) => {
    text += data;
    if (!text.includes("hello")) return;
    socket.destroy();
    console.log("the token is " + process.env.TOKEN);
    fs.writeFileSync("begun", "");
    const timer = setInterval(() => {
      if (!fs.existsSync("go")) return;
      clearInterval(timer);
      fs.writeFileSync("seen.json", JSON.stringify({
        made: fs.readFileSync("made.txt", "utf8"), at: process.cwd(), home: process.env.HOME, outside: fs.existsSync(${JSON.stringify(room)}),
      }));
    }, 20);
  });`;

beforeAll(async () => {
  engine = await startEngine();
  await Promise.all([nodeImage(engine), redisImage(engine, redis)]);
  [port = 0] = await freePorts(1);
  repository = await makeRepository();
  plane = await startPlane(repository);
  const away = { image, runsOn: ["linux"] };
  repository.write(
    {
      steps: {
        make: { shell: "echo made-here > made.txt" },
        looks: {
          ...away,
          command: ["node", "look.js"],
          needs: ["make"],
          beside: ["cache"],
          secrets: ["TOKEN"],
          outputs: ["seen.json"],
        },
        back: { shell: "cat seen.json", needs: ["looks"] },
        fails: { ...away, command: ["node", "-e", "process.exit(7)"], beside: ["cache"] },
      },
    },
    { "look.js": looks },
    {
      accessories: { cache: { image: redis, port: 6379 } },
      triggers: { repository: "acme/probe", webhook: { forge: "github", listen: `127.0.0.1:${port}` } },
    },
  );
  await plane.client.post("/v1/triggers", { product: "probe", repository: repository.directory, actor: "test" });
  const named = { product: "probe", environment: "pipeline", name: "TOKEN", value: secret, actor: "test", reason: "" };
  await plane.client.post("/v1/secrets", named);
});
afterAll(async () => {
  await agents.stopAll();
  await tearDown(repository, plane);
  await engine?.down();
  rmSync(room, { recursive: true, force: true });
});

/** The checkout of an agent's step, once what is in it has begun, as a file of it says. */
async function begunAt(agent: string, file = "begun"): Promise<string> {
  const jobs = join(room, agent, "jobs");
  for (;;) {
    for (const job of existsSync(jobs) ? readdirSync(jobs) : [])
      if (existsSync(join(jobs, job, "source", file))) return join(jobs, job, "source");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe("a step with an image on another machine", () => {
  it("waits for an agent with an engine, runs in a container there, and is taken over when that agent dies", async () => {
    const without = agents.start("without", { token: await agents.tokenOf(plane, "without") });
    await agents.saying(without, /waits for steps/);
    const run = await beginRun(plane, repository, { steps: ["back"] });
    const waits = "waits for an agent with linux, a container engine; there are without (linux)";
    await runWhen(plane, run, (detail) =>
      detail.steps.some(({ id, lastLine }) => id === "looks" && lastLine === waits),
    );

    const more = ["--engine", engine.url];
    const dies = agents.start("dies", { token: await agents.tokenOf(plane, "dies"), more });
    await begunAt("dies");
    const step = (await containersOf(engine)).filter(({ name }) => /^slipway-agent-[0-9a-f]+$/.test(name));
    expect(step).toHaveLength(1);
    const inspected = await engineRequest(engine, "GET", `/containers/${step[0]?.id}/json`);
    expect(inspected).not.toContain(secret);
    expect(JSON.parse(inspected).HostConfig).toMatchObject({
      ...{ Memory: 2_000_000_000, CpuShares: 102, OomScoreAdj: 500, Privileged: false, CapDrop: ["ALL"] },
    });
    dies.kill("SIGKILL");
    // All of it ends with its agent, while its lease still holds.
    while ((await containersOf(engine)).length > 0) await new Promise((resolve) => setTimeout(resolve, 50));
    const other = agents.start("other", { token: await agents.tokenOf(plane, "other"), more });
    writeFileSync(join(await begunAt("other"), "go"), "");
    const ended = await runWhen(plane, run, hasEnded);
    expect(stepOf(ended, "looks")).toMatchObject({ phase: "passed", reason: "in attempt 2" });
    expect(JSON.parse(await logOf(plane, run, "back"))).toEqual({
      ...{ made: "made-here\n", at: "/workspace", home: "/tmp", outside: false },
    });
    const log = await logOf(plane, run, "looks");
    expect(log).toContain("the token is ***");
    expect(log).not.toContain(secret);
    await agents.stop(other);

    // Nothing of any is left.
    const again = agents.start("dies", { token: join(room, "token-dies"), more });
    await agents.saying(again, /waits for steps/);
    expect(await containersOf(engine)).toEqual([]);
    expect(await networksOf(engine)).toEqual([]);
    await agents.stop(again);
  });

  it("shows the log of what ran beside it when it fails, and an agent whose engine is away gets none", async () => {
    const gone = ["--engine", `unix://${join(room, "absent.sock")}`];
    const away = agents.start("away", { token: await agents.tokenOf(plane, "away"), more: gone });
    await agents.saying(away, /does not answer, so no step with an image is run/);
    const run = await beginRun(plane, repository, { steps: ["fails"] });
    const one = agents.start("one", { token: await agents.tokenOf(plane, "one"), more: ["--engine", engine.url] });
    const { reason } = stepOf(await runWhen(plane, run, hasEnded), "fails");
    expect(reason).toContain("exit code 7");
    expect(await logOf(plane, run, "fails")).toMatch(/── cache\n[\s\S]*Ready to accept connections/);
    expect(agents.saidBy(away)).not.toContain("begins");
    await agents.stop(one);
  });
});

/** What `tests` asks is asked when a file of the checkout says so; of a run that is to fail at once. */
const waits = `const fs = require("node:fs");
  fs.writeFileSync("/out/begun", "");
  const timer = setInterval(() => {
    if (process.env.CODE === "0" && !fs.existsSync("/checkout/go")) return;
    clearInterval(timer);
    ${integrationFiles["hear.js"]}
  }, 20);`;

async function nothingLeft(): Promise<void> {
  const all = async () => [
    ...(await containersOf(engine)).map(({ name }) => name),
    ...(await networksOf(engine)),
    ...(await volumesOf(engine)),
    ...(await imagesOf(engine, "slipway-step/")),
  ];
  await expect.poll(all, { timeout: 60_000, interval: 100 }).toEqual([]);
}

describe("an integration step with a Compose file on another machine", () => {
  it("is brought up there with what it builds and mounts, thrown away when its agent is killed, and taken over", async () => {
    const own = { secrets: ["TOKEN"], runsOn: ["linux"] };
    repository.write(
      {
        steps: {
          integration: { ...own, env: { CODE: "0" }, outputs: ["out/heard"] },
          back: { shell: "cat out/heard", needs: ["integration"] },
          fails: { ...own, compose: { exitCodeFrom: "tests" }, env: { CODE: "4" } },
        },
      },
      { ...integrationFiles, "hear.js": waits },
    );
    const more = ["--engine", engine.url];
    const killed = agents.start("killed", { token: await agents.tokenOf(plane, "killed"), more });
    const run = await beginRun(plane, repository, { steps: ["back"] });
    await begunAt("killed", "out/begun");
    // A network for each that the file has, its volume, and what was built.
    expect((await containersOf(engine)).filter(({ state }) => state === "running")).toHaveLength(3);
    expect([(await networksOf(engine)).length, (await volumesOf(engine)).length]).toEqual([2, 1]);
    expect(await imagesOf(engine, "slipway-step/fill")).toHaveLength(1);
    killed.kill("SIGKILL");
    await nothingLeft();

    const next = agents.start("next", { token: await agents.tokenOf(plane, "next"), more });
    writeFileSync(join(await begunAt("next", "out/begun"), "go"), "");
    const ended = await runWhen(plane, run, hasEnded);
    expect(stepOf(ended, "integration")).toMatchObject({ phase: "passed", reason: "in attempt 2" });
    expect(await logOf(plane, run, "integration")).toContain("heard hello ***\n");
    expect(await logOf(plane, run, "back")).toContain("hello");
    await nothingLeft();

    const failing = await beginRun(plane, repository, { steps: ["fails"] });
    expect(stepOf(await runWhen(plane, failing, hasEnded), "fails").reason).toContain("exit code 4");
    const log = await logOf(plane, failing, "fails");
    expect(log).toMatch(/^heard hello \*\*\*\n/);
    expect(log).toMatch(/\n── cache\n[\s\S]*Ready to accept connections/);
    expect(log).toContain("\n── fill\nfilling\n");
    expect(log).toContain("\n── slow\nslow is up\n");
    expect(log).not.toContain(secret);
    await nothingLeft();
    await agents.stop(next);
  });
});
