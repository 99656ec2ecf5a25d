import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { StepJob } from "../../../ports/executor.ts";
import { whyNotExecutable } from "./executable.ts";
import { Fence } from "./fence.ts";

// A space and a backslash: they have a meaning in the table of mounts.
const repository = realpathSync(mkdtempSync(join(tmpdir(), "slipway fence\\")));
const state = join(repository, "state");
const own = join(state, "runs", "own");
const token = join(tmpdir(), `slipway-fence-token-${process.pid}`);
mkdirSync(join(repository, ".git"));
mkdirSync(state);
const fence = await Fence.open({ directory: state, files: [token] });

beforeAll(() => {
  for (const directory of ["own/source", "own/room", "other"])
    mkdirSync(join(state, "runs", directory), { recursive: true });
  writeFileSync(join(state, "secrets.key"), "key");
  writeFileSync(join(repository, ".git", "config"), "[core]\n");
  writeFileSync(token, "token");
});
afterAll(() => {
  for (const path of [repository, token]) rmSync(path, { recursive: true, force: true });
});

function jobOf(command: readonly string[], env: Readonly<Record<string, string>> = {}): StepJob {
  const source = join(own, "source");
  return {
    ...{ key: "step", labels: {}, command, directory: source, sees: [source], secrets: [], room: join(own, "room") },
    ...{ env: { PATH: "/usr/bin:/bin", ...env }, timeoutMs: 1_000, outputBytes: 1_000 },
    ...{ disk: { directory: own, maxBytes: 1_000 }, container: null, away: null },
  };
}

type More = { readonly env?: Record<string, string>; readonly processes?: number; readonly hasDied?: boolean };

async function inside(line: string, more: More = {}) {
  if (typeof fence === "string") throw new Error(fence);
  const job = jobOf(["/bin/sh", "-c", line], more.env);
  const { command, otherwise, env, started } = await fence.around(job, { processes: more.processes ?? null });
  expect(existsSync(otherwise.without)).toBe(true);
  const [program = "", ...args] = more.hasDied ? otherwise.command : command;
  const ended = spawnSync(program, args, { cwd: job.directory, env: { ...env }, encoding: "utf8" });
  started();
  return ended;
}

describe.runIf(typeof fence !== "string")("the fence around a step", () => {
  it.each<[string, More]>([
    ["in the namespace of a run", {}],
    ["with a bound of its processes", { processes: 4_096 }],
    ["in one of its own, when who held that has died", { hasDied: true }],
  ])("hides the state directory but the step's own paths, and single files, and takes no write: %s", async (_, how) => {
    const { stdout } = await inside(
      `pwd; echo made > made; ls ../..; ls -A ../../..; cat ${token}; { echo x > ../../../x; } 2> /dev/null || echo refused`,
      how,
    );
    expect(stdout).toBe(`${join(own, "source")}\nown\nruns\nrefused\n`);
    expect(readFileSync(join(own, "source", "made"), "utf8")).toBe("made\n");
    expect(existsSync(join(state, "x"))).toBe(false);
    // Nothing of it is mounted out here.
    expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain("fence");
  });

  it("lets a step read the repository around it, and nobody have the control plane's git run what the step has written there", async () => {
    const git = join(repository, ".git");
    writeFileSync(join(own, "source", "evil"), "[core]\n\tsshCommand = touch /evil\n");
    const { stdout } = await inside(
      [
        `cat '${git}/config'`,
        `{ cat evil >> '${git}/config'; } 2> /dev/null || echo refused`,
        `mv '${git}' '${git}-old' 2> /dev/null || echo kept`,
        `umount '${git}' 2> /dev/null || echo held`,
        `mount -o remount,bind,rw '${git}' 2> /dev/null || echo sealed`,
      ].join("; "),
    );
    expect(stdout).toBe("[core]\nrefused\nkept\nheld\nsealed\n");
    expect(readFileSync(join(git, "config"), "utf8")).toBe("[core]\n");
  });

  it("leaves process, group, exit code, signal and environment as they are", async () => {
    expect((await inside("exit 7")).status).toBe(7);
    expect((await inside("kill -9 $$")).signal).toBe("SIGKILL");
    const { stdout, pid } = await inside("echo $$; env", { env: { A: "b c", LD_LIBRARY_PATH: "/lib-of-the-step" } });
    const [shell, ...env] = stdout.trim().split("\n");
    expect(Number(shell)).toBe(pid);
    expect(env.filter((each) => !/^(PWD|_|SHLVL|OLDPWD)=/.test(each)).toSorted()).toEqual([
      "A=b c",
      "LD_LIBRARY_PATH=/lib-of-the-step",
      "PATH=/usr/bin:/bin",
    ]);
  });

  it("is put up by the system's own tools, whatever the step's PATH and loader say", async () => {
    writeFileSync(join(own, "source", "mount"), `#!/bin/sh\ntouch ${join(own, "source", "taken")}\n`, { mode: 0o755 });
    const { stdout } = await inside("/bin/ls -A ../../..", {
      env: { PATH: join(own, "source"), LD_PRELOAD: "/nothing.so" },
    });
    expect(stdout).toBe("runs\n");
    expect(existsSync(join(own, "source", "taken"))).toBe(false);
  });
});

describe("a command that cannot be executed", () => {
  it("is said as the system says it", () => {
    expect(whyNotExecutable(jobOf(["sh"]))).toBeNull();
    expect(whyNotExecutable(jobOf(["/bin/sh"]))).toBeNull();
    expect(whyNotExecutable(jobOf(["nothing-like-it"]))).toBe(
      "command not found: nothing-like-it on PATH (/usr/bin:/bin)",
    );
    expect(whyNotExecutable(jobOf(["./nothing"]))).toBe("command not found: ./nothing");
    writeFileSync(join(own, "source", "plain"), "");
    expect(whyNotExecutable(jobOf(["./plain"]))).toBe("not allowed to execute ./plain");
  });
});
