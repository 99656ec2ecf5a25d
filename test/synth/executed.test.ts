import { execFile } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, it } from "vitest";
import { parse } from "yaml";
import { freePort } from "../../src/testing/ports.ts";
import { type Contexts, runShellSteps } from "./github-run.fixture.ts";
import { type SynthTest, services, synthTest } from "./product.fixture.ts";

const cli = fileURLToPath(new URL("../../bin/slipway.js", import.meta.url));
const workflow = ".github/workflows/slipway.yml";

let test: SynthTest;
let clean: string;
beforeEach(() => {
  test = synthTest();
  clean = mkdtempSync(join(tmpdir(), "slipway-clean-"));
});
afterEach(() => {
  test.remove();
  rmSync(clean, { recursive: true, force: true });
});

const slipway = (...args: string[]) =>
  promisify(execFile)(process.execPath, [cli, ...args], {
    cwd: test.directory,
    env: { ...process.env, NO_COLOR: "1" },
  });

/** A runner's directory: a clone of what was pushed, and a PATH with the slipway of its machine. */
function cloned(name: string): { readonly directory: string; readonly path: string } {
  const directory = join(clean, name);
  test.git("clone", "--quiet", test.directory, directory);
  const bin = join(clean, "bin");
  mkdirSync(bin, { recursive: true });
  rmSync(join(bin, "slipway"), { force: true });
  symlinkSync(cli, join(bin, "slipway"));
  return { directory, path: `${bin}:${process.env.PATH}` };
}

const pushOf = (sha: string, more: Readonly<Record<string, string>> = {}): Contexts => ({
  github: {
    event_name: "push",
    ref: "refs/heads/main",
    ref_name: "main",
    ref_type: "branch",
    head_ref: "",
    sha,
    run_id: "7",
    actor: "ada",
    ...more,
  },
  vars: { SLIPWAY_STATE_DIR: join(test.directory, ".slipway") },
  secrets: { NPM_TOKEN: "a token of the test" },
  // Of a push there are none.
  inputs: {},
});

const steps = {
  syntax: { command: ["node", "--check", "server.js"], matrix: { AT: ["api", "web"] }, path: "api" },
  unit: {
    path: "api",
    command: [
      "node",
      "-e",
      "import('./greeting.js').then(({ health }) => process.exit(health().status === 'healthy' ? 0 : 1))",
    ],
  },
  token: {
    shell: 'test "$NPM_TOKEN" = "a token of the test" && test -z "$(printenv OTHER)" && echo it is there',
    secrets: ["NPM_TOKEN"],
  },
  flaky: { shell: "test -f once || { touch once; exit 1; }", retry: { reason: "it is the first time" } },
  allowed: { command: ["false"], allowFailure: true },
  elsewhere: { command: ["false"], when: { branch: ["release/*"] } },
};

it("in a clean directory the workflow's lines check the commit and deploy it, through the control plane that is there", async () => {
  const port = await freePort();
  const config = {
    name: "shop",
    services: { api: { ...services.api, env: { GREETING: "Salut" } } },
    pipeline: { steps },
    rollout: { bake: "0s", drain: "0s" },
    synth: { github: true },
    environments: { production: { edge: { listen: `127.0.0.1:${port}` } } },
  };
  test.configure({ ...config, pipeline: undefined });
  try {
    await slipway("up");
    test.configure(config);
    expect((await test.synth()).code).toBe(0);
    // The pipeline is GitHub's here: what Slipway deploys has none, or it would be run twice in this test.
    test.configure({ ...config, pipeline: undefined });
    const told = await runShellSteps(test.read(workflow), {
      ...cloned("push"),
      contexts: pushOf(test.git("rev-parse", "HEAD").trim()),
    });
    expect(
      told.map(({ job, step, code }) => `${job}: ${step} ${code}`),
      told.at(-1)?.output,
    ).toEqual([
      "checks: syntax[AT=api] 0",
      "checks: syntax[AT=web] 0",
      "checks: unit 0",
      "checks: token 0",
      "checks: flaky 0",
      "checks: allowed 1",
      "checks: elsewhere 0",
      "deploy-production: Deploy to production 0",
    ]);
    const printed = (step: string): string | undefined => told.find((each) => each.step === step)?.output;
    expect(printed("elsewhere")).toContain("left out: only on release/*");
    expect(printed("flaky")).toContain("it failed; again in 1 s");
    const answer = await fetch(`http://127.0.0.1:${port}/api/greeting`);
    expect(await answer.text()).toContain("Salut");
  } finally {
    await slipway("down", "--all");
  }
});

it("what is said by hand reaches a step as it is, and a push has the defaults; what is not allowed, or is missing, ends the step", async () => {
  const parameters = {
    level: { default: "quick", allowed: ["quick", "full"] },
    "dry-run": { default: false },
    shards: { type: "integer", default: 4, min: 1, max: 8 },
    note: { default: "it's $HOME" },
  };
  const show = { shell: 'printf "%s|%s|%s" "$SLIPWAY_PARAM_LEVEL" "$SLIPWAY_PARAM_DRY_RUN" "$SLIPWAY_PARAM_NOTE"' };
  const write = async (more: object): Promise<void> => {
    test.configure({
      name: "shop",
      services,
      pipeline: { steps: { show }, parameters: { ...parameters, ...more } },
      synth: { github: true },
    });
    expect((await test.synth()).code).toBe(0);
    test.configure({ name: "shop", services });
  };
  let count = 0;
  const runs = async (inputs: Readonly<Record<string, string>>): Promise<string> => {
    const { directory, path } = cloned(`said-${count}`);
    count += 1;
    // On a branch that is deployed nowhere.
    const by = Object.keys(inputs).length === 0 ? "push" : "workflow_dispatch";
    const contexts = pushOf("", { event_name: by, ref: "refs/heads/other", ref_name: "other" });
    const [told] = await runShellSteps(test.read(workflow), { directory, path, contexts: { ...contexts, inputs } });
    expect(existsSync(join(directory, "pwned"))).toBe(false);
    return `${told?.code} ${told?.output.trim()}`;
  };
  await write({});
  expect(await runs({})).toBe("0 quick|false|it's $HOME");
  const hostile = `'"; touch pwned; $(touch pwned) \`touch pwned\` \${{ github.sha }} \\`;
  expect(await runs({ level: "full", "dry-run": "true", note: hostile })).toBe(`0 full|true|${hostile}`);
  expect(await runs({ level: "'quick' ) ;; *" })).toBe("2 SLIPWAY_PARAM_LEVEL must be quick or full");
  expect(await runs({ shards: "8" })).toContain("0 ");
  for (const shards of ["9", "-1", "1.5", "3\n4", "1 || 1", "x"])
    expect(await runs({ shards })).toBe("2 SLIPWAY_PARAM_SHARDS must be a whole number from 1 to 8");
  await write({ who: {} });
  expect(await runs({})).toMatch(/^[12] .*SLIPWAY_PARAM_WHO: is the parameter who of this run$/);
  expect(await runs({ who: "ada" })).toBe("0 quick|false|it's $HOME");
});

it("a job that proves itself deploys from a machine of GitHub's, with no key and no place of ours", async () => {
  const url = "https://slipway.example.com";
  test.configure({
    name: "shop",
    services,
    pipeline: { steps: { good: { shell: "true" } } },
    triggers: {
      url,
      listen: ":9800",
      branches: { main: { deploy: "production" } },
      ci: [{ issuer: "github", claims: { repository: "acme/shop" }, environments: ["production"] }],
    },
    synth: { github: true },
  });
  expect((await test.synth()).code).toBe(0);
  expect(parse(test.read(workflow)).jobs["deploy-production"]).toMatchObject({
    "runs-on": "ubuntu-24.04",
    permissions: { contents: "read", "id-token": "write" },
    env: { SLIPWAY_URL: url },
  });
  // A command line that says what it is asked for: GitHub's own address cannot be answered for here.
  mkdirSync(join(test.directory, "node_modules/.bin"), { recursive: true });
  test.write("node_modules/.bin/slipway", '#!/bin/sh\necho "asked: $* of $SLIPWAY_URL"\n');
  chmodSync(join(test.directory, "node_modules/.bin/slipway"), 0o755);
  test.configure({ name: "shop", services });
  const contexts = pushOf(test.git("rev-parse", "HEAD").trim());
  const told = await runShellSteps(test.read(workflow), { ...cloned("proves"), contexts });
  expect(told.map(({ job, code }) => `${job} ${code}`)).toEqual(["checks 0", "deploy-production 0"]);
  expect(told.at(-1)?.output).toContain(`asked: deploy --from-ci --env production of ${url}`);
});

it("a pull request is checked and never deployed, a failing check ends the run, and no control plane is begun by accident", async () => {
  test.configure({ name: "shop", services, pipeline: { steps: { good: { shell: "true" } } }, synth: { github: true } });
  await test.synth();
  test.configure({ name: "shop", services });
  const sha = test.git("rev-parse", "HEAD").trim();
  const steps = async (name: string, contexts: Contexts, change = (text: string): string => text) =>
    (await runShellSteps(change(test.read(workflow)), { ...cloned(name), contexts })).map(
      ({ job, code }) => `${job} ${code}`,
    );
  const request = pushOf(sha, {
    event_name: "pull_request",
    ref: "refs/pull/1/merge",
    ref_name: "1/merge",
    head_ref: "main",
  });
  expect(await steps("request", request)).toEqual(["checks 0"]);
  expect(await steps("elsewhere", pushOf(sha, { ref: "refs/heads/other", ref_name: "other" }))).toEqual(["checks 0"]);
  expect(await steps("failing", pushOf(sha), (text) => text.replace("scripts/ci/steps/good.sh", "false"))).toEqual([
    "checks 1",
  ]);
  // The variable leads to a directory that no control plane has been in.
  expect(await steps("nowhere", pushOf(sha))).toEqual(["checks 0", "deploy-production 2"]);
  expect(await steps("unset", { ...pushOf(sha), vars: { SLIPWAY_STATE_DIR: "" } })).toEqual([
    "checks 0",
    "deploy-production 2",
  ]);
});
