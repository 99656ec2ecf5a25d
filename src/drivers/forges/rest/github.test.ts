import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import type { Report } from "../../../core/forge/report.ts";
import { type DeploymentId, environmentName } from "../../../core/ids.ts";
import { Secret } from "../../../core/secret.ts";
import type { ReportSettings } from "../../../core/triggers/settings.ts";
import { systemClock } from "../../../lib/system-clock.ts";
import type { Forge } from "../../../ports/forge.ts";
import { GithubStandIn } from "../../../testing/forges/github.ts";
import { freePort } from "../../../testing/ports.ts";
import { restForges } from "./index.ts";

let github: GithubStandIn;
let commit: string;
const { signal } = new AbortController();

beforeAll(async () => {
  github = await GithubStandIn.start(await freePort());
  commit = await github.head();
});
afterAll(() => github.close());
beforeEach(() => {
  github.forget();
});

function open(more: Partial<ReportSettings> = {}, token: Secret | null = new Secret("token-of-the-test")): Forge {
  const settings: ReportSettings = {
    forge: "github",
    api: github.url,
    repository: "octocat/shop",
    token: "FORGE_TOKEN",
    app: null,
    deployments: true,
    comment: true,
    ...more,
  };
  return restForges(systemClock)(settings, async () => token);
}

const report = (more: Partial<Report> = {}): Report => ({
  commit,
  context: "slipway/shop",
  state: "running",
  description: "run checking",
  url: "https://slipway.example.com/v1/runs/run_1",
  ...more,
});

it("a status and a deployment are what GitHub's description takes, in every state, with an address and without", async () => {
  const forge = open();
  const states = ["waiting", "running", "succeeded", "failed", "cancelled"] as const;
  let known: string | null = null;
  for (const state of states) {
    await forge.setStatus(report({ state }), signal);
    const deployment = { key: "dep_1" as DeploymentId, environment: environmentName("production"), gated: true };
    const environmentUrl = state === "succeeded" ? "https://shop.example.com/" : null;
    known = await forge.setDeployment(
      { ...report({ state, url: null }), ...deployment, environmentUrl },
      known,
      signal,
    );
  }
  expect(github.faults).toEqual([]);
  expect(
    github
      .statuses(commit)
      .map(({ state }) => state)
      .toReversed(),
  ).toEqual(["pending", "pending", "success", "failure", "error"]);
  expect(github.bodies("post /repos/{owner}/{repo}/deployments")).toHaveLength(1);
  const told = github.bodies("post /repos/{owner}/{repo}/deployments/{deployment_id}/statuses");
  expect(told.map(({ state }) => state)).toEqual(["pending", "in_progress", "success", "failure", "error"]);
  expect(told.map((each) => each.environment_url ?? null)).toEqual([
    null,
    null,
    "https://shop.example.com/",
    null,
    null,
  ]);
});

it("a deployment that was made before a crash is found again by what it carries", async () => {
  const deployment = {
    ...report(),
    key: "dep_2" as DeploymentId,
    environment: environmentName("staging"),
    gated: false,
    environmentUrl: null,
  };
  const first = await open().setDeployment(deployment, null, signal);
  expect(await open().setDeployment(deployment, null, signal)).toBe(first);
  const other = { ...deployment, key: "dep_3" as DeploymentId };
  expect(await open().setDeployment(other, null, signal)).not.toBe(first);
  expect(github.faults).toEqual([]);
});

it("an app proves itself with its key, asks once for a token of its installation, and makes one check, which it finds again", async () => {
  const forge = open({ app: github.app }, new Secret(github.privateKey));
  expect(forge.can.checks).toBe(true);
  const check = {
    ...report(),
    key: "run_1",
    title: "checking",
    summary: "| step |",
    startedAt: 1_700_000_000_000,
    endedAt: null,
  };
  const id = await forge.setCheck(check, null, signal);
  const again = open({ app: github.app }, new Secret(github.privateKey));
  const ended = { ...check, state: "failed", endedAt: 1_700_000_060_000 } as const;
  expect(await again.setCheck(ended, null, signal)).toBe(id);
  await again.setCheck(ended, id, signal);
  expect(github.faults).toEqual([]);
  expect(await github.checkRuns(commit)).toMatchObject([
    { name: "slipway/shop", status: "completed", conclusion: "failure", external_id: "run_1" },
  ]);
  expect(github.bodies("post /app/installations/{installation_id}/access_tokens")).toHaveLength(2);
});

it("a pull request has one comment of ours, also when who wrote it has forgotten, and another one only when somebody removed it", async () => {
  const pull = await github.issue();
  github.pulls.set(commit, pull);
  const forge = open();
  expect(await forge.pullRequest(commit, signal)).toBe(pull);
  expect(await forge.pullRequest("f".repeat(40), signal)).toBeNull();
  await github.ask("POST", `/repos/octocat/shop/issues/${pull}/comments`, { body: "what of <!-- slipway:shop --> ?" });
  const marker = "<!-- slipway:shop -->";
  const write = (body: string, known: string | null) =>
    forge.setComment({ pull, marker, body: `${marker}\n${body}` }, known, signal);
  const id = await write("one", null);
  expect(await write("two", null)).toBe(id);
  expect(await write("three", id)).toBe(id);
  expect((await github.comments(pull)).map(({ body }) => body)).toEqual([
    "what of <!-- slipway:shop --> ?",
    `${marker}\nthree`,
  ]);
  // One that is known and no longer there is written anew.
  const again = await write("four", "999999");
  expect(again).toBe(id);
  expect(github.faults).toEqual([]);
});

it("the checks of a commit are its newest statuses and its check runs, each as it stands", async () => {
  const forge = open({ app: github.app }, new Secret(github.privateKey));
  const check = { ...report({ context: "lint" }), title: "t", summary: "s", startedAt: 1_700_000_000_000 };
  await forge.setCheck({ ...check, key: "lint", state: "running", endedAt: null }, null, signal);
  const failed = { ...check, context: "e2e", key: "e2e", state: "failed", endedAt: 1_700_000_060_000 } as const;
  await forge.setCheck(failed, null, signal);
  github.say(commit, "ci/build", "failure");
  github.say(commit, "ci/build", "success");
  github.say(commit, "ci/unit", "error");
  const all = await open().checks(commit, signal);
  const named = (name: string) => all.find((each) => each.name === name)?.state;
  expect(["lint", "e2e", "ci/build", "ci/unit"].map(named)).toEqual(["pending", "failed", "succeeded", "failed"]);
  expect(github.faults).toEqual([]);
});

it("a limit is waited for as long as it says, what is refused is told with its words, and the token is in none of them", async () => {
  const problem = async (status: number, headers: Record<string, string> = {}, body?: object) => {
    github.refuse = () => ({ status, headers, ...(body === undefined ? {} : { body }) });
    return open()
      .setStatus(report(), signal)
      .then(
        () => null,
        (error: unknown) => error,
      );
  };
  expect(await problem(503, { "retry-after": "7" })).toMatchObject({ is: "away", retryAfterMs: 7_000 });
  expect(await problem(429, { "retry-after": "30" })).toMatchObject({ is: "away", retryAfterMs: 30_000 });
  const reset = Math.floor(Date.now() / 1_000) + 100;
  const limited = { "x-ratelimit-remaining": "0", "x-ratelimit-reset": `${reset}` };
  const primary = (await problem(403, limited)) as { is: string; retryAfterMs: number };
  expect(primary.is).toBe("away");
  expect(primary.retryAfterMs).toBeGreaterThan(90_000);
  expect(await problem(403, {}, { message: "You have exceeded a secondary rate limit" })).toMatchObject({
    is: "away",
    retryAfterMs: 60_000,
  });
  const refused = await problem(403, {}, { message: "Resource not accessible by personal access token" });
  expect(refused).toMatchObject({
    is: "refused",
    message: "github answered 403: Resource not accessible by personal access token",
  });
  expect(
    await problem(422, {}, { message: "Validation Failed", errors: [{ message: "No commit found for SHA" }] }),
  ).toMatchObject({ is: "wrong", message: "github answered 422: Validation Failed (No commit found for SHA)" });
  const unset = await open({}, null)
    .setStatus(report(), signal)
    .catch((error: unknown) => error);
  expect(unset).toMatchObject({
    is: "refused",
    message: expect.stringContaining("slipway secret set FORGE_TOKEN -e triggers"),
  });
  const away = await open({ api: "http://127.0.0.1:1" })
    .setStatus(report(), signal)
    .catch((error: unknown) => error);
  expect(away).toMatchObject({ is: "away" });
  for (const error of [refused, away]) expect(String(error)).not.toContain("token-of-the-test");
});
