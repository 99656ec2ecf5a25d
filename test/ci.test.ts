import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { DeploymentDetail, DeploymentView, RunView } from "../src/api/contract.ts";
import { fileVault } from "../src/drivers/vaults/file/index.ts";
import { pageUrl } from "../src/engine/pages/links.ts";
import { Issuer } from "../src/testing/issuer.ts";
import { freePort } from "../src/testing/ports.ts";
import { TestForge } from "./fixture/forge.ts";
import { type Plane, startPlane, tearDown } from "./fixture/plane.ts";
import { makeProduct, type TestProduct } from "./fixture/product.ts";

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
      ],
    },
    pipeline: { steps: { unit: { shell: "echo '::set-env name=PATH::evil'" } } },
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

/** What our action runs, of a composite action's one step. */
const actionFile = fileURLToPath(new URL("../action.yml", import.meta.url));
const [actionStep] = (parse(readFileSync(actionFile, "utf8")) as { runs: { steps: [{ run: string }] } }).runs.steps;

/** Our action as GitHub's runner starts it: its inputs are the variables of its step. */
function ofAction(inputs: Readonly<Record<string, string>>) {
  const none = { ENVIRONMENT: "", PROMOTE: "false", RELEASE: "", REASON: "", TIMEOUT: "", AUDIENCE: "" };
  return { ...none, ...inputs, GITHUB_ACTION_PATH: dirname(actionFile) };
}

/** The command, or the action, as GitHub's runner starts it, for a commit. */
async function inJob(
  commit: string,
  ref = "main",
  more: readonly string[] | ReturnType<typeof ofAction> = [],
): Promise<{ readonly code: number | null; readonly text: string; readonly errors: string }> {
  const env = {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    CI: "true",
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
  const isAction = !Array.isArray(more);
  const args = isAction || more[0] === "promote" ? more : ["deploy", "--from-ci", "--env", "production", ...more];
  // As for `shell: bash` at GitHub.
  const [program, ...words] = isAction
    ? ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", actionStep.run]
    : [process.execPath, bin, ...(args as readonly string[])];
  const child = spawn(program ?? "", words, {
    env: isAction ? { ...env, ...more } : env,
    stdio: ["ignore", "pipe", "pipe"],
    cwd: "/",
  });
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
