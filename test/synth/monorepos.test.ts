import { execFile, execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { synthAt } from "../../src/cli/commands/synth.ts";
import { type Contexts, runShellSteps } from "./github-run.fixture.ts";

const cli = fileURLToPath(new URL("../../bin/slipway.js", import.meta.url));

const request: Contexts = {
  github: {
    event_name: "pull_request",
    ref: "refs/pull/1/merge",
    ref_name: "1/merge",
    ref_type: "branch",
    head_ref: "x",
  },
  vars: { SLIPWAY_STATE_DIR: "" },
};

/** The example's own tests, once by Slipway's pipeline and once by the lines of the workflow, in a clean clone. */
it.each([
  ["workspaces", ["install", "unit[PACKAGE=cart]", "unit[PACKAGE=web]"], "pass 3"],
  ["mixed", ["api/unit", "scorer/unit"], "Ran 2 tests"],
])(
  "the tests of the monorepo %s pass by Slipway's pipeline and by the workflow that synth writes",
  async (name, steps, said) => {
    const directory = mkdtempSync(join(tmpdir(), "slipway-monorepo-"));
    const at = join(directory, "repository");
    const git = (...args: string[]): string =>
      execFileSync("git", ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", ...args], {
        cwd: at,
        encoding: "utf8",
      });
    const slipway = (...args: string[]) =>
      promisify(execFile)(process.execPath, [cli, ...args], { cwd: at, env: { ...process.env, NO_COLOR: "1" } });
    cpSync(fileURLToPath(new URL(`../../examples/monorepos/${name}`, import.meta.url)), at, { recursive: true });
    try {
      git("init", "--quiet", "--initial-branch=main");
      const lines: string[] = [];
      const out = { mode: "plain", line: (text = "") => void lines.push(text), json: () => {} } as const;
      git("add", "--all");
      expect(await synthAt(at, [], {}, out), lines.join("\n")).toBe(0);
      git("add", "--all");
      git("commit", "--quiet", "-m", "feat: first");
      const clean = join(directory, "clean");
      git("clone", "--quiet", at, clean);
      const workflow = git("show", "HEAD:.github/workflows/slipway.yml");
      const told = await runShellSteps(workflow, { directory: clean, contexts: request, path: process.env.PATH ?? "" });
      expect(
        told.map(({ step, code }) => [step, code]),
        told.at(-1)?.output,
      ).toEqual(steps.map((step) => [step, 0]));
      expect(told.at(-1)?.output).toContain(said);
      const run = await slipway("run");
      expect(run.stdout).toMatch(/passed/);
    } finally {
      await slipway("down", "--all").catch(() => {});
      rmSync(directory, { recursive: true, force: true });
    }
  },
);
