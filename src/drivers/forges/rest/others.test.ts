import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it, onTestFinished } from "vitest";
import type { ReportState } from "../../../core/forge/report.ts";
import type { DeploymentId, EnvironmentName } from "../../../core/ids.ts";
import type { ForgeKind } from "../../../core/product/forges.ts";
import { Secret } from "../../../core/secret.ts";
import { systemClock } from "../../../lib/system-clock.ts";
import type { Forge } from "../../../ports/forge.ts";
import { ForgeDescription } from "../../../testing/forges/forge-description.ts";
import { restForges } from "./index.ts";

const commit = "a".repeat(40);
const { signal } = new AbortController();
type Asked = { readonly line: string; readonly body: unknown; readonly headers: NodeJS.Dict<string | string[]> };
type Answers = Readonly<Record<string, unknown>>;

/**
 * A server that answers what a forge's documentation shows, by method and path, and keeps what it was asked. What the forge itself does not
 * take (path, query, body) fails the test.
 */
async function forgeOf(forge: ForgeKind, answers: Answers, token = "token-of-the-test") {
  const asked: Asked[] = [];
  const description = new ForgeDescription(forge);
  const faults: string[] = [];
  onTestFinished(() => expect(faults).toEqual([]));
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString("utf8");
    const line = `${request.method} ${request.url}`;
    const body: unknown = text === "" ? null : JSON.parse(text);
    asked.push({ line, body, headers: request.headers });
    try {
      description.check(request.method ?? "", new URL(request.url ?? "", "http://forge"), body);
    } catch (error) {
      faults.push((error as Error).message);
    }
    const answer = answers[line];
    response.statusCode = answer === undefined ? 404 : typeof answer === "number" ? answer : 200;
    if (answer instanceof Error) response.statusCode = 400;
    response.setHeader("content-type", "application/json");
    response.end(
      JSON.stringify(answer instanceof Error ? { message: answer.message } : (answer ?? { message: "Not Found" })),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const api = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const settings = { forge, api, repository: "acme/shop", token: "T", app: null, deployments: true, comment: true };
  return { asked, forge: restForges(systemClock)(settings, async () => new Secret(token)) };
}

async function everyState(forge: Forge): Promise<void> {
  for (const state of ["waiting", "running", "succeeded", "failed", "cancelled"] satisfies ReportState[])
    await forge.setStatus(
      { commit, context: "slipway/shop", state, description: "said", url: "https://s.example/1" },
      signal,
    );
}

const statesIn = (asked: readonly Asked[]) => asked.map(({ body }) => (body as { state: string }).state);

/** Shapes: docs.gitlab.com/api/commits#set-commit-pipeline-status, /api/commits#list-merge-requests-associated-with-a-commit, /api/notes. */
it("GitLab gets a status under the project's encoded name, and a note that it already has is edited", async () => {
  const at = "/projects/acme%2Fshop";
  const notes = `${at}/merge_requests/7/notes`;
  const { forge, asked } = await forgeOf("gitlab", {
    [`POST ${at}/statuses/${commit}`]: { id: 1, sha: commit, name: "slipway/shop", status: "running" },
    [`GET ${at}/repository/commits/${commit}/merge_requests`]: [
      { id: 90, iid: 6, state: "merged" },
      { id: 91, iid: 7, state: "opened" },
    ],
    [`GET ${notes}?per_page=100&page=1&sort=asc&order_by=created_at`]: [
      { id: 301, body: "Looks good", system: false },
      { id: 302, body: "<!-- slipway:shop -->\nold", system: false },
    ],
    [`PUT ${notes}/302`]: { id: 302, body: "new" },
    [`GET ${at}/repository/commits/${commit}/statuses?per_page=100&page=1`]: [
      { id: 93, sha: commit, status: "success", name: "build", description: null },
      { id: 94, sha: commit, status: "manual", name: "deploy", description: "by hand" },
      { id: 95, sha: commit, status: "skipped", name: "e2e", description: null },
    ],
  });
  await everyState(forge);
  expect(statesIn(asked)).toEqual(["pending", "running", "success", "failed", "canceled"]);
  expect(asked[0]).toMatchObject({
    body: { name: "slipway/shop", description: "said", target_url: "https://s.example/1" },
    headers: { "private-token": "token-of-the-test" },
  });
  expect(await forge.checks(commit, signal)).toEqual([
    { name: "build", state: "succeeded", says: "success" },
    { name: "deploy", state: "pending", says: "manual: by hand" },
    { name: "e2e", state: "failed", says: "skipped" },
  ]);
  expect(await forge.pullRequest(commit, signal)).toBe(7);
  const comment = { pull: 7, marker: "<!-- slipway:shop -->", body: "<!-- slipway:shop -->\nnew" };
  expect(await forge.setComment(comment, null, signal)).toBe("302");
  expect(asked.at(-1)?.body).toEqual({ body: comment.body });
  expect(forge.can).toEqual({ checks: false, deployments: true });
});

/** Shapes: docs.gitlab.com/api/deployments, docs.gitlab.com/api/environments. */
it("GitLab gets a deployment once it has begun, found again by its commit, and the environment's address when it is live", async () => {
  const at = "/projects/acme%2Fshop";
  const place = { id: 9, name: "production", external_url: null };
  const ours = { id: 42, sha: commit, status: "running", deployable: null, environment: place };
  const running = `GET ${at}/deployments?environment=production&status=running&per_page=100`;
  const answers: Record<string, unknown> = {
    // One of another commit, and one of a job of GitLab's own.
    [running]: [
      { ...ours, id: 40, sha: "b".repeat(40) },
      { ...ours, id: 41, deployable: { id: 664 } },
    ],
    [`POST ${at}/deployments`]: ours,
    [`GET ${at}/deployments/42`]: ours,
    [`PUT ${at}/deployments/42`]: { ...ours, status: "success" },
    [`PUT ${at}/environments/9`]: { ...place, external_url: "https://shop.example" },
  };
  const { forge, asked } = await forgeOf("gitlab", answers);
  const tell = (state: ReportState, known: string | null) =>
    forge.setDeployment(
      {
        ...{ commit, context: "slipway/shop/production", state, description: "said", url: null, gated: false },
        ...{ key: "dep_1" as DeploymentId, environment: "production" as EnvironmentName },
        environmentUrl: "https://shop.example",
      },
      known,
      signal,
    );
  expect(await tell("waiting", null)).toBeNull();
  expect(asked).toEqual([]);
  expect(await tell("running", null)).toBe("42");
  const body = { environment: "production", sha: commit, ref: commit, tag: false, status: "running" };
  expect(asked.map(({ line }) => line)).toEqual([running, `POST ${at}/deployments`, `GET ${at}/deployments/42`]);
  expect(asked[1]?.body).toEqual(body);
  // A control plane that died before it knew the id makes no second one.
  answers[running] = [ours];
  expect(await tell("running", null)).toBe("42");
  expect(asked.filter(({ line }) => line.startsWith("POST"))).toHaveLength(1);
  expect(await tell("succeeded", "42")).toBe("42");
  expect(asked.slice(-2).map(({ line, body: sent }) => [line, sent])).toEqual([
    [`PUT ${at}/deployments/42`, { status: "success" }],
    [`PUT ${at}/environments/9`, { external_url: "https://shop.example" }],
  ]);
});

it("GitLab refuses to set what a status is already, which is no trouble; what it is not, is one", async () => {
  const line = `POST /projects/acme%2Fshop/statuses/${commit}`;
  const said = 'Cannot transition status via :run from :running (Reason(s): Status cannot transition via "run")';
  const { forge } = await forgeOf("gitlab", { [line]: new Error(said) });
  const status = { commit, context: "c", description: "d", url: null };
  await forge.setStatus({ ...status, state: "running" }, signal);
  await expect(forge.setStatus({ ...status, state: "succeeded" }, signal)).rejects.toMatchObject({ is: "wrong" });
});

it("GitLab sets one status at a time: while it sets another, this one waits and is not given up", async () => {
  const line = `POST /projects/acme%2Fshop/statuses/${commit}`;
  const { forge } = await forgeOf("gitlab", { [line]: 409 });
  const status = { commit, context: "c", description: "d", url: null, state: "running" as const };
  await expect(forge.setStatus(status, signal)).rejects.toMatchObject({ is: "away", status: 409 });
});

it("GitLab takes texts of 255 characters: longer ones are cut, and an address that is longer is left out", async () => {
  const line = `POST /projects/acme%2Fshop/statuses/${commit}`;
  const { forge, asked } = await forgeOf("gitlab", { [line]: { id: 1 } });
  const status = { commit, context: "c".repeat(300), description: "d".repeat(300), state: "running" as const };
  await forge.setStatus({ ...status, url: `https://s.example/${"x".repeat(300)}` }, signal);
  expect(asked[0]?.body).toEqual({
    state: "running",
    name: `${"c".repeat(254)}…`,
    description: `${"d".repeat(254)}…`,
  });
});

it("GitLab's pages of notes have holes: ours is found behind one that is not full, and only an empty one is the last", async () => {
  const notes = "/projects/acme%2Fshop/merge_requests/7/notes";
  const page = (number: number) => `GET ${notes}?per_page=100&page=${number}&sort=asc&order_by=created_at`;
  const others = Array.from({ length: 60 }, (_, id) => ({ id, body: "said" }));
  const { forge, asked } = await forgeOf("gitlab", {
    [page(1)]: others,
    [page(2)]: [{ id: 302, body: "m old" }],
    [page(3)]: [],
    [`PUT ${notes}/302`]: { id: 302 },
    [`POST ${notes}`]: { id: 303 },
  });
  expect(await forge.setComment({ pull: 7, marker: "m", body: "m new" }, null, signal)).toBe("302");
  expect(await forge.setComment({ pull: 7, marker: "other", body: "other" }, null, signal)).toBe("303");
  expect(asked.filter(({ line }) => line.startsWith("POST"))).toHaveLength(1);
});

/** Shapes: Gitea's Swagger: CreateStatusOption, PullRequest, Comment. */
it("Gitea gets a status; an open pull request is found by its head, a merged one by its commit", async () => {
  const at = "/repos/acme/shop";
  const other = "b".repeat(40);
  const { forge, asked } = await forgeOf("gitea", {
    [`POST ${at}/statuses/${commit}`]: { id: 1, status: "pending", context: "slipway/shop" },
    [`GET ${at}/pulls?state=open&limit=50&page=1`]: [{ number: 3, head: { sha: commit, ref: "feature" } }],
    [`GET ${at}/pulls?state=open&limit=50&page=2`]: [],
    [`GET ${at}/commits/${other}/pull`]: { number: 2, merged: true },
    [`GET ${at}/issues/3/comments`]: [],
    [`GET ${at}/commits/${commit}/statuses?sort=highestindex&limit=50&page=1`]: [
      { id: 8, status: "success", context: "build" },
      { id: 7, status: "failure", context: "build" },
      { id: 6, status: "warning", context: "lint", description: "two" },
    ],
    [`POST ${at}/issues/3/comments`]: { id: 55, body: "m" },
  });
  await everyState(forge);
  expect(statesIn(asked)).toEqual(["pending", "pending", "success", "failure", "error"]);
  expect(asked[0]?.headers.authorization).toBe("token token-of-the-test");
  expect(await forge.checks(commit, signal)).toEqual([
    { name: "build", state: "succeeded", says: "success" },
    { name: "lint", state: "failed", says: "warning: two" },
  ]);
  expect(await forge.pullRequest(commit, signal)).toBe(3);
  expect(await forge.pullRequest(other, signal)).toBe(2);
  expect(await forge.pullRequest("c".repeat(40), signal)).toBeNull();
  expect(await forge.setComment({ pull: 3, marker: "m", body: "m" }, null, signal)).toBe("55");
});

/** Shapes: developer.atlassian.com/cloud/bitbucket/rest/api-group-commit-statuses, -pullrequests. */
it("Bitbucket gets a status with texts that fit and an address; a deleted comment is not ours any more", async () => {
  const at = "/repositories/acme/shop";
  const comments = `${at}/pullrequests/4/comments`;
  const { forge, asked } = await forgeOf(
    "bitbucket",
    {
      [`POST ${at}/commit/${commit}/statuses/build`]: { key: "k", state: "INPROGRESS" },
      [`GET ${comments}?pagelen=100`]: {
        values: [{ id: 9, deleted: true, content: { raw: "[//]: # (slipway:shop)" } }],
        pagelen: 100,
      },
      [`POST ${comments}`]: { id: 10, content: { raw: "x" } },
    },
    "ada:app-password",
  );
  await everyState(forge);
  expect(statesIn(asked)).toEqual(["INPROGRESS", "INPROGRESS", "SUCCESSFUL", "FAILED", "STOPPED"]);
  expect(asked[0]?.headers.authorization).toBe(`Basic ${Buffer.from("ada:app-password").toString("base64")}`);
  expect(asked[0]?.body).toEqual({
    ...{ key: "slipway/shop", name: "slipway/shop", state: "INPROGRESS" },
    ...{ description: "said", url: "https://s.example/1" },
  });
  const long = `slipway/${"a".repeat(300)}/production`;
  const told = { commit, context: long, state: "running", description: "d" } as const;
  const commitUrl = `https://bitbucket.org/acme/shop/commits/${commit}`;
  for (const url of [null, `https://s.example/${"x".repeat(450)}`]) {
    await forge.setStatus({ ...told, url }, signal);
    expect(asked.at(-1)?.body).toMatchObject({ name: `${long.slice(0, 254)}…`, url: commitUrl });
  }
  const [one, other] = asked.slice(-2).map(({ body }) => (body as { key: string }).key);
  expect([one?.length, one]).toEqual([40, other]);
  const marker = "[//]: # (slipway:shop)";
  expect(await forge.setComment({ pull: 4, marker, body: `${marker}\n\nhello` }, null, signal)).toBe("10");
});

it("Bitbucket's open pull requests are known by their heads, which it shortens; others only by an app that may not be on", async () => {
  const at = "/repositories/acme/shop";
  const [mine, theirs, past] = ["a", "b", "c"].map((letter) => letter.repeat(40)) as [string, string, string];
  const head = (hash: string) => ({ commit: { type: "commit", hash: hash.slice(0, 12) }, branch: { name: "x" } });
  const open = { pagelen: 50, size: 51, page: 1 };
  const answers: Record<string, unknown> = {
    [`GET ${at}/pullrequests?state=OPEN&pagelen=50`]: {
      ...open,
      values: [{ type: "pullrequest", id: 3, state: "OPEN", source: head(theirs) }],
      // As it says it, and with the token of nobody else's API.
      next: `https://elsewhere.example${at}/pullrequests?state=OPEN&pagelen=50&page=2`,
    },
    [`GET ${at}/pullrequests?state=OPEN&pagelen=50&page=2`]: {
      values: [
        { type: "pullrequest", id: 4, state: "OPEN", source: { commit: null } },
        { type: "pullrequest", id: 5, state: "OPEN", source: head(mine) },
      ],
    },
  };
  const { forge } = await forgeOf("bitbucket", answers);
  expect(await forge.pullRequest(mine, signal)).toBe(5);
  expect(await forge.pullRequest(past, signal)).toBeNull();
  answers[`GET ${at}/commit/${past}/pullrequests?pagelen=50`] = {
    values: [{ type: "pullrequest", id: 2 }],
    pagelen: 50,
  };
  expect(await forge.pullRequest(past, signal)).toBe(2);
});

it("Bitbucket's one comment is edited, wherever it is, and its statuses are read to the last page", async () => {
  const at = "/repositories/acme/shop";
  const comments = `${at}/pullrequests/4/comments`;
  const statuses = `${at}/commit/${commit}/statuses`;
  const marker = "[//]: # (slipway:shop)";
  const next = (path: string) => `http://forge.example${path}`;
  const { forge, asked } = await forgeOf("bitbucket", {
    // A page that is not full, and not the last either: what was deleted may be left out.
    [`GET ${comments}?pagelen=100`]: {
      values: [{ id: 7, content: { raw: `as ${marker} says` } }],
      next: next(`${comments}?pagelen=100&page=2`),
    },
    [`GET ${comments}?pagelen=100&page=2`]: { values: [{ id: 8, content: { raw: `${marker}\n\nold` } }] },
    [`PUT ${comments}/8`]: { id: 8 },
    [`GET ${statuses}?pagelen=100`]: {
      values: [{ key: "k1", name: "build", state: "SUCCESSFUL" }],
      next: next(`${statuses}?pagelen=100&page=oOPaque`),
    },
    [`GET ${statuses}?pagelen=100&page=oOPaque`]: { values: [{ key: "k2", state: "STOPPED", description: "by ada" }] },
  });
  const body = `${marker}\n\nnew`;
  expect(await forge.setComment({ pull: 4, marker, body }, null, signal)).toBe("8");
  expect(await forge.setComment({ pull: 4, marker, body: `${body}er` }, "8", signal)).toBe("8");
  expect(asked.map(({ line }) => line)).toEqual([
    ...[`GET ${comments}?pagelen=100`, `GET ${comments}?pagelen=100&page=2`, `PUT ${comments}/8`],
    `PUT ${comments}/8`,
  ]);
  expect(asked.at(-1)?.body).toEqual({ content: { raw: `${body}er` } });
  expect(await forge.checks(commit, signal)).toEqual([
    { name: "build", state: "succeeded", says: "SUCCESSFUL" },
    { name: "k2", state: "failed", says: "STOPPED: by ada" },
  ]);
});
