import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request as forward } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Boundary } from "../src/cli/agent/link.ts";
import { entryFile } from "../src/lib/entry.ts";
import { isAlive } from "../src/lib/supervisor/procfs.ts";
import { freePorts } from "../src/testing/ports.ts";
import { Agents } from "./fixture/agent.ts";
import { type Plane, startPlane, tearDown } from "./fixture/plane.ts";
import { beginRun, hasEnded, logOf, makeRepository, type Repository, runWhen, stepOf } from "./fixture/repository.ts";

let repository: Repository;
let plane: Plane;
let port = 0;
let tokenFile = "";
const room = mkdtempSync(join(tmpdir(), "slipway-agents-"));
const agents = new Agents(room, () => port);

const secret = "correct-horse-battery";
const at = (name: string) => join(room, name);
/** Ends itself should a test leave it behind. */
const hold = `for i in $(seq 1500); do test -f ${at("go")} && break; sleep 0.1; done`;

/** It says so when a beginning before it still runs. */
const taken = (step: string) =>
  `mkdir -p ${at(step)}; for pid in $(ls ${at(step)}); do grep -qs '^State:.[^ZX]' /proc/$pid/status && touch ${at(step)}-beside; done; echo $$ > ${at(step)}/$$; ${hold}; echo made-by $$ | tee ${step}.txt`;

beforeAll(async () => {
  [port = 0] = await freePorts(1);
  repository = await makeRepository();
  plane = await startPlane(repository);
  repository.write(
    {
      steps: {
        make: { shell: "echo made-here > made.txt" },
        far: {
          shell: `echo $$ >> ${at("pids")}; echo token is $TOKEN; env > ${at("env")}; { nice; cat /proc/self/oom_score_adj; } > nice.txt; ${hold}; cat made.txt > out.txt; echo far-done`,
          needs: ["make"],
          secrets: ["TOKEN"],
          outputs: ["out.txt", "nice.txt"],
          runsOn: ["linux"],
        },
        back: { shell: "cat out.txt nice.txt", needs: ["far"] },
        // Each beginning leaves a file of its own, and its result says which beginning it is.
        left: { shell: taken("left"), outputs: ["left.txt"], runsOn: ["linux"] },
        right: { shell: taken("right"), outputs: ["right.txt"], runsOn: ["linux"] },
        both: { shell: "cat left.txt right.txt", needs: ["left", "right"] },
        // What it does elsewhere it does when it has been told to.
        does: {
          shell: `echo begun; until [ -f ${at("may")} ]; do sleep 0.1; done; echo $$ | tee -a ${at("effects")} > does.txt; echo done`,
          outputs: ["does.txt"],
          runsOn: ["linux"],
        },
        did: { shell: "cat does.txt", needs: ["does"] },
        quick: { shell: "echo quick-done", runsOn: ["linux"] },
        nowhere: { shell: "true", runsOn: ["gpu"], timeout: "1s" },
      },
    },
    {},
    { triggers: { repository: "acme/probe", webhook: { forge: "github", listen: `127.0.0.1:${port}` } } },
  );
  await plane.client.post("/v1/triggers", { product: "probe", repository: repository.directory, actor: "test" });
  const named = { product: "probe", environment: "pipeline", name: "TOKEN", value: secret, actor: "test", reason: "" };
  await plane.client.post("/v1/secrets", named);
  tokenFile = await tokenOf("one");
});
// A test that is tried again has no agent of the first try beside it.
afterEach(() => agents.stopAll());
afterAll(async () => {
  await tearDown(repository, plane);
  rmSync(room, { recursive: true, force: true });
});

type Own = {
  readonly token?: string;
  readonly to?: number;
  readonly more?: readonly string[];
  readonly crashFile?: string;
};

const startAgent = (name: string, { token = tokenFile, ...own }: Own = {}) => agents.start(name, { token, ...own });
const tokenOf = (agent: string) => agents.tokenOf(plane, agent);

/** The process ids of the beginnings of a step, once there are so many. */
async function beginnings(step: string, wanted: number): Promise<readonly number[]> {
  for (;;) {
    const all = existsSync(at(step)) ? readdirSync(at(step)).map(Number) : [];
    if (all.length >= wanted) return all;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function begun<Step extends string>(step: Step): Promise<Step> {
  await beginnings(step, 1);
  return step;
}

/** The processes that the step has been, one a beginning, once there are so many. */
async function pids(wanted: number): Promise<readonly number[]> {
  for (;;) {
    const all = existsSync(at("pids")) ? readFileSync(at("pids"), "utf8").trim().split("\n") : [];
    if (all.length >= wanted) return all.map(Number);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function untilDead(pid: number): Promise<void> {
  while (isAlive(pid, null)) await new Promise((resolve) => setTimeout(resolve, 50));
}

/** What our own command prints, at the test's control plane. */
function slipway(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [entryFile(import.meta.url, "../src/cli/main.ts"), ...args],
    { cwd: repository.directory, encoding: "utf8" },
  );
  expect([status, stderr]).toEqual([0, ""]);
  return stdout;
}

describe("a step on another machine", () => {
  it("is taken over when its agent is killed, outlives its control plane, and what it has made comes back", async () => {
    for (const name of ["pids", "go"]) rmSync(at(name), { force: true });
    const first = startAgent("first");
    const run = await beginRun(plane, repository, { steps: ["back"] });
    const [lost = 0] = await pids(1);
    first.kill("SIGKILL");
    await once(first, "exit");
    // The same machine again: what the dead agent had begun is ended before it asks for work.
    const second = startAgent("first");
    const [, again = 0] = await pids(2);
    expect(isAlive(lost, null)).toBe(false);

    plane.child.kill("SIGKILL");
    await plane.died;
    plane.client.close();
    plane = await startPlane(repository);
    writeFileSync(at("go"), "");
    const ended = await runWhen(plane, run, hasEnded);
    expect(stepOf(ended, "far")).toMatchObject({ phase: "passed", reason: "in attempt 2" });
    expect(await pids(2)).toEqual([lost, again]);
    expect(await logOf(plane, run, "back")).toBe("made-here\n10\n500\n");
    const log = await logOf(plane, run, "far");
    expect(log).toContain("token is ***");
    expect(log.match(/far-done/g)).toHaveLength(1);
    expect(log).not.toContain(secret);
    // Nothing of the agent's own is given to what it runs.
    expect(readFileSync(at("env"), "utf8")).not.toContain(readFileSync(tokenFile, "utf8"));
    await agents.stop(second);
  });

  it("is taken over by another machine when its own is cut off or its agent is killed, and who comes back late is refused", async () => {
    for (const name of ["go", "left", "right", "left-beside", "right-beside"])
      rmSync(at(name), { recursive: true, force: true });
    const run = await beginRun(plane, repository, { steps: ["both"] });
    // One after the other: each takes a step that nobody has.
    const cut = startAgent("cut-off", { token: await tokenOf("cut-off") });
    const cutStep = await Promise.race([begun("left"), begun("right")]);
    const killed = startAgent("killed", { token: await tokenOf("killed") });
    const deadStep = await begun(cutStep === "left" ? "right" : "left");
    const first = { left: await beginnings("left", 1), right: await beginnings("right", 1) };
    // One machine hears and says nothing any more, the other's agent is gone and is not started again.
    cut.kill("SIGSTOP");
    killed.kill("SIGKILL");
    const other = startAgent("other", { token: await tokenOf("other"), more: ["--concurrency", "2"] });
    // What it ran has ended with it, while its lease still held.
    await untilDead(first[deadStep][0] ?? 0);
    expect(await beginnings(deadStep, 1)).toEqual(first[deadStep]);
    const again = { left: await beginnings("left", 2), right: await beginnings("right", 2) };
    // Before the result of the second is told, the first comes back with its own.
    cut.kill("SIGCONT");
    expect(await agents.saying(cut, /is let go/)).toContain("not in the agent's hand any more");
    writeFileSync(at("go"), "");
    const ended = await runWhen(plane, run, hasEnded);
    expect(existsSync(at(`${deadStep}-beside`))).toBe(false);
    const madeBy = (step: "left" | "right") => again[step].find((pid) => !first[step].includes(pid));
    for (const step of ["left", "right"] as const) {
      expect(stepOf(ended, step)).toMatchObject({ phase: "passed", reason: "in attempt 2" });
      expect(await beginnings(step, 2)).toHaveLength(2);
    }
    expect(await logOf(plane, run, "both")).toBe(`made-by ${madeBy("left")}\nmade-by ${madeBy("right")}\n`);
    expect(await logOf(plane, run, "left")).toBe(`made-by ${madeBy("left")}\n`);
    // The one that came back goes on with other steps.
    await agents.stop(other);
    const next = await beginRun(plane, repository, { steps: ["quick"] });
    expect(stepOf(await runWhen(plane, next, hasEnded), "quick").phase).toBe("passed");
    await agents.stop(cut);
  });

  // Where it had not ended it is run again; where it had, its end is told by the guard.
  it.each<readonly [Boundary, number]>([
    ["workspace half", 2],
    ["log sent", 2],
    ["made to send", 1],
    ["made sent", 1],
    ["end to tell", 1],
    ["end told", 1],
  ])("ends right, and has its effect once, when its agent is killed there: %s", async (boundary, attempts) => {
    for (const name of ["may", "effects"]) rmSync(at(name), { force: true });
    const crashFile = at("crash");
    writeFileSync(crashFile, boundary);
    if (boundary !== "log sent") writeFileSync(at("may"), "");
    const token = await tokenOf("dying");
    const killed = startAgent("dying", { token, crashFile });
    const gone = once(killed, "exit");
    const run = await beginRun(plane, repository, { steps: ["did"] });
    expect(await gone).toEqual([null, "SIGKILL"]);
    const again = startAgent("dying", { token });
    // It waits for the guard: nothing of the first runs any more.
    await agents.saying(again, /waits for steps/);
    writeFileSync(at("may"), "");
    const ended = await runWhen(plane, run, hasEnded);
    const reason = attempts === 1 ? "" : "in attempt 2";
    expect(stepOf(ended, "does")).toMatchObject({ phase: "passed", reason });
    // Of each attempt that printed something.
    expect(await logOf(plane, run, "does")).toBe(`${boundary === "log sent" ? "begun\n" : ""}begun\ndone\n`);
    const effects = readFileSync(at("effects"), "utf8");
    expect(effects.trim().split("\n")).toHaveLength(1);
    expect(await logOf(plane, run, "did")).toBe(effects);
    await agents.stop(again);
  });

  it("goes to another at once when its agent's token is revoked, which then gets nothing any more", async () => {
    for (const name of ["pids", "go"]) rmSync(at(name), { force: true });
    const token = await tokenOf("sold");
    const revoked = startAgent("sold", { token });
    const run = await beginRun(plane, repository, { steps: ["far"] });
    const [lost = 0] = await pids(1);
    const other = startAgent("other", { token: await tokenOf("other") });
    await agents.saying(other, /waits for steps/);
    const asked = { product: "probe", agent: "sold", actor: "ada", reason: "the machine was sold" };
    const gone = once(revoked, "exit");
    const since = Date.now();
    const answer = await plane.client.post<{ given: unknown }>("/v1/agent-revocations", asked);
    expect(answer).toEqual({ agent: "sold", isKnown: true, given: [{ run, step: expect.any(String) }] });
    await pids(2);
    // Not when a lease is over.
    expect(Date.now() - since).toBeLessThan(20_000);
    expect(await gone).toEqual([2, null]);
    expect(agents.saidBy(revoked)).toContain("the control plane refuses this agent");
    expect(isAlive(lost, null)).toBe(false);
    writeFileSync(at("go"), "");
    expect(stepOf(await runWhen(plane, run, hasEnded), "far")).toMatchObject({
      phase: "passed",
      reason: "in attempt 2",
    });
    const ask = async (text: string) =>
      (
        await fetch(`http://127.0.0.1:${port}/agent/anew`, {
          method: "POST",
          headers: { authorization: `Bearer ${text}`, "content-type": "application/json" },
          body: "{}",
        })
      ).status;
    expect(await ask(readFileSync(token, "utf8"))).toBe(401);
    expect(slipway("agents")).toMatch(/sold .*revoked .* by ada: the machine was sold/);
    expect(slipway("history")).toContain("the machine was sold");
    // One that is made afterwards holds.
    expect(await ask(readFileSync(await tokenOf("sold"), "utf8"))).toBe(200);
    await agents.stop(other);
  });

  it("is asked for again when a proxy in between answers for the control plane, and the agent says so", async () => {
    const wrong = [
      { status: 404, body: "<h1>404 page not found</h1>" },
      { status: 403, body: "Forbidden by policy" },
      { status: 401, body: "" },
      { status: 200, body: "<h1>Sign in to the guest network</h1>" },
    ];
    const proxy = createServer((request, response) => {
      const instead = wrong.shift();
      if (instead !== undefined) {
        request.resume();
        response.writeHead(instead.status, { "content-type": "text/html" }).end(instead.body);
        return;
      }
      const { method, url, headers } = request;
      const on = forward({ host: "127.0.0.1", port, method, path: url, headers }, (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      });
      on.on("error", () => response.destroy());
      response.on("close", () => on.destroy());
      request.pipe(on);
    });
    proxy.listen(0, "127.0.0.1");
    await once(proxy, "listening");
    try {
      const to = (proxy.address() as AddressInfo).port;
      const agent = startAgent("behind", { token: await tokenOf("behind"), to, more: ["--once"] });
      const gone = once(agent, "exit");
      const run = await beginRun(plane, repository, { steps: ["quick"] });
      expect(stepOf(await runWhen(plane, run, hasEnded), "quick").phase).toBe("passed");
      await gone;
      expect(agent.exitCode).toBe(0);
      for (const status of [404, 403, 401, 200])
        expect(agents.saidBy(agent)).toContain(`something in between answered ${status}, and not the control plane`);
      expect(agents.saidBy(agent)).toContain("404 page not found");
    } finally {
      proxy.closeAllConnections();
      proxy.close();
    }
  });

  it("waits for an agent with its labels, says who there is, and ends at its own timeout", async () => {
    const seen = async () => (await plane.client.get<{ agents: { agent: string }[] }>("/v1/agents")).agents;
    startAgent("third");
    while ((await seen()).length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
    const run = await beginRun(plane, repository, { steps: ["nowhere"] });
    const { reason } = stepOf(await runWhen(plane, run, hasEnded), "nowhere");
    expect(reason).toContain(
      "could not be started: after 1s it still waits for an agent with gpu; there are one (linux)",
    );
  });

  it("is not begun by an agent that is started wrongly: it says what is wrong", async () => {
    const agent = (...args: string[]) => {
      const all = ["agent", "--labels", "linux", "--directory", at("wrong"), ...args];
      return spawnSync(process.execPath, [entryFile(import.meta.url, "../src/cli/main.ts"), ...all], {
        encoding: "utf8",
      });
    };
    const here = ["--control-plane", `http://127.0.0.1:${port}`];
    const cases: readonly (readonly [readonly string[], string])[] = [
      [["--control-plane", "nowhere", "--token-file", tokenFile], "is no address"],
      [["--control-plane", "http://example.org", "--token-file", tokenFile], "in clear"],
      [[...here, "--token-file", at("absent")], "cannot be read"],
    ];
    for (const [args, words] of cases) {
      const { status, stderr } = agent(...args);
      expect([status, stderr]).toEqual([2, expect.stringContaining(words)]);
    }
  });

  it("is handed out to nobody without a token, nor beyond its labels", async () => {
    const ask = async (token: string, labels: string[]) => {
      const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
      const url = `http://127.0.0.1:${port}/agent/leases`;
      return (await fetch(url, { method: "POST", headers, body: JSON.stringify({ labels }) })).status;
    };
    expect(await ask("x", ["linux"])).toBe(401);
    expect(await ask(readFileSync(tokenFile, "utf8"), ["gpu"])).toBe(403);
  });
});
