import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startEngine, type TestEngine } from "../../src/testing/hosts/engine.ts";
import { engineRequest } from "../../src/testing/hosts/engine-request.ts";
import { nodeImage } from "../../src/testing/hosts/node-image.ts";
import { redisImage } from "../../src/testing/hosts/redis-image.ts";
import { type Plane, startPlane, tearDown } from "../fixture/plane.ts";
import {
  beginRun,
  hasEnded,
  logOf,
  makeRepository,
  phasesOf,
  type Repository,
  runToEnd,
  runWhen,
  stepOf,
} from "../fixture/repository.ts";
import { containersOf, imagesOf, networksOf, volumesOf } from "./engine.fixture.ts";
import { image, integrationFiles, redis } from "./integration.fixture.ts";

let engine: TestEngine;
let repository: Repository;
let plane: Plane;

beforeAll(async () => {
  engine = await startEngine();
  await Promise.all([nodeImage(engine), redisImage(engine, redis)]);
  repository = await makeRepository();
  plane = await startPlane(repository);
});
afterAll(async () => {
  await tearDown(repository, plane);
  await engine?.down();
});

function write(steps: object, files: Readonly<Record<string, string>> = {}): void {
  const accessories = {
    cache: { image: redis, port: 6379 },
    // It can be seen to run.
    broken: { image, command: ["sh", "-c", "echo no licence found; sleep 0.2; exit 3"] },
    brief: { image, command: ["sh", "-c", "sleep 2; exit 4"] },
    slow: {
      image,
      command: ["node", "-e", "setTimeout(() => require('node:net').createServer().listen(80), 3000)"],
      port: 80,
    },
  };
  repository.write({ steps, engine: engine.url }, files, { accessories });
}

/** What the look finds, as soon as it finds something; rejects when the run has ended before, with its reason. */
async function whileRuns<T>(run: string, look: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (let looks = 1; ; looks++) {
    const found = await look();
    if (found !== undefined) return found;
    const { endedAt, reason, steps } = await runWhen(plane, run, () => true);
    if (endedAt !== null) throw new Error(`${run} ended after ${looks} looks: ${reason}\n${JSON.stringify(steps)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A file of a run's checkout, when a step has written it. */
function said(run: string, file: string): Promise<string> {
  const path = join(repository.directory, ".slipway", "runs", run, "source", file);
  return whileRuns(run, () => (existsSync(path) && readFileSync(path, "utf8").trim()) || undefined);
}

async function expectNothingLeft(): Promise<void> {
  expect(await containersOf(engine)).toEqual([]);
  expect(await networksOf(engine)).toEqual([]);
  expect(await volumesOf(engine)).toEqual([]);
  expect(await imagesOf(engine, "slipway-step/")).toEqual([]);
}

/** Asks the Redis beside it, by its name; then fails or not. */
const ask = `const socket = require("node:net").connect(6379, "cache");
  socket.on("error", (error) => { console.log(error.message); process.exit(9); });
  socket.write("SET greeting hello\\r\\nGET greeting\\r\\n");
  let text = "";
  socket.on("data", (data) => { text += data; if (text.includes("hello")) { console.log("cache says hello"); process.exit(Number(process.env.CODE)); } });`;

describe("a step in a container", () => {
  it("sees the checkout and nothing else, has no privileges, and tells its secrets to nobody who looks at it", async () => {
    const value = "s3cr3t 'quoted' $HOME";
    const body = { product: "probe", environment: "pipeline", name: "TOKEN", value, actor: "test", reason: "" };
    await plane.client.post("/v1/secrets", body);
    const program = `const fs = require("node:fs");
      const status = fs.readFileSync("/proc/self/status", "utf8");
      fs.writeFileSync("made", JSON.stringify({
        token: process.env.TOKEN === ${JSON.stringify(value)}, level: process.env.LEVEL, there: fs.readdirSync("..").includes("sub"),
        caps: /CapEff:\\s*(\\w+)/.exec(status)[1], gain: /NoNewPrivs:\\s*(\\d)/.exec(status)[1],
        outside: fs.existsSync(${JSON.stringify(repository.directory)}), run: process.env.SLIPWAY_RUN, home: process.env.HOME,
        nets: Object.keys(require("node:os").networkInterfaces()),
      }));
      console.log("the token is " + process.env.TOKEN);
      setInterval(() => fs.existsSync("go") && process.exit(0), 20);`;
    write(
      {
        looks: {
          command: ["node", "look.js"],
          path: "sub",
          image,
          network: "none",
          secrets: ["TOKEN"],
          env: { LEVEL: "1" },
        },
        after: { shell: "cat sub/made; touch sub/again", needs: ["looks"] },
      },
      { "sub/look.js": program },
    );
    const run = await beginRun(plane, repository);
    const seen = JSON.parse(await said(run, "sub/made"));
    expect(seen).toEqual({
      ...{ token: true, level: "1", there: true, caps: "0000000000000000", gain: "1", outside: false },
      ...{ run, home: "/tmp", nets: ["lo"] },
    });
    const [container] = await containersOf(engine);
    const inspected = await engineRequest(engine, "GET", `/containers/${container?.id}/json`);
    expect(inspected).toContain("LEVEL=1");
    expect(inspected).not.toContain("s3cr3t");
    expect(JSON.parse(inspected).HostConfig).toMatchObject({
      Memory: 2_000_000_000,
      PidsLimit: 4_096,
      Privileged: false,
    });
    writeFileSync(join(repository.directory, ".slipway", "runs", run, "source", "sub", "go"), "");
    const ended = await runWhen(plane, run, hasEnded);
    expect(phasesOf(ended)).toEqual({ looks: "passed", after: "passed" });
    expect(await logOf(plane, run, "looks")).toBe("the token is ***\n");
    const steps = join(repository.directory, ".slipway", "runs", run, "steps");
    for (const file of readdirSync(steps, { recursive: true, withFileTypes: true }))
      if (file.isFile()) expect(readFileSync(join(file.parentPath, file.name), "utf8")).not.toContain("s3cr3t");
    await expectNothingLeft();
  });

  it("ends with its exit code, at its timeout and at its memory, with all that it has started; one without an image is no step", async () => {
    const forks = "setsid sh -c 'trap \"\" TERM; sleep 1000' & trap '' TERM; sleep 1000";
    const grows = "const all = []; for (;;) all.push(Buffer.alloc(4e6, 1));";
    write({
      code: { command: ["sh", "-c", "exit 7"], image },
      deaf: { shell: forks, image, timeout: "1s" },
      grows: { command: ["node", "-e", grows], image, memory: "100MB" },
      missing: { command: ["true"], image: "127.0.0.1:9/none:1" },
    });
    const run = await runToEnd(plane, repository);
    expect(stepOf(run, "code").reason).toBe("exit code 7");
    expect(stepOf(run, "deaf").reason).toBe("stopped after 1s, its timeout");
    expect(stepOf(run, "grows").reason).toBe("killed by its memory limit of 100MB");
    expect(stepOf(run, "missing").reason).toMatch(/^could not be started: /);
    await expectNothingLeft();
  });
});

describe("a hostile step in a container", () => {
  it("cannot fill the disk, give a file of the machine away, send the next one out, write beside the checkout, or show a secret", async () => {
    const value = "an0ther-t0ken/of+7";
    const body = { product: "probe", environment: "pipeline", name: "HIDDEN", value, actor: "test", reason: "" };
    await plane.client.post("/v1/secrets", body);
    const tells = `const b = Buffer.from(process.env.HIDDEN);
      console.log(b.toString("base64"), b.toString("hex"), encodeURIComponent(process.env.HIDDEN), "told");`;
    const steps = {
      fills: { shell: "dd if=/dev/zero of=big bs=1M count=60 2>/dev/null; sleep 1000", image },
      links: { shell: "ln -s /etc out", outputs: ["out"], image },
      moves: { shell: "rm -rf sub && ln -s /etc sub", image },
      next: { shell: "pwd", path: "sub", needs: ["moves"], image },
      beside: { shell: "echo mine > ../mine; echo mine > /etc/mine; echo over", image },
      tells: { command: ["node", "-e", tells], secrets: ["HIDDEN"], image },
    };
    const { fills, ...others } = steps;
    repository.write({ steps: { fills }, engine: engine.url, disk: "20MB" });
    const full = await runToEnd(plane, repository);
    expect(stepOf(full, "fills").reason).toBe("stopped: the run's workspace holds more than 20MB, its bound");
    repository.write({ steps: others, engine: engine.url });
    const second = await runToEnd(plane, repository);
    expect(stepOf(second, "links").reason).toBe("its output out leads out of the workspace");
    expect(stepOf(second, "next").reason).toBe("could not be started: sub leads out of the workspace");
    expect(existsSync(join(repository.directory, ".slipway", "runs", second.id, "mine"))).toBe(false);
    expect(existsSync("/etc/mine")).toBe(false);
    expect(await logOf(plane, second.id, "tells")).toBe("*** *** *** told\n");
    await expectNothingLeft();
  });
});

describe("an integration step", () => {
  it("finds what it needs beside it, ready and empty, in a network of their own; its exit code is the step's", async () => {
    const step = { command: ["node", "ask.js"], image, beside: ["cache"], network: "none" };
    write({ good: { ...step, env: { CODE: "0" } }, bad: { ...step, env: { CODE: "4" } } }, { "ask.js": ask });
    const run = await runToEnd(plane, repository);
    expect(stepOf(run, "good")).toMatchObject({ phase: "passed", lines: ["cache says hello"] });
    expect(stepOf(run, "bad")).toMatchObject({ phase: "failed", reason: "exit code 4", lines: ["cache says hello"] });
    expect(await logOf(plane, run.id, "good")).toBe("cache says hello\n");
    // What ran beside it is kept where it failed.
    expect(await logOf(plane, run.id, "bad")).toMatch(
      /^cache says hello\n\n── cache\n[\s\S]*Ready to accept connections/,
    );
    await expectNothingLeft();
  });

  it("does not begin beside what is not well, says why, and is torn down when it is called off", async () => {
    const wait = { shell: "echo up > up; sleep 1000", image };
    write({ sick: { ...wait, beside: ["broken"] }, late: { ...wait, beside: ["brief", "slow"] } });
    const sick = await runToEnd(plane, repository);
    expect(stepOf(sick, "sick").reason).toBe("could not be started: broken ended with exit code 3 before it was ready");
    expect(await logOf(plane, sick.id, "sick")).toContain("── broken\nno licence found\n");
    // It was ready, and ended while the other one was waited for.
    expect(stepOf(sick, "late").reason).toBe("could not be started: brief ended with exit code 4 before it was ready");
    write({ long: { ...wait, beside: ["cache"] } });
    const run = await beginRun(plane, repository);
    await said(run, "up");
    await plane.client.post(`/v1/runs/${run}/cancel`, { actor: "eve", reason: "wrong branch" });
    expect(phasesOf(await runWhen(plane, run, hasEnded))).toEqual({ long: "cancelled" });
    while ((await containersOf(engine)).length > 0 || (await networksOf(engine)).length > 0)
      await new Promise((resolve) => setTimeout(resolve, 50));
  });
});

describe("an integration step with a Compose file", () => {
  it("brings it up in its order, has the exit code of the service that tests, and throws all of it away", async () => {
    const value = "t0ken-of-the-tests";
    const body = { product: "probe", environment: "pipeline", name: "TOKEN", value, actor: "test", reason: "" };
    await plane.client.post("/v1/secrets", body);
    const step = { compose: { exitCodeFrom: "tests" }, secrets: ["TOKEN"] };
    // What it has written is the control plane's, which can remove it.
    const after = { shell: "grep hello out/heard && rm -r out", needs: ["good", "bad", "integration"] };
    const bad = { ...step, env: { CODE: "4" }, allowFailure: true };
    // Without a word more it is the file that is there, and the service that is called so.
    const integration = { env: { CODE: "5" }, secrets: ["TOKEN"], allowFailure: true };
    write({ good: { ...step, env: { CODE: "0" } }, bad, after, integration }, integrationFiles);
    const run = await runToEnd(plane, repository);
    expect(phasesOf(run)).toEqual({ good: "passed", bad: "failed", after: "passed", integration: "failed" });
    expect(stepOf(run, "integration").reason).toBe("exit code 5");
    expect(await logOf(plane, run.id, "integration")).toMatch(/^heard hello \*\*\*\n/);
    expect(stepOf(run, "bad").reason).toBe("exit code 4");
    expect(await logOf(plane, run.id, "good")).toBe("heard hello ***\n");
    const log = await logOf(plane, run.id, "bad");
    expect(log).toMatch(/^heard hello \*\*\*\n/);
    expect(log).toMatch(/\n── cache\n[\s\S]*Ready to accept connections/);
    expect(log).toContain("\n── fill\nfilling\n");
    expect(log).toContain("\n── slow\nslow is up\n");
    await expectNothingLeft();
  });

  it("tells what a build said that failed, and refuses before anything runs what reaches out of the checkout", async () => {
    const own = { image, command: ["true"], compose: { file: "c.yml" } };
    const broken = 'services: { broken: { build: { context: ".", dockerfile_inline: "" } } }';
    const build = "services: { broken: { build: broken } }";
    const dockerfile = `FROM ${image}\nRUN echo the licence is missing && exit 3\n`;
    write({ it: own }, { "c.yml": build, "broken/Dockerfile": dockerfile });
    const run = await runToEnd(plane, repository);
    expect(stepOf(run, "it").reason).toMatch(/^could not be started: broken could not be built: /);
    expect(await logOf(plane, run.id, "it")).toMatch(/── broken\n[\s\S]*the licence is missing/);
    write({ it: own }, { "c.yml": `${broken.slice(0, -1)}, host: { image: x, volumes: ["/:/host"] } }` });
    const refused = await runToEnd(plane, repository);
    expect(refused.steps).toEqual([]);
    expect(refused.reason).toContain("a Compose file of the pipeline cannot be used at this commit");
    // A built-in one says what it misses, too: a service that tests, or an image beside the accessories.
    for (const [there, why] of [
      [
        { "docker-compose.integration.yml": `services: { cache: { image: ${redis} } }` },
        "has cache, and no service called",
      ],
      [{}, "to have cache beside it, name the image that its tests run in"],
    ] as const) {
      write({ integration: {} }, there);
      expect(JSON.stringify((await runToEnd(plane, repository)).error)).toContain(why);
    }
    await expectNothingLeft();
  });

  it("is torn down when it is called off in the middle of a build", async () => {
    const own = { image, command: ["true"], compose: { file: "c.yml" } };
    const dockerfile = `FROM ${image}\nRUN echo this takes long && sleep 1000\n`;
    const build = "services: { slow: { build: slow }, cache: { image: none } }";
    write({ it: own }, { "c.yml": build.replace("none", redis), "slow/Dockerfile": dockerfile });
    const run = await beginRun(plane, repository);
    await whileRuns(run, async () => /\bthis takes long$/m.exec(await logOf(plane, run, "it")) ?? undefined);
    await plane.client.post(`/v1/runs/${run}/cancel`, { actor: "eve", reason: "wrong branch" });
    expect(phasesOf(await runWhen(plane, run, hasEnded))).toEqual({ it: "cancelled" });
    // It is cleared away behind the run's end.
    while ((await containersOf(engine)).length > 0 || (await networksOf(engine)).length > 0)
      await new Promise((resolve) => setTimeout(resolve, 50));
    await expectNothingLeft();
  });

  it("is begun anew by the next control plane, when one has died while it was brought up", async () => {
    const waits = `services:
  gate:
    image: ${image}
    command: ["sh", "-c", "sleep 1000"]
    volumes: ["./:/checkout:ro", "kept:/kept"]
    healthcheck: { test: ["CMD", "test", "-f", "/checkout/ready"], interval: 1s, retries: 1000 }
volumes: { kept: }
`;
    const own = { image, shell: "echo it is open", compose: { file: "c.yml" }, network: "none", ready: "20m" };
    write({ it: own }, { "c.yml": waits });
    const run = await beginRun(plane, repository);
    const another = async (than: string) =>
      (await containersOf(engine)).find(({ id, state }) => state === "running" && id !== than);
    const before = await whileRuns(run, () => another("none"));
    plane.child.kill("SIGKILL");
    await plane.died;
    plane.client.close();
    plane = await startPlane(repository);
    await whileRuns(run, () => another(before.id));
    writeFileSync(join(repository.directory, ".slipway", "runs", run, "source", "ready"), "");
    expect((await runWhen(plane, run, hasEnded)).phase).toBe("succeeded");
    expect(await logOf(plane, run, "it")).toBe("it is open\n");
    await expectNothingLeft();
  });
});

describe("an image step", () => {
  it("makes the service's image of the commit alone, fails as its build does, and is stopped with it", async () => {
    const target = { driver: "docker", hosts: [engine.url] };
    const withImage = (dockerfile: string) => {
      const steps = { dirt: { shell: "echo of a step > dirt" }, image: { needs: ["dirt"] } };
      const web = { kind: "worker", command: ["node", "server.js"], pipeline: { steps } };
      const environments = { production: { target } };
      repository.write({}, { Dockerfile: dockerfile }, { services: { web }, environments });
    };
    withImage(`FROM ${image}\nCOPY . /app\nRUN ls /app | sort | tr '\\n' ' ' && echo are there\n`);
    const run = await runToEnd(plane, repository);
    expect(phasesOf(run)).toEqual({ "web/dirt": "passed", "web/image": "passed" });
    expect(stepOf(run, "web/image").reason).toMatch(/^sha256:[0-9a-f]{12}, \d.*B$/);
    const log = await logOf(plane, run.id, "web/image");
    expect(log).toContain("server.js");
    expect(log).toContain("are there");
    expect(log).not.toContain("dirt");

    withImage(`FROM ${image}\nRUN echo the licence is missing && exit 3\n`);
    const bad = await runToEnd(plane, repository);
    expect(stepOf(bad, "web/image").phase).toBe("failed");
    expect(stepOf(bad, "web/image").reason).toMatch(/^the build of web on .* failed$/);
    expect(await logOf(plane, bad.id, "web/image")).toContain("the licence is missing");

    withImage(`FROM ${image}\nRUN echo this takes long && sleep 1000\n`);
    const long = await beginRun(plane, repository);
    await whileRuns(long, async () => /\bthis takes long$/m.exec(await logOf(plane, long, "web/image")) ?? undefined);
    await plane.client.post(`/v1/runs/${long}/cancel`, { actor: "eve", reason: "wrong branch" });
    expect(stepOf(await runWhen(plane, long, hasEnded), "web/image").phase).toBe("cancelled");
    // It is stopped behind the run's end.
    while ((await containersOf(engine)).some(({ state }) => state === "running"))
      await new Promise((resolve) => setTimeout(resolve, 50));
  });
});

describe("a control plane that dies", () => {
  it("finds the container of a step again, and removes what nobody waits for any more", async () => {
    write({ long: { shell: "echo begun > begun; echo one; until [ -f go ]; do sleep 0.05; done; echo two", image } });
    const run = await beginRun(plane, repository);
    await said(run, "begun");
    plane.child.kill("SIGKILL");
    await plane.died;
    plane.client.close();
    const [before] = await containersOf(engine);
    expect(before).toMatchObject({ state: "running" });
    // As of a run that ended while nobody looked.
    const Labels = { ...before?.labels, "slipway.step.run": "run_gone", "slipway.step-key": "gone" };
    const lost = {
      type: "application/json",
      content: JSON.stringify({ Image: image, Cmd: ["sleep", "1000"], Labels }),
    };
    const { Id } = JSON.parse(await engineRequest(engine, "POST", "/containers/create?name=gone", lost)) as {
      Id: string;
    };
    await engineRequest(engine, "POST", `/containers/${Id}/start`);
    const left = (body: object) => ({ type: "application/json", content: JSON.stringify(body) });
    await engineRequest(engine, "POST", "/volumes/create", left({ Name: "gone", Labels }));
    await engineRequest(engine, "POST", "/networks/create", left({ Name: "gone", Labels }));
    plane = await startPlane(repository);
    expect((await containersOf(engine)).map(({ id }) => id)).toEqual([before?.id]);
    expect([await networksOf(engine), await volumesOf(engine)]).toEqual([[], []]);
    writeFileSync(join(repository.directory, ".slipway", "runs", run, "source", "go"), "");
    expect((await runWhen(plane, run, hasEnded)).phase).toBe("succeeded");
    expect(await logOf(plane, run, "long")).toBe("one\ntwo\n");
    await expectNothingLeft();
  });
});
