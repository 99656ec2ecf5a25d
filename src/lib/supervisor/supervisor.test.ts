import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openSupervisor, type Supervisor, type SupervisorOptions } from "./client.ts";
import type { InstanceReport, UnitSpec } from "./contract.ts";
import { hasProc, isAlive, readStat, signal } from "./procfs.ts";

const never = new AbortController().signal;
const patienceMs = 15_000;

let directory: string;
let supervisor: Supervisor;

beforeEach(async () => {
  directory = realpathSync(mkdtempSync(join(tmpdir(), "supervisor-")));
  supervisor = await openSupervisor({ directory });
});

afterEach(async () => {
  await supervisor.shutdown();
  await supervisor.close();
  rmSync(directory, { recursive: true, force: true });
});

const sleeper = ["sleep", "1000"];

function unit(key: string, command: readonly string[], more: Partial<UnitSpec> = {}): UnitSpec {
  return {
    key,
    labels: { kind: "test" },
    notes: {},
    mode: "service",
    command,
    cwd: directory,
    env: { PATH: process.env.PATH ?? "" },
    idVariable: null,
    port: false,
    stopGraceMs: 500,
    memoryBytes: null,
    cpus: null,
    ...more,
  };
}

const script = (source: string) => [process.execPath, "-e", source];

test("a killed daemon disturbs nothing: the next one finds its processes, reads on, and restarts what dies", async () => {
  const ticker = script("let i = 0; setInterval(() => console.log('tick ' + i++), 20)");
  const before = (await supervisor.ensure(unit("a", ticker, { port: true }), 2)).instances;
  await eventually(async () => (await texts("a.0")).length > 5);
  await killDaemon();
  expect(before.every(({ pid }) => isAlive(pid ?? 0, null))).toBe(true);
  const after = await instances("a");
  expect(after.map(({ pid, port, state }) => ({ pid, port, state }))).toEqual(
    before.map(({ pid, port, state }) => ({ pid, port, state })),
  );
  const count = (await texts("a.0")).length;
  await eventually(async () => (await texts("a.0")).length > count + 5);
  const ticks = (await texts("a.0")).map((text) => Number(text.split(" ")[1]));
  // At the kill the lines of one look may come twice; none is missing.
  expect([...new Set(ticks)]).toEqual(Array.from({ length: Math.max(...ticks) + 1 }, (_, i) => i));
  signal(before[0]?.pid ?? 0, "SIGKILL");
  const restarted = await eventually(async () => {
    const [first] = await instances("a");
    return first?.pid !== before[0]?.pid && first?.state === "running" && first;
  });
  expect(restarted).toMatchObject({ restarts: 1, port: before[0]?.port });
  await supervisor.ensure(unit("a", ticker, { port: true }), 1);
  expect(isAlive(before[1]?.pid ?? 0, null)).toBe(false);
});

test("what dies while no daemon lives is started again by the next one, and a job's unseen end is no success", async () => {
  const [service] = (await supervisor.ensure(unit("a", sleeper), 1)).instances;
  const [job] = (await supervisor.ensure(unit("j", sleeper, { mode: "job" }), 1)).instances;
  await killDaemon();
  for (const each of [service, job]) signal(each?.pid ?? 0, "SIGKILL");
  await eventually(() => !isAlive(service?.pid ?? 0, null) && !isAlive(job?.pid ?? 0, null));
  const again = await eventually(async () => {
    const [first] = await instances("a");
    return first?.state === "running" && first;
  });
  expect(again.pid).not.toBe(service?.pid);
  expect(again.restarts).toBe(1);
  const ended = await eventually(async () => {
    const [first] = await instances("j");
    return first?.state === "exited" && first;
  });
  expect(ended).toMatchObject({ lastExit: { code: null, signal: null } });
});

test.runIf(hasProc)("a stranger who has the pid of a process that died is neither adopted nor harmed", async () => {
  const [mine] = (await supervisor.ensure(unit("a", sleeper), 1)).instances;
  const file = join(directory, "supervisor.json");
  await eventually(() => readFileSync(file, "utf8").includes(`"pid":${mine?.pid}`));
  await killDaemon();
  signal(mine?.pid ?? 0, "SIGKILL");
  const state = readFileSync(file, "utf8");
  // Pids do not come round within a tick of the kernel's clock (10 ms): only a test's stranger could be as old as that process.
  const stranger = await eventually(() => {
    const younger = spawn("sleep", ["1000"], { detached: true, stdio: "ignore" });
    const ticks = readStat(younger.pid ?? 0)?.startTicks;
    if (!state.includes(`"startTicks":${ticks},`)) return younger;
    younger.kill("SIGKILL");
    return null;
  });
  writeFileSync(file, state.replaceAll(`"pid":${mine?.pid}`, `"pid":${stranger.pid}`));
  const now = await eventually(async () => {
    const [first] = await instances("a");
    return first?.state === "running" && first;
  });
  expect(now.pid).not.toBe(stranger.pid);
  await supervisor.remove("a");
  expect(isAlive(stranger.pid ?? 0, null)).toBe(true);
  stranger.kill("SIGKILL");
  await once(stranger, "exit");
});

test.runIf(hasProc)("a process that was started and never written down is taken over, not started twice", async () => {
  const spec = unit("a", sleeper, { port: true });
  const [before] = (await supervisor.ensure(spec, 1)).instances;
  await killDaemon();
  rmSync(join(directory, "supervisor.json"));
  expect(await instances("a")).toEqual([]);
  const [after] = (await supervisor.ensure(spec, 1)).instances;
  expect(after).toMatchObject({ pid: before?.pid, port: before?.port, state: "running" });
});

test("a broken state file is put aside, not overwritten, and what runs is found by its mark", async () => {
  const spec = unit("a", sleeper);
  const [before] = (await supervisor.ensure(spec, 1)).instances;
  await killDaemon();
  writeFileSync(join(directory, "supervisor.json"), '{"version":1,"uni');
  const [after] = (await supervisor.ensure(spec, 1)).instances;
  if (hasProc) expect(after?.pid).toBe(before?.pid);
  const aside = readdirSync(directory).filter((name) => name.startsWith("supervisor.json.broken-"));
  expect(aside).toHaveLength(1);
});

test("clients that open at the same time get one daemon, also over a dead one's socket", async () => {
  await supervisor.ensure(unit("a", sleeper), 1);
  await killDaemon();
  const clients = await Promise.all(Array.from({ length: 6 }, () => openSupervisor({ directory })));
  const seen = await Promise.all(clients.map((client) => client.observe({})));
  expect(new Set(seen.map((units) => units[0]?.instances[0]?.pid)).size).toBe(1);
  await Promise.all(clients.map((client) => client.close()));
  if (hasProc) await eventually(() => daemons().length === 1);
});

test("a watch and a followed log go on over a daemon's death", async () => {
  const stop = new AbortController();
  const spec = unit("a", script("let i = 0; setInterval(() => console.log('n ' + i++), 50)"));
  const [first] = (await supervisor.ensure(spec, 1)).instances;
  const updates = supervisor.watch({ key: "a" }, stop.signal);
  await updates.next();
  const lines: string[] = [];
  const reading = (async () => {
    for await (const { text } of supervisor.logs({ selector: { key: "a" }, tail: 0, follow: true }, stop.signal)) {
      lines.push(text);
    }
  })();
  await eventually(() => lines.length > 3);
  await killDaemon();
  const count = lines.length;
  await eventually(() => lines.length > count + 3);
  signal(first?.pid ?? 0, "SIGKILL");
  const changed = await eventually(async () => {
    const { value } = await updates.next();
    return value?.[0]?.instances[0]?.restarts === 1;
  });
  expect(changed).toBe(true);
  stop.abort();
  await reading;
});

test("a socket that a cleaner removed is made again, and no second daemon starts meanwhile", async () => {
  const [before] = (await supervisor.ensure(unit("a", sleeper), 1)).instances;
  rmSync(join(directory, "supervisor.sock"));
  expect((await instances("a"))[0]?.pid).toBe(before?.pid);
  if (hasProc) await eventually(() => daemons().length === 1);
});

test("a process that floods its output fills no disk, starves nobody, and what is left out is said", async () => {
  await reopen({ logs: { maxBytes: 200_000, keep: 2 } });
  await supervisor.ensure(unit("flood", ["yes", "x".repeat(100)]), 1);
  await eventually(async () => (await texts("flood.0", "supervisor")).some((text) => /^dropped \d+ bytes/.test(text)));
  // While it goes on.
  await supervisor.ensure(unit("b", sleeper), 1);
  const logs = join(directory, "logs");
  const sizes = readdirSync(logs).map((name) => statSync(join(logs, name)).size);
  expect(sizes.length).toBeLessThanOrEqual(4);
  for (const size of sizes) expect(size).toBeLessThan(450_000); // one look may pass the limit of a file
  await supervisor.ensure(unit("flood", ["yes"]), 0);
  for (const name of readdirSync(join(directory, "output"))) {
    expect(statSync(join(directory, "output", name)).size).toBeLessThan(20_000_000);
  }
});

test("an instance keeps its port, and gets another when a stranger has taken it", async () => {
  const [before] = (await supervisor.ensure(unit("a", sleeper, { port: true }), 1)).instances;
  const port = before?.port ?? 0;
  const stranger = createServer().listen(port, "127.0.0.1");
  await once(stranger, "listening");
  signal(before?.pid ?? 0, "SIGKILL");
  const after = await eventually(async () => {
    const [first] = await instances("a");
    return first?.state === "running" && first.pid !== before?.pid && first;
  });
  expect(after.port).not.toBe(port);
  stranger.close();
  const said = await texts("a.0", "supervisor");
  expect(said).toContain(`port ${port} is taken by another program; it gets another one`);
});

test("a command is told from another for when a path has gone, and each start looks anew", async () => {
  const there = join(directory, "there");
  writeFileSync(there, "");
  const spec = unit("a", ["sh", "-c", "echo held; exec sleep 1000"], {
    otherwise: { without: there, command: ["sh", "-c", "echo gone; exec sleep 1000"] },
  });
  const [first] = (await supervisor.ensure(spec, 1)).instances;
  await eventually(async () => (await texts("a.0")).includes("held"));
  rmSync(there);
  signal(first?.pid ?? 0, "SIGKILL");
  await eventually(async () => (await texts("a.0")).includes("gone"));
});

test("no free port in the range is an error that says so", async () => {
  const stranger = createServer().listen(0, "127.0.0.1");
  await once(stranger, "listening");
  const { port } = stranger.address() as { port: number };
  await reopen({ ports: { from: port, to: port } });
  const failure = supervisor.ensure(unit("a", sleeper, { port: true }), 1);
  await expect(failure).rejects.toMatchObject({ code: "NO_PORT" });
  stranger.close();
});

test.runIf(hasProc)("a forked process that left the group ends with its instance", async () => {
  const source = `
    const child = require("node:child_process").spawn("sleep", ["1000"], { detached: true, stdio: "ignore" });
    require("node:fs").writeFileSync("child", String(child.pid));
    setInterval(() => {}, 1000);`;
  await supervisor.ensure(unit("a", script(source)), 1);
  const child = await eventually(() => Number(readFileSync(join(directory, "child"), "utf8")));
  expect(isAlive(child, null)).toBe(true);
  await supervisor.ensure(unit("a", script(source)), 0);
  expect(isAlive(child, null)).toBe(false);
});

test("a changed spec leaves what runs alone and holds from the next start", async () => {
  const [before] = (await supervisor.ensure(unit("a", sleeper), 1)).instances;
  const changed = unit("a", ["sh", "-c", "echo changed; sleep 1000"]);
  expect((await supervisor.ensure(changed, 1)).instances[0]?.pid).toBe(before?.pid);
  signal(before?.pid ?? 0, "SIGKILL");
  await eventually(async () => (await texts("a.0")).includes("changed"));
});

test("ensure and stop that come together end as the last one said", async () => {
  const spec = unit("a", sleeper);
  await Promise.all([3, 0, 2, 0, 1].map((count) => supervisor.ensure(spec, count)));
  const running = (await instances("a")).filter(({ state }) => state === "running");
  expect(running.map(({ index }) => index)).toEqual([0]);
});

test("garbage on the socket is answered with an error and harms nobody", async () => {
  await supervisor.ensure(unit("a", sleeper), 1);
  expect(await say("garbage\n")).toContain("BAD_REQUEST");
  expect(await say(`{"call":"observe","selector":{"key":7}}\n`)).toContain("BAD_REQUEST");
  expect(await say(`${"x".repeat(1_100_000)}\n`)).toContain("BAD_REQUEST");
  expect(await instances("a")).toHaveLength(1);
  expect(statSync(join(directory, "supervisor.sock")).mode & 0o777).toBe(0o600);
  expect(statSync(join(directory, "supervisor.json")).mode & 0o777).toBe(0o600);
});

test("a daemon that is asked to leave, as for an upgrade, gives way to a new one and everything runs on", async () => {
  const [before] = (await supervisor.ensure(unit("a", sleeper, { port: true }), 1)).instances;
  expect(await say('{"call":"leave"}\n')).toBe('{"done":null}\n');
  const after = (await instances("a"))[0];
  expect(after).toMatchObject({ pid: before?.pid, port: before?.port, state: "running", restarts: 0 });
});

test("shutdown leaves nothing running, and the next daemon knows the units as stopped", async () => {
  const report = await supervisor.ensure(unit("a", sleeper), 2);
  await supervisor.shutdown();
  for (const { pid } of report.instances) expect(isAlive(pid ?? 0, null)).toBe(false);
  expect(existsSync(join(directory, "supervisor.sock"))).toBe(false);
  // Whoever was late starts nothing, and no daemon either.
  const late = [supervisor.ensure(unit("b", sleeper), 1), supervisor.observe({})];
  for (const each of late) await expect(each).rejects.toMatchObject({ code: "UNREACHABLE" });
  expect(existsSync(join(directory, "supervisor.sock"))).toBe(false);
  supervisor = await openSupervisor({ directory });
  expect((await instances("a")).map(({ state }) => state)).toEqual(["stopped", "stopped"]);
});

test("a full disk loses log lines and refuses new work with words, and stops no process", async (context) => {
  const disk = join(directory, "disk");
  mkdirSync(disk);
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", disk]).status === 0;
  if (!mounted) return context.skip("this user may not mount a small disk");
  const full = await openSupervisor({ directory: disk });
  try {
    const source = "let i = 0; setInterval(() => console.log('line ' + i++), 20)";
    const [before] = (await full.ensure(unit("a", script(source), { cwd: "/" }), 1)).instances;
    await eventually(async () => (await textsOf(full, "a.0")).length > 3);
    fill(join(disk, "filler"));
    const failure = await full.ensure(unit("b", sleeper, { cwd: "/" }), 1).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "NO_SPACE" });
    const [during] = (await full.observe({ key: "a" }))[0]?.instances ?? [];
    expect(during).toMatchObject({ pid: before?.pid, state: "running", restarts: 0 });
    rmSync(join(disk, "filler"));
    const count = (await textsOf(full, "a.0")).length;
    await eventually(async () => (await textsOf(full, "a.0")).length > count + 3);
    expect((await full.ensure(unit("b", sleeper, { cwd: "/" }), 1)).instances[0]?.state).toBe("running");
    expect((await full.observe({ key: "a" }))[0]?.instances[0]?.pid).toBe(before?.pid);
  } finally {
    rmSync(join(disk, "filler"), { force: true });
    await full.shutdown();
    await full.close();
    await eventually(() => spawnSync("umount", [disk]).status === 0);
  }
});

/** Writes until the disk takes no byte more. */
function fill(file: string): void {
  for (const size of [64 * 1024, 4096, 1]) {
    try {
      for (;;) writeFileSync(file, Buffer.alloc(size), { flag: "a" });
    } catch {}
  }
}

async function reopen(options: Omit<SupervisorOptions, "directory">): Promise<void> {
  await supervisor.shutdown();
  await supervisor.close();
  supervisor = await openSupervisor({ directory, ...options });
}

async function instances(key: string): Promise<readonly InstanceReport[]> {
  return (await supervisor.observe({ key }))[0]?.instances ?? [];
}

function texts(instance: string, stream = "stdout"): Promise<string[]> {
  return textsOf(supervisor, instance, stream);
}

async function textsOf(from: Supervisor, instance: string, stream = "stdout"): Promise<string[]> {
  const found: string[] = [];
  const selector = { key: instance.slice(0, instance.lastIndexOf(".")) };
  for await (const record of from.logs({ selector, tail: null, follow: false }, never)) {
    if (record.instance === instance && record.stream === stream) found.push(record.text);
  }
  return found;
}

async function killDaemon(): Promise<void> {
  const { pid } = JSON.parse(readFileSync(join(directory, "supervisor.pid"), "utf8")) as { pid: number };
  process.kill(pid, "SIGKILL");
  await eventually(() => !isAlive(pid, null));
}

/** Living daemons of this directory. */
function daemons(): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => {
      if (!(pid > 0) || readStat(pid) === null) return false;
      try {
        const args = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
        return args.includes(directory) && args.some((arg) => arg.endsWith("daemon.js"));
      } catch {
        return false;
      }
    });
}

/** What the daemon answers to raw bytes. */
async function say(bytes: string): Promise<string> {
  const socket = connect(join(directory, "supervisor.sock"));
  socket.on("error", () => undefined);
  socket.write(bytes);
  let answer = "";
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}

async function eventually<T>(look: () => T | Promise<T>): Promise<Exclude<T, false | null | undefined>> {
  const until = performance.now() + patienceMs;
  for (;;) {
    let error: unknown = new Error("what was waited for did not come");
    try {
      const value = await look();
      if (value) return value as Exclude<T, false | null | undefined>;
    } catch (thrown) {
      error = thrown;
    }
    if (performance.now() > until) throw error;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
