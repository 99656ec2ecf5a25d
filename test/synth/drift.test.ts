import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type SynthTest, services, synthTest } from "./product.fixture.ts";

const config = {
  name: "shop",
  services,
  pipeline: { steps: { syntax: { command: ["node", "--check", "api/server.js"] } } },
  synth: { github: true, dependabot: true },
};

let test: SynthTest;
beforeEach(() => {
  test = synthTest();
  test.configure(config);
});
afterEach(() => test.remove());

const workflow = ".github/workflows/slipway.yml";

it("what is selected in the config is written, with what it needs, and the same again changes nothing", async () => {
  const first = await test.synth();
  expect(first.code, first.text).toBe(0);
  expect(test.git("status", "--porcelain", "--untracked-files=all").split("\n").filter(Boolean).sort()).toEqual([
    "?? .github/dependabot.yml",
    `?? ${workflow}`,
    "?? scripts/ci/deploy.sh",
    "?? scripts/ci/steps/syntax.sh",
  ]);
  expect(statSync(join(test.directory, "scripts/ci/deploy.sh")).mode & 0o777).toBe(0o755);
  const text = test.read(workflow);
  expect((await test.synth()).text).toContain("all 4 files are as the config has them");
  expect(test.read(workflow)).toBe(text);
  expect((await test.synth([], { check: true })).code).toBe(0);
});

it("what the config says otherwise now is drift, shown line by line, and synth mends it: also a file that is no longer made", async () => {
  await test.synth();
  const { syntax } = config.pipeline.steps;
  test.configure({ ...config, pipeline: { steps: { "syntax-check": syntax, sums: { shell: "true" } } } });
  const check = await test.synth([], { check: true });
  expect(check.code).toBe(1);
  expect(check.text).toContain(`${workflow} is not up to date`);
  expect(check.text).toContain("-        run: scripts/ci/steps/syntax.sh");
  expect(check.text).toContain("+        run: scripts/ci/steps/sums.sh");
  expect(check.text).toContain("scripts/ci/steps/syntax.sh is no longer made");
  expect(existsSync(join(test.directory, "scripts/ci/steps/sums.sh"))).toBe(false);
  expect((await test.synth()).code).toBe(0);
  expect(existsSync(join(test.directory, "scripts/ci/steps/syntax.sh"))).toBe(false);
  expect((await test.synth([], { check: true })).code).toBe(0);
});

it("a file that a person has changed, or written, is left alone and named, until it is forced", async () => {
  await test.synth();
  const changed = test.read(workflow).replace("timeout-minutes: 10", "timeout-minutes: 11");
  test.write(workflow, changed);
  test.write("Jenkinsfile", "pipeline {}\n");
  const again = await test.synth(["github", "jenkins"]);
  expect(again.code).toBe(1);
  expect(again.text).toContain(`left ${workflow} alone: it was changed by somebody`);
  expect(again.text).toContain("left Jenkinsfile alone: it was not written by synth");
  expect([test.read(workflow), test.read("Jenkinsfile")]).toEqual([changed, "pipeline {}\n"]);
  const unasked = await test.synth(["github", "jenkins"], { force: true });
  expect(unasked.code).toBe(2);
  expect(unasked.text).toContain("nobody is there to be asked");
  expect((await test.synth(["github", "jenkins"], { force: true, yes: true })).code).toBe(0);
  expect(test.read("Jenkinsfile")).toContain("stage('syntax')");
  expect((await test.synth([], { check: true })).code).toBe(0);
});

it("pins that Dependabot has moved on are no drift, and stay when the rest is written anew", async () => {
  await test.synth();
  const newer = `actions/checkout@${"a".repeat(40)} # v9.9.9`;
  test.write(workflow, test.read(workflow).replaceAll(/actions\/checkout@[0-9a-f]{40} # \S+/g, newer));
  expect((await test.synth([], { check: true })).text).toContain("as the config has them");
  test.configure({ ...config, synth: { ...config.synth, runner: "ubuntu-22.04" } });
  expect((await test.synth()).code).toBe(0);
  expect(test.read(workflow)).toContain("runs-on: ubuntu-22.04");
  expect(test.read(workflow).match(/actions\/checkout@\S+ # \S+/g)).toEqual([newer, newer]);
});

it("a link that leads out of the repository is not written through", async () => {
  const outside = mkdtempSync(join(tmpdir(), "slipway-outside-"));
  try {
    symlinkSync(outside, join(test.directory, "scripts"));
    const { code, text } = await test.synth();
    expect(code).toBe(2);
    expect(text).toContain("would be written outside the repository");
    expect(existsSync(join(outside, "ci"))).toBe(false);
  } finally {
    rmSync(outside, { recursive: true });
  }
});

it("a Dockerfile of a person's is theirs, and the init script of a bootstrap is the same file", async () => {
  test.write("api/Dockerfile", "FROM scratch\n");
  test.configure({ ...config, synth: { docker: true, server: true } });
  expect((await test.synth()).code).toBe(0);
  expect(test.read("api/Dockerfile")).toBe("FROM scratch\n");
  expect(test.read("web/Dockerfile")).toContain('CMD ["node","server.js"]');
  const script = readFileSync(join(test.directory, "init-server.sh"), "utf8");
  const plain = script
    .split("\n")
    .filter((line) => !line.startsWith("# Written by slipway synth"))
    .join("\n");
  writeFileSync(join(test.directory, "init-server.sh"), plain);
  expect((await test.synth([], { check: true })).code).toBe(0);
});

it("without a selection, or with a word that is none, it says what there is", async () => {
  test.configure({ ...config, synth: {} });
  expect(await test.synth()).toEqual({ code: 2, text: expect.stringContaining("slipway synth github compose") });
  expect((await test.synth(["githb"])).text).toContain("did you mean github?");
});
