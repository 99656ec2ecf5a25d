import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, it } from "vitest";
import { freePort } from "../../src/testing/ports.ts";
import { walkJenkinsfile } from "./jenkins.fixture.ts";
import { type SynthTest, services, synthTest } from "./product.fixture.ts";

const cli = fileURLToPath(new URL("../../bin/slipway.js", import.meta.url));
/** Whatever Jenkins or a shell would put in for any of it is seen. */
const odd = "$HOME ${PATH} $$ $(touch pwned) \\ it's";

let test: SynthTest;
let bin: string;
beforeEach(() => {
  test = synthTest();
  bin = mkdtempSync(join(tmpdir(), "slipway-bin-"));
  symlinkSync(cli, join(bin, "slipway"));
});
afterEach(() => {
  test.remove();
  rmSync(bin, { recursive: true, force: true });
});

const slipway = (...args: string[]) =>
  promisify(execFile)(process.execPath, [cli, ...args], {
    cwd: test.directory,
    env: { ...process.env, NO_COLOR: "1", COLUMNS: "200" },
  });

it("branch, parameters and variables with signs of Jenkins and of a shell reach a step, Slipway and the history as they are", async () => {
  const show = (more: object) => ({
    shell: `printf '%s|%s|%s\n' "$SLIPWAY_PARAM_WHO" "$SLIPWAY_PARAM_LEVEL" "$ODD"`,
    ...more,
  });
  const port = await freePort();
  test.configure({
    name: "shop",
    services,
    pipeline: {
      steps: {
        show: show({ matrix: { ODD: [odd, "other"] } }),
        branch: show({ env: { ODD: "" }, when: { branch: ["feature/$HOME"] } }),
        elsewhere: show({ env: { ODD: "" }, when: { branch: ["feature/*/x"] } }),
      },
      parameters: { who: {}, level: { default: "quick", allowed: ["quick", "full"] } },
    },
    synth: { jenkins: true, branch: "main" },
    environments: { staging: { edge: { listen: `127.0.0.1:${port}` }, rollout: { bake: "500ms" } } },
  });
  const made = await test.synth();
  expect(made.code, made.text).toBe(0);
  test.git("add", "--all");
  test.git("commit", "--quiet", "-m", "ci: synth");
  try {
    await expect(slipway("deploy", "--env", "staging")).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/a parameter is not right\s+who +must be given: any text/),
    });
    await expect(slipway("deploy", "--env", "staging", "--release", "r1", "--param", "who=ada")).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining("it is made already"),
    });
    await expect(slipway("deploy", "--env", "staging", "--param", "wo=ada")).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining("did you mean who?"),
    });
    const told = await walkJenkinsfile({
      jenkinsfile: join(test.directory, "Jenkinsfile"),
      run: {
        directory: test.directory,
        env: {
          PATH: `${bin}:${process.env.PATH}`,
          SLIPWAY_STATE_DIR: join(test.directory, ".slipway"),
          BRANCH_NAME: "feature/$HOME",
          BUILD_TAG: "jenkins-$HOME-1",
          SLIPWAY_PARAM_WHO: odd,
          SLIPWAY_PARAM_LEVEL: "full",
        },
      },
    });
    expect(told.filter((line) => line.startsWith("exit "))).toEqual(Array(5).fill("exit 0"));
    expect(told).toContain(`${odd}|full|${odd}`);
    expect(told).toContain(`${odd}|full|other`);
    expect(told).toContain(`${odd}|full|`);
    expect(told).toContain("elsewhere is left out: only on feature/*/x");
    expect(told.join("\n")).toMatch(/staging +queued +Jenkins, jenkins-\$HOME-1\n/);
    const { runs } = JSON.parse((await slipway("runs", "--json")).stdout);
    const { stdout: log } = await slipway("logs", "--run", runs[0].id);
    expect(log).toContain(`${odd}|full|${odd}`);

    // Made with these parameters already; with others the commit has to pass once more.
    const release = async (level: string) => {
      await slipway("deploy", "--env", "staging", "--param", `who=${odd}`, "--param", `level=${level}`);
      return JSON.parse((await slipway("releases", "--json")).stdout).releases.length;
    };
    expect(await release("full")).toBe(1);
    expect(await release("quick")).toBe(2);
  } finally {
    await slipway("down", "--all");
  }
});
