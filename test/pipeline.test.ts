import { execFile, execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RunDetail } from "../src/api/contract.ts";
import { laneOf } from "../src/core/pipeline/lane.ts";
import { groupMembers, isAlive } from "../src/lib/supervisor/procfs.ts";
import { type Plane, startPlane, tearDown } from "./fixture/plane.ts";
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
} from "./fixture/repository.ts";

const bin = fileURLToPath(new URL("../bin/slipway.js", import.meta.url));

let repository: Repository;
let plane: Plane;
beforeAll(async () => {
  repository = await makeRepository();
  plane = await startPlane(repository);
});
afterAll(() => tearDown(repository, plane));

const shell = (line: string, more: object = {}) => ({ shell: line, ...more });

/** Waits until a file of a run says something. */
async function said(run: string, file: string): Promise<string> {
  const path = join(repository.directory, ".slipway", "runs", run, "source", file);
  for (;;) {
    const text = existsSync(path) ? readFileSync(path, "utf8").trim() : "";
    if (text !== "") return text;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function untilDead(pid: number): Promise<void> {
  while (isAlive(pid, null)) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe("a pipeline", () => {
  it("of npm workspaces is installed, checked and tested as package.json says, and only then is there a release", async () => {
    const files = {
      "package.json": JSON.stringify({
        name: "top",
        private: true,
        workspaces: ["lib", "api"],
        scripts: { lint: "node lint.js" },
      }),
      "package-lock.json": JSON.stringify({
        name: "top",
        lockfileVersion: 3,
        packages: {
          "": { name: "top", workspaces: ["lib", "api"] },
          "node_modules/lib": { resolved: "lib", link: true },
          "node_modules/api": { resolved: "api", link: true },
          lib: { version: "1.0.0" },
          api: { version: "1.0.0" },
        },
      }),
      "lint.js": "if (require('lib').add(1, 2) !== 3) process.exit(1)",
      "lib/package.json": '{"name":"lib","version":"1.0.0","main":"index.js"}',
      "lib/index.js": "exports.add = (a, b) => a + b;",
      "api/package.json": '{"name":"api","version":"1.0.0","scripts":{"test":"node --test --test-reporter=tap"}}',
      "api/a.test.js":
        'const { add } = require("lib"); require("node:test")("adds", () => { if (add(1, 1) !== 2) throw 1; });',
      "api/server.js": "",
    };
    const services = {
      api: { kind: "web", path: "api", command: ["node", "server.js"], pipeline: { steps: { unit: {} } } },
    };
    repository.write({ steps: { install: {}, lint: {} } }, files, { services });
    const run = await runToEnd(plane, repository, { event: "deploy", release: true });
    expect(run.error).toBeNull();
    expect(phasesOf(run)).toEqual({ install: "passed", lint: "passed", "api/unit": "passed" });
    expect(stepOf(run, "api/unit").lines.join("\n")).toContain("# pass 1");
    expect(run.release).toMatch(/^rel_/);

    repository.write(
      { steps: { install: {}, lint: {} } },
      { ...files, "lib/index.js": "exports.add = () => 4;" },
      { services },
    );
    const failed = await runToEnd(plane, repository, { event: "deploy", release: true });
    expect(phasesOf(failed)).toEqual({ install: "passed", lint: "failed", "api/unit": "failed" });
    expect(failed).toMatchObject({ phase: "failed", release: null, error: { code: "PIPELINE_FAILED" } });
  });

  it("of Node and Python runs both, in a clean environment of its own", async () => {
    const files = {
      "ml/test_model.py":
        "import unittest\nclass T(unittest.TestCase):\n  def test_it(self):\n    self.assertEqual(1, 1)\n",
      "web/check.js": "console.log(JSON.stringify(process.env))",
    };
    repository.write(
      {
        steps: {
          ml: { command: ["python3", "-m", "unittest", "-v"], path: "ml" },
          web: { command: ["node", "check.js"], path: "web", env: { LEVEL: "1" }, matrix: { SIZE: ["s", "l"] } },
        },
        parameters: { mode: { default: "quick", allowed: ["quick", "full"] } },
      },
      files,
    );
    const run = await runToEnd(plane, repository, { parameters: { mode: "full" } });
    expect(phasesOf(run)).toEqual({ ml: "passed", "web[SIZE=s]": "passed", "web[SIZE=l]": "passed" });
    const env = JSON.parse(await logOf(plane, run.id, "web[SIZE=l]")) as Record<string, string>;
    expect(env).toMatchObject({ SIZE: "l", LEVEL: "1", CI: "true", SLIPWAY_PARAM_MODE: "full", SLIPWAY_RUN: run.id });
    expect(env.HOME).toContain(run.id);
    const ours = ["PATH", "HOME", "TMPDIR", "LANG", "CI", "LEVEL", "SIZE", "npm_config_cache", "SUPERVISOR_MARK"];
    const strange = Object.keys(env).filter((name) => !ours.includes(name) && !/^(SLIPWAY_|PIP_|COREPACK_)/.test(name));
    expect(strange).toEqual([]);
  });

  it("tries again with its reason, allows what is allowed to fail, and says what was left out", async () => {
    repository.write({
      steps: {
        flaky: shell("[ -f tried ] || { touch tried; exit 7; }", {
          retry: { attempts: 2, reason: "it is slow at night", wait: "1ms" },
        }),
        scan: shell("exit 1", { allowFailure: true }),
        after: shell("true", { needs: ["scan"] }),
        nightly: shell("exit 1", { when: { event: ["schedule"] } }),
      },
    });
    const run = await runToEnd(plane, repository);
    expect(run.phase).toBe("succeeded");
    expect(phasesOf(run)).toEqual({ flaky: "passed", scan: "failed", after: "passed", nightly: "skipped" });
    expect(stepOf(run, "flaky")).toMatchObject({ attempt: 2, reason: "in attempt 2 (it is slow at night)" });
    expect(await logOf(plane, run.id, "scan")).toBe("");
  });

  it("reads the reports that its steps write, secrets and links to elsewhere left out", async () => {
    const junit =
      '<testsuite><testcase name="adds" classname="math"/><testcase name="divides" classname="math"><failure message="1 is not 2"/></testcase></testsuite>';
    const sarif = JSON.stringify({ runs: [{ results: [{ level: "error", ruleId: "R1", message: { text: "bad" } }] }] });
    repository.write(
      {
        steps: {
          unit: shell("exit 1", { reports: { junit: ["out/*.xml"], coverage: ["lcov.info"] } }),
          scan: shell("ln -s /etc/passwd lost.sarif; mkfifo pipe.sarif", { reports: { sarif: ["*.sarif"] } }),
        },
      },
      {
        "out/a.xml": junit,
        "out/b.xml": "<broken",
        "lcov.info": "SF:a\nDA:1,1\nDA:2,0\nend_of_record\n",
        "a.sarif": sarif,
      },
    );
    const run = await runToEnd(plane, repository);
    expect(stepOf(run, "unit").reports).toMatchObject({
      tests: { tests: 2, failed: 1, failing: [{ suite: "math", name: "divides", message: "1 is not 2" }] },
      coverage: { covered: 1, lines: 2 },
      problems: ["out/b.xml was not read: it ends in the middle"],
    });
    expect(stepOf(run, "scan").reports).toMatchObject({
      findings: { counts: { high: 1 }, findings: [{ rule: "R1", message: "bad" }] },
      problems: ["lost.sarif was not read: it leads out of the workspace", "pipe.sarif was not read: it is no file"],
    });
    expect(run.error?.evidence).toContainEqual(["failed", "math › divides"]);
  });

  it("is followed by the command line with its colours, and cannot reach the terminal of who looks", async () => {
    const prints = String.raw`printf '\033[31mred\033[0m \033[2J\033]52;c;cm0=\007\033[3Aup\n'`;
    repository.write({ steps: { unit: shell(`${prints}; until [ -f go ]; do sleep 0.02; done; echo after`) } });
    const run = await beginRun(plane, repository);
    await runWhen(plane, run, ({ steps }) => steps.some(({ phase }) => phase === "running"));
    const child = spawn(process.execPath, [bin, "logs", "--run", run, "--step", "unit", "--follow"], {
      cwd: repository.directory,
      env: { ...process.env, NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      const isFirst = !text.includes("up\n");
      text += chunk;
      // It is seen while the step runs.
      if (isFirst && text.includes("up\n"))
        writeFileSync(join(repository.directory, ".slipway", "runs", run, "source", "go"), "");
    });
    await once(child, "close");
    expect(text).toBe("\u001b[31mred\u001b[0m up\nafter\n");
    // Who asks for it as data has it as it was.
    expect(await logOf(plane, run, "unit")).toContain("\u001b]52;c;");
  });

  it("says what is asked for and is not there", async () => {
    repository.write({ steps: { lint: {} } }, { "package.json": "{}" });
    const missing = await runToEnd(plane, repository);
    expect(missing.error).toMatchObject({
      code: "PIPELINE_INVALID",
      evidence: [["lint", expect.stringContaining("no script")]],
    });
    repository.write({ steps: { unit: shell("true") }, parameters: { level: {} } });
    expect((await runToEnd(plane, repository)).error).toMatchObject({
      code: "USAGE",
      evidence: [["level", "must be given: any text"]],
    });
    const named = await runToEnd(plane, repository, { steps: ["unti"], parameters: { level: "1" } });
    expect(named.error).toMatchObject({ code: "USAGE", hint: "did you mean unit?" });
  });

  it("takes numbers, booleans and choices as they are and as a command line has them, and says all that is wrong at once", async () => {
    const parameters = {
      shards: { type: "integer", default: 2, min: 1, max: 8, meaning: "how many run side by side" },
      browser: { default: false },
      level: { allowed: ["quick", "full"] },
    };
    repository.write({ steps: { unit: shell("env | grep SLIPWAY_PARAM_ | sort") }, parameters });
    const said = await runToEnd(plane, repository, { parameters: { shards: 4, browser: true, level: "full" } });
    const texts = "SLIPWAY_PARAM_BROWSER=true\nSLIPWAY_PARAM_LEVEL=full\nSLIPWAY_PARAM_SHARDS=4\n";
    expect(await logOf(plane, said.id, "unit")).toBe(texts);
    const cli = (...args: string[]) =>
      spawnSync(process.execPath, [bin, ...args], {
        cwd: repository.directory,
        encoding: "utf8",
        env: { ...process.env, NO_COLOR: "1", COLUMNS: "200" },
      });
    const wrong = cli("run", "--param", "shards=9", "--param", "browser=yes", "--param", "levl=quick");
    expect(wrong.status).toBe(2);
    for (const text of [
      '"9" is not a whole number from 1 to 8',
      '"yes" is not true or false',
      "must be given: quick or full",
      "there is none; did you mean level?",
    ])
      expect(wrong.stderr).toContain(text);
    expect(
      cli("run", "params")
        .stdout.split("\n")
        .map((line) => line.split(/\s{2,}/)),
    ).toEqual([
      ["shards", "a whole number from 1 to 8", "else 2", "how many run side by side"],
      ["browser", "true or false", "else false"],
      ["level", "quick or full", "must be given"],
      [""],
    ]);
  });
});

describe("a hostile step", () => {
  it("leaves nothing running that it has forked, in its group or out of it", async () => {
    repository.write({
      steps: {
        forks: shell(
          "sleep 1000 & echo $! > inside; setsid sh -c 'echo $$ > outside; exec sleep 1000' & sleep 0.2; echo done",
        ),
        kept: shell("cat inside outside", { needs: ["forks"] }),
      },
    });
    const run = await runToEnd(plane, repository);
    expect(phasesOf(run)).toEqual({ forks: "passed", kept: "passed" });
    const pids = (await logOf(plane, run.id, "kept")).trim().split("\n").map(Number);
    expect(pids).toHaveLength(2);
    for (const pid of pids) expect(isAlive(pid, null)).toBe(false);
  });

  it("is stopped at its timeout, with all that it has started, also when it does not listen", async () => {
    repository.write({ steps: { deaf: shell("trap '' TERM; sleep 1000 & echo $! > child; wait", { timeout: "1s" }) } });
    const id = await beginRun(plane, repository);
    const child = Number(await said(id, "child"));
    const run = await runWhen(plane, id, hasEnded);
    expect(stepOf(run, "deaf")).toMatchObject({ phase: "failed", reason: "stopped after 1s, its timeout" });
    expect(isAlive(child, null)).toBe(false);
    expect(groupMembers(child)).toEqual([]);
  });

  it("cannot fill the disk", async () => {
    repository.write({
      steps: { fills: shell("dd if=/dev/zero of=big bs=1M count=60 2>/dev/null; sleep 1000") },
      disk: "20MB",
    });
    const run = await runToEnd(plane, repository);
    expect(stepOf(run, "fills")).toMatchObject({
      phase: "failed",
      reason: "stopped: the run's workspace holds more than 20MB, its bound",
    });
    const source = join(repository.directory, ".slipway", "runs", run.id, "source");
    while (existsSync(source)) await new Promise((resolve) => setTimeout(resolve, 20));
  });

  it("cannot show a secret, in no encoding and not in two writes", async () => {
    const value = "s3cr3t/väl+ue 77";
    const body = { product: "probe", environment: "pipeline", name: "TOKEN", value, actor: "test", reason: "" };
    await plane.client.post("/v1/secrets", body);
    const program = `const t = process.env.TOKEN, b = Buffer.from(t);
      console.log(t, encodeURIComponent(t), JSON.stringify(t), b.toString("hex"), b.toString("base64"));
      console.log(Buffer.from("user:" + t).toString("base64"), b.toString("base64url"));
      process.stdout.write(t.slice(0, 6)); setTimeout(() => process.stdout.write(t.slice(6) + "\\n"), 200);`;
    repository.write(
      { steps: { tells: { command: ["node", "tell.js"], secrets: ["TOKEN"] } } },
      { "tell.js": program },
    );
    const run = await runToEnd(plane, repository);
    expect(run.phase).toBe("succeeded");
    const log = await logOf(plane, run.id, "tells");
    expect(log.match(/\*\*\*/g)?.length).toBe(8);
    const bytes = Buffer.from(value);
    for (const form of [value, bytes.toString("hex"), bytes.toString("base64").slice(0, 12), "s3cr3t"]) {
      expect(log).not.toContain(form);
      expect(JSON.stringify(run)).not.toContain(form);
    }
    // Nor is it anywhere in what the run has left, when it has tidied up.
    const room = join(repository.directory, ".slipway", "runs", run.id);
    await expect.poll(() => existsSync(join(room, "tmp")), { timeout: 60_000 }).toBe(false);
    for (const file of readdirSync(room, { recursive: true, withFileTypes: true }))
      if (file.isFile()) expect(readFileSync(join(file.parentPath, file.name), "utf8")).not.toContain("s3cr3t");
  });

  it("cannot give a file of the machine away as its output, nor send the next one out of the workspace", async () => {
    repository.write({
      steps: {
        links: shell("ln -s /etc out", { outputs: ["out"] }),
        moves: shell("mkdir -p sub && rm -r sub && ln -s /etc sub"),
        next: shell("pwd", { path: "sub", needs: ["moves"] }),
      },
    });
    const run = await runToEnd(plane, repository);
    expect(stepOf(run, "links")).toMatchObject({
      phase: "failed",
      reason: "its output out leads out of the workspace",
    });
    expect(stepOf(run, "next").reason).toBe("could not be started: sub leads out of the workspace");
  });

  it("cannot read the state directory, nor write into another run or leave anything in it, where the system can hide them", () =>
    triesToLook(plane, repository));

  it.runIf(process.getuid?.() === 0)(
    "cannot as a user who is not root either, has a bound of processes, and all that it has started ends",
    async () => {
      const own = await makeRepository();
      execFileSync("chown", ["-R", `${user}:${user}`, own.directory]);
      const theirs = await startPlane(own, { as: user });
      try {
        await triesToLook(theirs, own);
        own.write({
          steps: {
            forks: shell(
              "setsid sh -c 'echo $$ > outside; exec sleep 1000' & until [ -s outside ]; do sleep 0.05; done",
            ),
            bomb: shell("i=0; while [ $i -lt 5000 ]; do sleep 1000 & i=$((i+1)); done; echo all of them", {
              allowFailure: true,
            }),
            kept: shell("cat outside; id -u; nice; cat /proc/self/oom_score_adj", { needs: ["forks"] }),
          },
        });
        execFileSync("chown", ["-R", `${user}:${user}`, own.directory]);
        const run = await runToEnd(theirs, own);
        const [pid, ...rest] = (await logOf(theirs, run.id, "kept")).trim().split("\n").map(Number);
        expect(isAlive(pid ?? 0, null)).toBe(false);
        expect(rest).toEqual([user, 10, 500]);
        expect(stepOf(run, "bomb").phase).toBe("failed");
        expect(await logOf(theirs, run.id, "bomb")).toMatch(/^[^\n]*fork[^\n]*\n$/i);
      } finally {
        await tearDown(own, theirs);
      }
    },
  );
});

/** Any but root. */
const user = 54_321;

/** A step that looks for what is not its own, by every way there is. */
async function triesToLook(at: Plane, own: Repository): Promise<void> {
  const state = join(own.directory, ".slipway");
  // Written by us, theirs to use.
  const give = () => void execFileSync("chown", ["-R", `--reference=${own.directory}`, own.directory]);
  const body = { product: "probe", environment: "pipeline", name: "KEPT", value: "x", actor: "test", reason: "" };
  await at.client.post("/v1/secrets", body);
  const other = "run_other";
  const source = join(state, "runs", other, "source");
  mkdirSync(source, { recursive: true });
  const ways = [
    "../../..",
    state,
    `/proc/${at.child.pid}/root${state}`,
    `/proc/${at.child.pid}/cwd/.slipway`,
    `/proc/1/root${state}`,
  ];
  const tries = ways.flatMap((way) => [
    `cat ${way}/secrets.key > /dev/null 2>&1 && echo read ${way}`,
    `{ echo x > ${way}/runs/${other}/source/evil; } 2> /dev/null && echo wrote ${way}`,
    `{ echo x > ${way}/evil; } 2> /dev/null && echo left ${way}`,
  ]);
  own.write({
    steps: {
      looks: shell(
        [
          "set +e",
          ...tries,
          `{ echo >> ${own.directory}/.git/config; } 2> /dev/null && echo wrote what git of the control plane obeys`,
          `umount ${state} 2> /dev/null && echo took the fence away`,
          `unshare --user --map-root-user --mount sh -c 'umount ${state}; cat ${state}/secrets.key' 2> /dev/null && echo took it away inside`,
          `nsenter --target ${at.child.pid} --mount cat ${state}/secrets.key 2> /dev/null && echo went out`,
          'echo own > "$HOME/own" && echo own > "$TMPDIR/own" && echo own > made && mkdir -p "$npm_config_cache" && touch /tmp && echo its own is there',
          "echo $LD_LIBRARY_PATH; exit 7",
        ].join("\n"),
        { env: { LD_LIBRARY_PATH: "/nowhere" }, allowFailure: true },
      ),
      plain: shell("true", { needs: ["looks"] }),
    },
  });
  give();
  const run = await runToEnd(at, own);
  expect(run.error).toBeNull();
  const { checks } = await at.client.get<{ checks: readonly { name: string; says: string }[] }>("/v1/checks");
  const says = checks.find(({ name }) => name === "fence")?.says ?? "";
  expect(stepOf(run, "looks").reason).toBe("exit code 7");
  if (!mayHide(own.directory)) {
    // No namespaces here: that is said, in the run and by the doctor, and the steps run all the same.
    expect(stepOf(run, "plain").reason).toMatch(/^it could read the state directory: /);
    return;
  }
  expect(says).toContain("cannot read the state directory");
  expect(await logOf(at, run.id, "looks")).toBe("its own is there\n/nowhere\n");
  expect(existsSync(join(source, "evil"))).toBe(false);
  expect(stepOf(run, "plain").reason).toBe("");
}

describe("a run", () => {
  it("that is cancelled leaves nothing running, and makes no release", async () => {
    repository.write({
      steps: { long: shell("echo $$ > pid; sleep 1000"), after: shell("true", { needs: ["long"] }) },
    });
    const id = await beginRun(plane, repository, { release: true });
    const pid = Number(await said(id, "pid"));
    expect(await plane.client.post(`/v1/runs/${id}/cancel`, { actor: "eve", reason: "wrong branch" })).toEqual({
      cancelled: true,
    });
    const run = await runWhen(plane, id, hasEnded);
    expect(run).toMatchObject({ phase: "failed", reason: "cancelled by eve: wrong branch", release: null });
    expect(phasesOf(run)).toEqual({ long: "cancelled", after: "cancelled" });
    await untilDead(pid);
    expect(await plane.client.post(`/v1/runs/${id}/cancel`, { actor: "eve", reason: "" })).toEqual({
      cancelled: false,
    });
  });

  it("of one branch waits for the one before, and for no other branch's, nor for the one that makes a release", async () => {
    const lane = (branch: string) => laneOf({ product: "probe", ref: branch, release: false, loadTest: null });
    const other = ["b", "c", "d", "e", "f"].find((branch) => lane(branch) !== lane("a"));
    const gate = join(repository.directory, "gate");
    const waits = { waits: shell(`echo $$ > pid; until [ -e '${gate}' ]; do sleep 0.05; done`) };
    repository.write({ steps: waits });
    const first = await beginRun(plane, repository, { branch: "a" });
    const second = await beginRun(plane, repository, { branch: "a" });
    const beside = await beginRun(plane, repository, { branch: other ?? "" });
    const making = await beginRun(plane, repository, { branch: "a", event: "deploy", release: true });
    for (const id of [first, beside, making]) await said(id, "pid");
    const { phase } = await plane.client.get<RunDetail>(`/v1/runs/${second}`);
    expect(phase).toBe("queued");
    writeFileSync(gate, "");
    for (const id of [first, second, beside, making])
      expect(await runWhen(plane, id, hasEnded)).toMatchObject({ phase: "succeeded" });
    rmSync(gate);
  });

  it("survives kill -9 of the control plane: a finished step is not run again, and one under way is found again", async () => {
    repository.write({
      steps: {
        first: shell("echo first >> steps"),
        second: shell("echo second >> steps; echo $$ > pid; until [ -f go ]; do sleep 0.05; done; echo late", {
          needs: ["first"],
        }),
        third: shell("cat steps", { needs: ["second"] }),
      },
    });
    const id = await beginRun(plane, repository);
    const pid = Number(await said(id, "pid"));
    plane.child.kill("SIGKILL");
    await plane.died;
    plane.client.close();
    expect(isAlive(pid, null)).toBe(true);
    plane = await startPlane(repository);
    writeFileSync(join(repository.directory, ".slipway", "runs", id, "source", "go"), "");
    const run = await runWhen(plane, id, hasEnded);
    expect(run.phase).toBe("succeeded");
    expect(await logOf(plane, id, "second")).toBe("late\n");
    expect(await logOf(plane, id, "third")).toBe("first\nsecond\n");
  });

  it("runs a step again that went down with the machine, unless it must not happen twice", async () => {
    repository.write({
      steps: {
        again: shell("echo x >> again; [ $(wc -l < again) -gt 1 ] && exit 0; echo $$ > pid1; sleep 1000"),
        once: shell("echo $$ > pid2; sleep 1000", { whenLost: "fail", allowFailure: true }),
      },
      parallel: 2,
    });
    const id = await beginRun(plane, repository);
    const pids = [Number(await said(id, "pid1")), Number(await said(id, "pid2"))];
    // All at once, as when the power fails: nobody sees how anything ends.
    const daemon = Number(
      /\d+/.exec(readFileSync(join(repository.directory, ".slipway", "supervisor", "supervisor.pid"), "utf8"))?.[0],
    );
    for (const pid of [daemon, plane.child.pid ?? 0, ...pids]) process.kill(pid, "SIGKILL");
    await plane.died;
    plane.client.close();
    plane = await startPlane(repository);
    const run = await runWhen(plane, id, hasEnded);
    expect(phasesOf(run)).toEqual({ again: "passed", once: "failed" });
    expect(stepOf(run, "once").reason).toContain("how it ended is not known");
  });
});

describe("what a step leaves to be looked at", () => {
  const slipway = (...args: readonly string[]) =>
    promisify(execFile)(process.execPath, [bin, ...args], {
      cwd: repository.directory,
      env: { ...process.env, NO_COLOR: "1" },
    });

  it("is kept with the run, passed or not, and brought to where somebody wants to see it", async () => {
    const steps = {
      e2e: {
        shell:
          'mkdir -p shots/a reports; printf "\\001" > shots/a/1.png; ln -s a/1.png shots/last; echo "<testsuite/>" > reports/x.xml; exit 3',
        artifacts: ["shots"],
        reports: { junit: ["reports/*.xml"] },
      },
      pack: { shell: "mkdir -p out; echo one > out/one.txt", artifacts: ["out/*.txt"], allowFailure: true },
      none: { shell: "true", artifacts: ["nothing/**"] },
    };
    repository.write({ steps }, {});
    const run = await runToEnd(plane, repository);
    const kept = run.steps.map(({ id, phase, artifacts }) => [id, phase, artifacts?.files ?? null]);
    expect(kept).toEqual([
      ["e2e", "failed", 3],
      ["pack", "passed", 1],
      ["none", "passed", null],
    ]);
    expect((await slipway("run", "artifacts", run.id)).stdout).toMatch(/e2e +3 files.*\n.*pack +1 file/);
    const into = join(repository.directory, "..", `${run.id}-artifacts`);
    await slipway("run", "artifacts", run.id, "--output", into);
    expect([readFileSync(join(into, "e2e/shots/last")), readFileSync(join(into, "pack/out/one.txt"), "utf8")]).toEqual([
      Buffer.from([1]),
      "one\n",
    ]);
    expect(readdirSync(into).toSorted()).toEqual(["e2e", "pack"]);
    const again = slipway("run", "artifacts", run.id, "--step", "pack", "-o", into);
    await expect(again).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining("is there already") });
    rmSync(into, { recursive: true });
  });

  it("is not kept where it holds a secret, leads out, or is too large: that is said, and fails nothing", async () => {
    const secret = {
      product: "probe",
      environment: "pipeline",
      name: "TOKEN",
      value: "hunter2-of-a-step",
      actor: "test",
    };
    await plane.client.post("/v1/secrets", { ...secret, reason: "" });
    const artifacts = ["left"];
    const steps = {
      told: {
        shell: 'mkdir -p left; head -c 70000 /dev/zero > left/x; echo "$TOKEN" >> left/x',
        artifacts,
        secrets: ["TOKEN"],
      },
      out: { shell: "mkdir -p left; ln -s /etc/passwd left/link", artifacts },
      large: { shell: "mkdir -p left; truncate -s 101M left/x", artifacts },
    };
    const places = Object.fromEntries(Object.keys(steps).map((name) => [`of-${name}/here`, ""]));
    repository.write({ parallel: 1, steps: inOwnDirectories(steps) }, places);
    const run = await runToEnd(plane, repository);
    expect(run.steps.map(({ id, phase, artifacts: kept, reason }) => [id, phase, kept, reason])).toEqual([
      ["told", "passed", null, "its artifacts are not kept: they hold the value of a secret"],
      ["out", "passed", null, expect.stringContaining("leads out of the directory")],
      ["large", "passed", null, expect.stringMatching(/its artifacts are not kept: .*(large|more than)/)],
    ]);
    const told = readdirSync(join(repository.directory, ".slipway", "runs", run.id, "steps"), { recursive: true });
    expect(told.filter((name) => String(name).endsWith(".tar"))).toEqual([]);
  });

  /** Each where no other has left anything. */
  function inOwnDirectories<Step extends object>(steps: Record<string, Step>): Record<string, Step & { path: string }> {
    return Object.fromEntries(Object.entries(steps).map(([name, step]) => [name, { ...step, path: `of-${name}` }]));
  }
});

/** Whether the user to whom a directory belongs gets mount namespaces of this system, as it says itself. */
function mayHide(directory: string): boolean {
  const { uid } = statSync(directory);
  const asUser = uid === process.getuid?.() ? [] : ["setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"];
  const [program = "", ...args] = [
    ...asUser,
    "unshare",
    ...(uid === 0 ? [] : ["--user", "--map-root-user"]),
    "--mount",
  ];
  return spawnSync(program, [...args, "mount", "-t", "tmpfs", "none", "/mnt"]).status === 0;
}
