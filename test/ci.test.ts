import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { parse } from "yaml";
import type { DeploymentDetail, DeploymentView, RunView } from "../src/api/contract.ts";
import { synthAt } from "../src/cli/commands/synth.ts";
import { fileVault } from "../src/drivers/vaults/file/index.ts";
import { pageUrl } from "../src/engine/pages/links.ts";
import { Issuer } from "../src/testing/issuer.ts";
import { freePort } from "../src/testing/ports.ts";
import { git, TestForge } from "./fixture/forge.ts";
import { type Plane, startPlane, tearDown } from "./fixture/plane.ts";
import { makeProduct, type TestProduct } from "./fixture/product.ts";
import { runShellSteps } from "./synth/github-run.fixture.ts";

const bin = fileURLToPath(new URL("../bin/slipway.js", import.meta.url));

let product: TestProduct;
let plane: Plane;
let forge: TestForge;
let issuer: Issuer;
let url: string;

beforeAll(async () => {
  [forge, issuer] = await Promise.all([TestForge.make(), Issuer.start()]);
  url = `http://127.0.0.1:${forge.port}`;
  const claims = { repository: "acme/probe", ref: "refs/heads/main" };
  const more = {
    environments: {
      production: { edge: { listen: `127.0.0.1:${await freePort()}` } },
      abroad: { promoteFrom: "production", edge: { listen: `127.0.0.1:${await freePort()}` } },
      alone: { edge: { listen: `127.0.0.1:${await freePort()}` } },
    },
    triggers: {
      ...forge.triggers,
      ci: [
        { issuer: issuer.url, audience: url, claims, environments: ["production"] },
        {
          ...{ issuer: issuer.url, audience: url, verbs: ["promote"], environments: ["abroad", "alone"] },
          claims: { ...claims, workflow: "promote" },
        },
        ...otherRules.map((rule) => ({ issuer: issuer.url, audience: url, environments: ["production"], ...rule })),
      ],
    },
    pipeline: {
      steps: { unit: { shell: `echo '::set-env name=PATH::evil' "$SLIPWAY_PARAM_LEVEL"` } },
      parameters: { level: { default: "quick", allowed: ["quick", "full"] } },
    },
  };
  product = await makeProduct({ bake: "0s", instances: 1, more });
  product.commit("v1", "good");
  forge.join(product);
  plane = await startPlane(product);
  await forge.apply(plane, product.directory);
});
afterAll(async () => {
  await tearDown(product, plane);
  await issuer.close();
  forge.remove();
});

const circleOrganisation = "7a1d1a22-0000-4000-8000-4e6a52a3b1c5";

/** Who may deploy of the other CIs, by what their tokens say. */
const otherRules = [
  { claims: { project_path: "acme/probe", ref_type: "branch", ref: "main" } },
  {
    audience: circleOrganisation,
    claims: { "oidc.circleci.com/project-id": "0c1e", "oidc.circleci.com/vcs-ref": "refs/heads/main" },
  },
  { claims: { sub: "https://ci.example/job/probe/job/main/" } },
];

/** What our action runs, of a composite action's one step. */
const actionFile = fileURLToPath(new URL("../action.yml", import.meta.url));
const [actionStep] = (parse(readFileSync(actionFile, "utf8")) as { runs: { steps: [{ run: string }] } }).runs.steps;

/** Our action as GitHub's runner starts it: its inputs are the variables of its step. */
function ofAction(inputs: Readonly<Record<string, string>>) {
  const none = { ENVIRONMENT: "", PROMOTE: "false", RELEASE: "", REASON: "", TIMEOUT: "", AUDIENCE: "" };
  return { ...none, ...inputs, GITHUB_ACTION_PATH: dirname(actionFile) };
}

/** What every job has, of any CI. */
const bare = { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "", CI: "true", NO_COLOR: "1" };

function ofGithub(commit: string, ref: string) {
  return {
    ...bare,
    GITHUB_ACTIONS: "true",
    GITHUB_SHA: commit,
    GITHUB_REF: `refs/heads/${ref}`,
    GITHUB_REF_NAME: ref,
    GITHUB_REF_TYPE: "branch",
    GITHUB_ACTOR: "mallory",
    GITHUB_SERVER_URL: "https://github.example",
    GITHUB_REPOSITORY: "acme/probe",
    GITHUB_RUN_ID: "77",
    ACTIONS_ID_TOKEN_REQUEST_URL: `${issuer.url}/token?v=1`,
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: "bearer-of-the-job",
    SLIPWAY_URL: url,
  };
}

/** The command, or the action, as GitHub's runner starts it, for a commit. */
async function inJob(
  commit: string,
  ref = "main",
  more: readonly string[] | ReturnType<typeof ofAction> = [],
): Promise<{ readonly code: number | null; readonly text: string; readonly errors: string }> {
  const env = ofGithub(commit, ref);
  const isAction = !Array.isArray(more);
  const args = isAction || more[0] === "promote" ? more : ["deploy", "--from-ci", "--env", "production", ...more];
  // As for `shell: bash` at GitHub.
  const [program, ...words] = isAction
    ? ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", actionStep.run]
    : [process.execPath, bin, ...(args as readonly string[])];
  return ended(program ?? "", words, { env: isAction ? { ...env, ...more } : env, cwd: "/" });
}

/** Runs it to its end. */
async function ended(
  program: string,
  words: readonly string[],
  options: { readonly env: Readonly<Record<string, string | undefined>>; readonly cwd: string },
): Promise<{ readonly code: number | null; readonly text: string; readonly errors: string }> {
  const child = spawn(program, words, { ...options, stdio: ["ignore", "pipe", "pipe"] });
  const said: Record<"stdout" | "stderr", string> = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const)
    child[stream].setEncoding("utf8").on("data", (chunk: string) => {
      said[stream] += chunk;
    });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  return { code, text: said.stdout, errors: said.stderr };
}

const job = (commit: string, ref = "refs/heads/main") => ({
  sub: `repo:acme/probe:ref:${ref}`,
  repository: "acme/probe",
  ref,
  sha: commit,
  actor: "ada",
});

async function session(
  claims: object,
): Promise<{ readonly status: number; readonly body: { session: string; error: { code: string } } }> {
  const answer = await fetch(`${url}/v1/sessions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ token: issuer.token({ claims: { aud: url, ...claims } }) }),
  });
  return { status: answer.status, body: (await answer.json()) as never };
}

describe("a job of a CI", () => {
  it("that proves itself deploys its commit without a stored secret, is followed to the end, and is in the history", async () => {
    const { after } = forge.push("feat: by a job");
    issuer.job = job(after);
    const { code, text, errors } = await inJob(
      after,
      "main",
      ofAction({ ENVIRONMENT: "production", REASON: "it's $HOME", TIMEOUT: "10m" }),
    );
    expect([code, errors]).toEqual([0, ""]);
    expect(text).toMatch(/::group::run run_\w+\n::stop-commands::\w+\n[\s\S]*unit[\s\S]*::endgroup::/);
    expect(text).toMatch(/::group::dep_\w+ to production\n/);
    const id = /::group::(dep_\w+)/.exec(text)?.[1] ?? "";
    const detail = await plane.client.get<DeploymentDetail>(`/v1/deployments/${id}`);
    // Who it is says the issuer, and not a variable.
    expect(detail).toMatchObject({ phase: "succeeded", createdBy: "ada", release: { subject: "feat: by a job" } });
    expect(detail.history[0]?.reason).toContain("by GitHub: https://github.example/acme/probe/actions/runs/77");
    expect(detail.history[0]?.evidence).toContainEqual(["commit", after]);
    expect(detail.history[0]?.evidence).toContainEqual(["branch", "main"]);
  });

  it("gives its run the parameters that it was begun with, which are what the config of the commit allows", async () => {
    const { after } = forge.push("feat: with parameters");
    issuer.job = job(after);
    const wrong = await inJob(after, "main", ["--param", "level=whole"]);
    expect(wrong.code).toBe(2);
    expect(wrong.errors).toContain('"whole" is not quick or full');
    const { code, text, errors } = await inJob(after, "main", ["--param", "level=full"]);
    expect([code, errors]).toEqual([0, ""]);
    const run = /::group::run (run_\w+)/.exec(text)?.[1] ?? "";
    const log: string[] = [];
    for await (const piece of plane.client.stream<{ text: string }>(`/v1/runs/${run}/logs`)) log.push(piece.text);
    expect(log.join("")).toBe("::set-env name=PATH::evil full\n");
  });

  it("whose claims are others is refused by the table, with an annotation that says which", async () => {
    const { after } = forge.push("feat: from a branch", { branch: "feature/x" });
    issuer.job = job(after, "refs/heads/feature/x");
    const { code, text, errors } = await inJob(after, "feature/x");
    expect(code).toBe(2);
    expect(errors).toContain("FORBIDDEN");
    expect(text).toContain("::error title=FORBIDDEN::");
    expect(text).toContain("ref is refs/heads/feature/x, wanted refs/heads/main");
  });

  it("deploys no other commit than its own, and reaches nothing of the API but what it has begun", async () => {
    const { after } = forge.push("feat: mine");
    const { status, body } = await session(job(after));
    expect(status).toBe(200);
    const ask = async (path: string, given?: object, bearer = body.session) => {
      const answer = await fetch(`${url}${path}`, {
        headers: { authorization: `Bearer ${bearer}`, "content-type": "application/json" },
        ...(given === undefined ? {} : { method: "POST", body: JSON.stringify(given) }),
      });
      const said = (await answer.json().catch(() => ({}))) as { error?: { code: string } };
      return said.error?.code ?? answer.status;
    };
    const facts = { ci: "github", branch: "main", tag: null, pullRequest: null, actor: null, url: null };
    const deploy = { environment: "production", facts: { ...facts, commit: "b".repeat(40) }, key: "12345678" };
    expect(await ask("/v1/ci/deployments", deploy)).toBe("FORBIDDEN");
    const elsewhere = { ...deploy, environment: "staging", facts: { ...facts, commit: after } };
    expect(await ask("/v1/ci/deployments", elsewhere)).toBe("FORBIDDEN");
    expect(await ask("/v1/ci/rollbacks", { environment: "production", reason: "" })).toBe("FORBIDDEN");
    const { deployments } = await plane.client.get<{ deployments: { id: string }[] }>("/v1/deployments?product=probe");
    const other = (await session({ ...job(after), sub: "repo:acme/probe:environment:x" })).body.session;
    const follow = `/v1/deployments/${deployments[0]?.id}/follow`;
    expect(await ask(follow, undefined, other)).toBe("NOT_FOUND");
    expect(await ask("/v1/status")).toBe("NOT_FOUND");
    expect(await ask("/v1/secrets?product=probe")).toBe("NOT_FOUND");
    for (const bad of ["", "x", `${body.session}x`, body.session.replace(/^./, "f"), issuer.token()])
      expect(await ask("/v1/ci/deployments", deploy, bad)).toBe("UNAUTHORIZED");
    expect((await session({ ...job(after), aud: "somebody" })).body.error.code).toBe("UNAUTHORIZED");
  });

  it("whose workflow may promote takes what is live before to the named environment, and can do nothing else", async () => {
    const { after } = forge.push("feat: later");
    const promoting = { ...job(after), workflow: "promote" };
    const live = (
      await plane.client.get<{ deployments: DeploymentDetail[] }>("/v1/deployments?product=probe")
    ).deployments.find(({ environment, phase }) => environment === "production" && phase === "succeeded");
    issuer.job = promoting;
    const { code, text, errors } = await inJob(after, "main", ofAction({ ENVIRONMENT: "abroad", PROMOTE: "true" }));
    expect([code, errors]).toEqual([0, ""]);
    const id = /::group::(dep_\w+) to abroad/.exec(text)?.[1] ?? "";
    const detail = await plane.client.get<DeploymentDetail>(`/v1/deployments/${id}`);
    expect(detail).toMatchObject({ phase: "succeeded", kind: "promotion", environment: "abroad", createdBy: "ada" });
    expect(detail.release.id).toBe(live?.release.id);
    expect(detail.history[0]?.reason).toContain(
      "promoted by GitHub: https://github.example/acme/probe/actions/runs/77",
    );

    // Its right ends at what the rule names: it is no way to deploy a commit, to roll back, or to skip the environment before.
    const refused = await inJob(after, "main", ["promote", "production", "--from-ci"]);
    expect([refused.code, refused.errors]).toEqual([2, expect.stringContaining("may not promote in production")]);
    const alone = await inJob(after, "main", ["promote", "alone", "--from-ci", "--release", "r1"]);
    expect([alone.code, alone.errors]).toEqual([5, expect.stringContaining("PROMOTION_REFUSED")]);
    issuer.job = job(after);
    const other = await inJob(after, "main", ["promote", "abroad", "--from-ci"]);
    expect([other.code, other.errors]).toEqual([
      2,
      expect.stringContaining("may not promote in abroad; it may deploy in production"),
    ]);
    const { body } = await session(promoting);
    const ask = async (path: string, given?: object) => {
      const answer = await fetch(`${url}${path}`, {
        headers: { authorization: `Bearer ${body.session}`, "content-type": "application/json" },
        ...(given === undefined ? {} : { method: "POST", body: JSON.stringify(given) }),
      });
      return { status: answer.status, said: (await answer.json().catch(() => ({}))) as { deployment?: string } };
    };
    const facts = { ci: "github", branch: "main", tag: null, pullRequest: null, actor: null, url: null, commit: after };
    const deploy = { environment: "abroad", facts, key: "12345678" };
    expect((await ask("/v1/ci/deployments", deploy)).status).toBe(403);
    expect((await ask("/v1/ci/rollbacks", { environment: "abroad", reason: "" })).status).toBe(403);
    // Asked again it is the same one, and only who has begun it may follow it.
    const asked = { environment: "abroad", release: null, facts, reason: "", key: "a-key-of-one-question" };
    const once = await ask("/v1/ci/promotions", asked);
    expect((await ask("/v1/ci/promotions", asked)).said).toEqual(once.said);
    expect((await ask(`/v1/deployments/${live?.id}/follow`)).status).toBe(200);
    const stranger = (await session({ ...promoting, sub: "repo:acme/probe:environment:x" })).body.session;
    const follow = await fetch(`${url}/v1/deployments/${id}/follow`, {
      headers: { authorization: `Bearer ${stranger}` },
    });
    expect(follow.status).toBe(404);
  });
});

/** What each CI gives its job, as its documentation lists it; and what its ID token says, where it has one. */
const others = {
  gitlab: (commit: string) => ({
    env: {
      GITLAB_CI: "true",
      CI_COMMIT_SHA: commit,
      CI_COMMIT_BRANCH: "main",
      CI_COMMIT_REF_NAME: "main",
      GITLAB_USER_LOGIN: "mallory",
      CI_JOB_URL: "https://gitlab.example/acme/probe/-/jobs/41",
    },
    // docs.gitlab.com/ci/secrets/id_token_authentication, 2026-11.
    claims: {
      sub: "project_path:acme/probe:ref_type:branch:ref:main",
      namespace_path: "acme",
      project_id: "20",
      project_path: "acme/probe",
      user_login: "ada",
      pipeline_source: "push",
      ref: "main",
      ref_type: "branch",
      ref_protected: "true",
      sha: commit,
    },
    token: "SLIPWAY_ID_TOKEN",
    by: "by GitLab: https://gitlab.example/acme/probe/-/jobs/41",
    who: "ada",
  }),
  circleci: (commit: string) => ({
    env: {
      CIRCLECI: "true",
      CIRCLE_SHA1: commit,
      CIRCLE_BRANCH: "main",
      CIRCLE_USERNAME: "mallory",
      CIRCLE_BUILD_URL: "https://circleci.com/gh/acme/probe/42",
    },
    // circleci.com/docs/openid-connect-tokens, 2026-11: it is for the organisation, and names no commit.
    claims: {
      aud: circleOrganisation,
      sub: `org/${circleOrganisation}/project/0c1e/user/5f`,
      "oidc.circleci.com/project-id": "0c1e",
      "oidc.circleci.com/vcs-origin": "github.com/acme/probe",
      "oidc.circleci.com/vcs-ref": "refs/heads/main",
    },
    token: "CIRCLE_OIDC_TOKEN_V2",
    words: ["--audience", circleOrganisation],
    by: "by CircleCI: https://circleci.com/gh/acme/probe/42",
    who: `org/${circleOrganisation}/project/0c1e/user/5f`,
  }),
  jenkins: (commit: string) => ({
    env: {
      JENKINS_URL: "https://ci.example/",
      GIT_COMMIT: commit,
      BRANCH_NAME: "main",
      BUILD_URL: "https://ci.example/job/probe/job/main/7/",
    },
    // plugins.jenkins.io/oidc-provider, 2026-11: a credential of the kind "OpenID Connect id token".
    claims: { sub: "https://ci.example/job/probe/job/main/", build_number: 7 },
    token: "SLIPWAY_ID_TOKEN",
    by: "by Jenkins: https://ci.example/job/probe/job/main/7/",
    who: "https://ci.example/job/probe/job/main/",
  }),
};

describe("a job of another CI", () => {
  const job = (name: keyof typeof others, commit: string, said: object = {}) => {
    const { env, claims, token, words = [], ...more } = { words: [], ...others[name](commit) };
    const proof = { [token]: issuer.token({ claims: { aud: url, ...claims, ...said } }) };
    const line = [bin, "deploy", "--from-ci", "--env", "production", ...words];
    const run = (own: object = proof) =>
      ended(process.execPath, line, { env: { ...bare, ...env, SLIPWAY_URL: url, ...own }, cwd: "/" });
    return { run, ...more };
  };
  const begun = async (text: string): Promise<DeploymentDetail> =>
    plane.client.get<DeploymentDetail>(`/v1/deployments/${/dep_\w+/.exec(text)?.[0]}`);

  it.each(["gitlab", "circleci", "jenkins"] as const)(
    "of %s deploys its commit by the token that it was given",
    async (name) => {
      const { after } = forge.push(`feat: by ${name}`);
      const { run, by, who } = job(name, after);
      const { code, text, errors } = await run();
      expect([code, errors]).toEqual([0, ""]);
      // Groups and annotations are GitHub's alone.
      expect(text).not.toContain("::");
      const detail = await begun(text);
      expect(detail).toMatchObject({ phase: "succeeded", createdBy: who, release: { subject: `feat: by ${name}` } });
      expect(detail.history[0]?.reason).toContain(by);
      expect(detail.history[0]?.evidence).toContainEqual(["commit", after]);
    },
  );

  it("of GitLab is refused with another project's, branch's, audience's or yesterday's token, another commit's, and none", async () => {
    const { after } = forge.push("feat: refused");
    const refused = async (said: object, own?: object): Promise<string> => {
      const { code, errors } = await job("gitlab", after, said).run(own);
      return `${code} ${errors}`;
    };
    const wrong = [
      [refused({ project_path: "acme/other" }), /^2 [\s\S]*FORBIDDEN[\s\S]*project_path is acme\/other/],
      [refused({ ref: "feature" }), /^2 [\s\S]*ref is feature, wanted main/],
      [refused({ sha: "b".repeat(40) }), /^2 [\s\S]*FORBIDDEN/],
      [refused({ aud: "https://gitlab.example" }), /UNAUTHORIZED/],
      [refused({ exp: Math.floor(Date.now() / 1_000) - 3_600 }), /UNAUTHORIZED/],
      [refused({}, {}), /UNAUTHORIZED[\s\S]*id_tokens: \{ SLIPWAY_ID_TOKEN/],
    ] as const;
    await Promise.all(wrong.map(async ([said, why]) => expect(await said).toMatch(why)));
  });

  it("of Woodpecker, which has no ID tokens, deploys on the control plane's machine, in its own checkout", async () => {
    const { after } = forge.push("feat: by woodpecker");
    const checkout = mkdtempSync(join(tmpdir(), "slipway-woodpecker-"));
    onTestFinished(() => rmSync(checkout, { recursive: true, force: true }));
    git(checkout, "clone", "--quiet", forge.remote, ".");
    const env = {
      ...bare,
      CI: "woodpecker",
      CI_COMMIT_SHA: after,
      CI_COMMIT_BRANCH: "main",
      CI_PIPELINE_AUTHOR: "ada",
      CI_STEP_URL: "https://wp.example/repos/7/pipeline/8",
      SLIPWAY_STATE_DIR: join(product.directory, ".slipway"),
    };
    const words = [bin, "deploy", "--from-ci", "--env", "production"];
    const { code, text, errors } = await ended(process.execPath, words, { env, cwd: checkout });
    expect([code, errors]).toEqual([0, ""]);
    const { deployments } = await plane.client.get<{ deployments: DeploymentView[] }>("/v1/deployments?product=probe");
    const newest = deployments.find(({ environment }) => environment === "production");
    const detail = await plane.client.get<DeploymentDetail>(`/v1/deployments/${newest?.id}`);
    expect(text).toContain("by Woodpecker: https://wp.example/repos/7/pipeline/8, begun by ada");
    expect(detail).toMatchObject({ phase: "succeeded", createdBy: "ada", release: { subject: "feat: by woodpecker" } });
    expect(detail.history[0]?.reason).toContain("by Woodpecker: https://wp.example/repos/7/pipeline/8");
  });
});

it("the workflow that synth writes deploys and promotes, each job with its own token and no key", async () => {
  const { after } = forge.push("feat: by the workflow");
  const checkout = mkdtempSync(join(tmpdir(), "slipway-workflow-"));
  onTestFinished(() => rmSync(checkout, { recursive: true, force: true }));
  git(checkout, "clone", "--quiet", forge.remote, ".");
  const file = join(checkout, "slipway.config.json");
  const config = JSON.parse(readFileSync(file, "utf8"));
  const claims = { repository: "acme/probe", ref: "refs/heads/main" };
  const triggers = {
    ...config.triggers,
    url,
    branches: { main: { deploy: "production" } },
    ci: [{ issuer: "github", claims, environments: ["production", "abroad"], verbs: ["deploy", "promote"] }],
  };
  writeFileSync(file, JSON.stringify({ ...config, triggers }));
  expect(await synthAt(checkout, ["github"], {}, { mode: "plain", line: () => {}, json: () => {} })).toBe(0);
  mkdirSync(join(checkout, "node_modules/.bin"), { recursive: true });
  symlinkSync(bin, join(checkout, "node_modules/.bin/slipway"));
  issuer.job = { ...job(after), workflow: "promote" };
  const { PATH, ...runner } = ofGithub(after, "main");
  const github = { event_name: "push", ref: "refs/heads/main", ref_name: "main", ref_type: "branch", head_ref: "" };
  const workflow = readFileSync(join(checkout, ".github/workflows/slipway.yml"), "utf8");
  // Where the control plane is says the workflow, and not the test.
  const told = await runShellSteps(workflow, {
    directory: checkout,
    path: PATH,
    runner: { ...runner, SLIPWAY_URL: "" },
    contexts: { github: { ...github, sha: after }, vars: {}, secrets: {}, inputs: {} },
  });
  expect(
    told.map(({ job: name, step, code }) => `${name}: ${step} ${code}`),
    told.at(-1)?.output,
  ).toEqual([
    "checks: unit 0",
    "deploy-production: Deploy to production 0",
    "deploy-abroad: Promote from production to abroad 0",
  ]);
  const { deployments } = await plane.client.get<{ deployments: DeploymentView[] }>("/v1/deployments?product=probe");
  const [abroad, production] = ["abroad", "production"].map((name) =>
    deployments.find(({ environment }) => environment === name),
  );
  expect(production).toMatchObject({ phase: "succeeded", release: { subject: "feat: by the workflow" } });
  expect(abroad).toMatchObject({ phase: "succeeded", kind: "promotion", release: { id: production?.release.id } });
});

describe("the page that a forge is given the address of", () => {
  const look = async (address: string) => {
    const answer = await fetch(address);
    return { status: answer.status, type: answer.headers.get("content-type"), text: await answer.text() };
  };

  it("shows how a run and a deployment have come, to whoever has the address, and no line of a log", async () => {
    const world = { vault: fileVault(join(product.directory, ".slipway", "secrets.key")) };
    const { runs } = await plane.client.get<{ runs: RunView[] }>("/v1/runs?product=probe");
    const passed = runs.find(({ phase }) => phase === "succeeded");
    const { deployments } = await plane.client.get<{ deployments: DeploymentView[] }>("/v1/deployments?product=probe");
    const newest = deployments.find(({ environment }) => environment === "production");
    if (passed === undefined || newest === undefined) throw new Error("nothing has passed");
    const run = await look(pageUrl(world, url, passed.id));
    expect(run).toMatchObject({ status: 200, type: "text/html; charset=utf-8" });
    expect(run.text).toContain('<h1>probe: run <span class="good">succeeded</span></h1>');
    expect(run.text).toMatch(/✔<\/span> unit<\/th>/);
    expect(run.text).not.toContain("set-env");
    const deployment = await look(pageUrl(world, url, newest.id));
    expect(deployment.text).toContain('<h1>probe: production <span class="good">succeeded</span></h1>');
    for (const word of [newest.release.subject, "starting", "shifting", "100 %", newest.id])
      expect(deployment.text).toContain(word);
    // It is over, so nobody has to look again.
    expect(deployment.text).not.toContain("http-equiv");
  });

  it("shows nothing by an address that was not made here", async () => {
    const vault = fileVault(join(product.directory, "another.key"));
    const { deployments } = await plane.client.get<{ deployments: DeploymentView[] }>("/v1/deployments?product=probe");
    const id = deployments[0]?.id as DeploymentView["id"];
    const own = { vault: fileVault(join(product.directory, ".slipway", "secrets.key")) };
    const gone = pageUrl(own, url, "dep_gone" as DeploymentView["id"]);
    for (const address of [pageUrl({ vault }, url, id), `${url}/pages/x`, `${url}/pages/${id}`, gone]) {
      const { status, text } = await look(address);
      expect([status === 410 || status === 404, text.includes("Nothing to see")]).toEqual([true, true]);
      expect(text).not.toContain("probe");
    }
  });
});
