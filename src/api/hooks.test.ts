import { createHmac, randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FastifyInstance } from "fastify";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ForgeKind } from "../core/product/forges.ts";
import type { ProductInput } from "../core/product/input.ts";
import { Secret } from "../core/secret.ts";
import { triggerSettings } from "../core/triggers/settings.ts";
import { openSqliteStore } from "../drivers/stores/sqlite/index.ts";
import { fileVault } from "../drivers/vaults/file/index.ts";
import { AlertDesk } from "../engine/alerts/desk.ts";
import { SeenChecks } from "../engine/forge/seen-checks.ts";
import { Changes } from "../engine/history.ts";
import { setSecret } from "../engine/secrets/secrets.ts";
import { sqliteEngine } from "../engine/sqlite/engine.ts";
import { triggersPlace } from "../engine/triggers/settings.ts";
import { triggersNow } from "../engine/triggers/view.ts";
import { triggerKind } from "../engine/triggers/workflow.ts";
import type { World } from "../engine/world.ts";
import { systemClock } from "../lib/system-clock.ts";
import type { Engine } from "../ports/engine.ts";
import type { Store } from "../ports/store.ts";
import { hookServer } from "./hook-server.ts";

/** What GitHub has really sent, as its own documentation keeps it. */
const recorded = createRequire(import.meta.url)("@octokit/webhooks-examples/api.github.com/index.json") as {
  readonly name: string;
  readonly examples: readonly { readonly ref?: string; readonly deleted?: boolean }[];
}[];
const examples = (name: string) => recorded.find((each) => each.name === name)?.examples ?? [];

const secret = "a-secret-of-the-test";
const alertToken = "a-token-of-the-test";
const [a, b] = ["a".repeat(40), "b".repeat(40)];

let directory: string;
let store: Store;
let engine: Engine;
let world: World;
let server: FastifyInstance;
/** Events whose work was begun. */
let begun: string[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "slipway-hooks-"));
  store = await openSqliteStore({ directory });
  engine = sqliteEngine({ store, clock: systemClock });
  begun = [];
  engine.register<{ readonly event: string }, null>(triggerKind, async (_, { event }) => {
    begun.push(event);
    return null;
  });
  await engine.open();
  const changes = new Changes();
  world = {
    store,
    engine,
    clock: systemClock,
    changes,
    alerts: new AlertDesk({ store, clock: systemClock, changes, product: "shop" }),
    seenChecks: new SeenChecks(),
    vault: fileVault(join(directory, "secrets.key")),
    newId: () => randomBytes(6).toString("hex"),
    log: { info: () => {}, warn: () => {}, error: () => {} },
  } as Partial<World> as World;
  server = hookServer(world, "shop", { alertToken });
});

afterEach(async () => {
  await server.close();
  await engine.close();
  await store.close();
  await rm(directory, { recursive: true, force: true });
});

async function inForce(
  forge: ForgeKind,
  more: ProductInput["triggers"] = {},
  environments: NonNullable<ProductInput["environments"]> = {},
): Promise<void> {
  const triggers = { branches: { "*": {} }, tags: { "*": {} }, webhook: { forge }, ...more };
  await store.db
    .insertInto("trigger_config")
    .values({
      product: "shop",
      repository: "/srv/shop",
      settings: JSON.stringify(triggerSettings({ triggers, environments })),
      applied_at: 1,
      applied_by: "ada",
      polled_at: null,
      poll_error: null,
    })
    .execute();
  const at = { product: "shop", environment: triggersPlace, name: "WEBHOOK_SECRET", actor: "ada", reason: "" };
  await setSecret(world, at, new Secret(secret));
}

const signed = (body: string, by = secret): string => createHmac("sha256", by).update(body).digest("hex");

/** As each forge sends it. */
const headersOf: Readonly<
  Record<ForgeKind, (body: string, event: string, delivery: string) => Record<string, string>>
> = {
  github: (body, event, delivery) => ({
    "x-github-event": event,
    "x-github-delivery": delivery,
    "x-hub-signature-256": `sha256=${signed(body)}`,
  }),
  gitea: (body, event, delivery) => ({
    "x-gitea-event": event,
    "x-gitea-delivery": delivery,
    "x-gitea-signature": signed(body),
  }),
  gitlab: (_, event, delivery) => ({
    "x-gitlab-event": event,
    "idempotency-key": delivery,
    "x-gitlab-token": secret,
  }),
  bitbucket: (body, event, delivery) => ({
    "x-event-key": event,
    "x-request-uuid": delivery,
    "x-hub-signature": `sha256=${signed(body)}`,
  }),
};

async function deliver(
  forge: ForgeKind,
  event: string,
  payload: unknown,
  more: { readonly delivery?: string; readonly headers?: Record<string, string> } = {},
) {
  const body = typeof payload === "string" ? payload : JSON.stringify(payload);
  const headers = {
    "content-type": "application/json",
    ...headersOf[forge](body, event, more.delivery ?? randomUUID()),
    ...more.headers,
  };
  const answer = await server.inject({ method: "POST", url: `/hooks/${forge}`, headers, payload: body });
  return { status: answer.statusCode, body: answer.json() };
}

async function events() {
  const rows = await store.db.selectFrom("trigger_event").selectAll().orderBy("number").execute();
  return rows.map(({ event, ...row }) => ({ ...row, event: JSON.parse(event) }));
}

describe("what GitHub has recorded", () => {
  it("of pushes begins what is mapped, once each, and nothing for what was deleted", async () => {
    await inForce("github");
    for (const example of examples("push")) expect((await deliver("github", "push", example)).status).toBe(202);
    const all = await events();
    expect(examples("push").length).toBeGreaterThan(5);
    const made = all.filter(({ phase }) => phase === "begun");
    expect(made.map(({ event }) => `${event.ref.kind} ${event.ref.name} ${event.actor}`).toSorted()).toEqual([
      "branch master Codertocat",
      "tag simple-tag Codertocat",
    ]);
    expect(all.filter(({ event }) => event.after === null).every(({ phase }) => phase === "ignored")).toBe(true);
    for (const { id } of made) await engine.ended(id);
    expect(begun.toSorted()).toEqual(made.map(({ id }) => id).toSorted());
  });

  it("of everything else is answered, and begins nothing", async () => {
    await inForce("github");
    for (const { name, examples: all } of recorded) {
      if (name === "push" || name === "pull_request") continue;
      const answer = await deliver("github", name, all[0]);
      expect([answer.status, answer.body.events], name).toEqual([202, []]);
    }
    expect((await events()).map(({ event, reason }) => [event.is, reason])).toEqual([
      ["ping", "a ping: the webhook reaches us"],
    ]);
    expect(begun).toEqual([]);
  });
});

describe("pull requests", () => {
  const templated = { pullRequests: { deploy: "preview", forks: true } };
  const previews = { preview: { previews: {} } };

  it("that GitHub has recorded begin a preview, move it and end it, and nothing else of them does", async () => {
    await inForce("github", templated, previews);
    for (const example of examples("pull_request"))
      expect((await deliver("github", "pull_request", example)).status).toBe(202);
    const all = (await events()).map(({ event, phase, begin }) => [event.became, phase, JSON.parse(begin ?? "{}")]);
    expect(examples("pull_request").length).toBeGreaterThan(5);
    expect(new Set(all.map(([became]) => became))).toEqual(new Set(["opened", "moved", "closed"]));
    for (const [became, , begin] of all)
      expect(became === "closed" ? begin.preview : (begin.deploy ?? "preview/pr-2")).toBe("preview/pr-2");
  });

  const cases: readonly [ForgeKind, string, object, string][] = [
    [
      "gitea",
      "pull_request",
      {
        action: "synchronized",
        number: 12,
        pull_request: { number: 12, head: { ref: "cart", sha: b, repo: { full_name: "mallory/shop" } } },
        repository: { full_name: "acme/shop" },
        sender: { login: "ada" },
      },
      "refs/pull/12/head",
    ],
    [
      "gitlab",
      "Merge Request Hook",
      {
        user: { username: "ada" },
        project: { path_with_namespace: "acme/shop" },
        object_attributes: {
          iid: 12,
          action: "update",
          oldrev: a,
          source_branch: "cart",
          source: { path_with_namespace: "mallory/shop" },
          last_commit: { id: b },
        },
      },
      "refs/merge-requests/12/head",
    ],
    [
      "bitbucket",
      "pullrequest:updated",
      {
        actor: { nickname: "ada" },
        repository: { full_name: "acme/shop" },
        pullrequest: {
          id: 12,
          source: {
            branch: { name: "cart" },
            commit: { hash: "bbbbbbbbbbbb" },
            repository: { full_name: "acme/shop" },
          },
        },
      },
      "refs/heads/cart",
    ],
  ];

  it.each(cases)("of %s are understood, and known to be of another repository", async (forge, name, body, head) => {
    await inForce(forge, { pullRequests: { deploy: "preview" } }, previews);
    await deliver(forge, name, body);
    const [event] = await events();
    expect(event?.event).toMatchObject({
      is: "pull-request",
      repository: "acme/shop",
      ref: { kind: "pull-request", name: "12", head },
      became: "moved",
      from: { branch: "cart" },
      actor: "ada",
    });
    const isFork = event?.event.from.repository !== "acme/shop";
    expect(event?.phase).toBe(isFork ? "ignored" : "begun");
  });

  it("of Bitbucket's forks have no commit here, whatever is allowed", async () => {
    await inForce("bitbucket", templated, previews);
    const source = { branch: { name: "main" }, repository: { full_name: "mallory/shop" } };
    const body = { repository: { full_name: "acme/shop" }, pullrequest: { id: 3, source } };
    await deliver("bitbucket", "pullrequest:created", body);
    expect((await events()).map(({ phase }) => phase)).toEqual(["ignored"]);
  });

  it("of GitLab that change a title or a label begin nothing", async () => {
    await inForce("gitlab", templated, previews);
    const object_attributes = { iid: 1, action: "update", source_branch: "cart", last_commit: { id: b } };
    const body = { project: { path_with_namespace: "acme/shop" }, object_attributes };
    expect((await deliver("gitlab", "Merge Request Hook", body)).body.events).toEqual([]);
  });
});

describe("other forges, as their documentation has it,", () => {
  const cases: readonly [ForgeKind, string, object][] = [
    [
      "gitlab",
      "Push Hook",
      {
        object_kind: "push",
        before: a,
        after: b,
        ref: "refs/heads/main",
        user_name: "Ada L",
        user_username: "ada",
        project: { path_with_namespace: "acme/shop" },
        commits: [
          { id: a, message: "not this one [skip ci]" },
          { id: b, message: "feat: more" },
        ],
      },
    ],
    [
      "gitea",
      "push",
      {
        ref: "refs/heads/main",
        before: a,
        after: b,
        commits: [],
        head_commit: { id: b, message: "feat: more" },
        repository: { full_name: "acme/shop" },
        pusher: { login: "ada", username: "ada" },
        sender: { login: "ada", username: "ada" },
      },
    ],
    [
      "bitbucket",
      "repo:push",
      {
        actor: { display_name: "Ada L", nickname: "ada" },
        repository: { full_name: "acme/shop" },
        push: {
          changes: [
            {
              new: { type: "branch", name: "main", target: { hash: b, message: "feat: more" } },
              old: { type: "branch", name: "main", target: { hash: a, message: "feat: less" } },
            },
          ],
        },
      },
    ],
  ];

  it.each(cases)("%s: a push is understood, and the same delivery begins nothing again", async (forge, name, body) => {
    await inForce(forge);
    const delivery = randomUUID();
    expect(await deliver(forge, name, body, { delivery })).toMatchObject({
      status: 202,
      body: { events: [{ again: false }] },
    });
    expect(await deliver(forge, name, body, { delivery })).toMatchObject({
      status: 202,
      body: { events: [{ again: true }] },
    });
    const [event, ...more] = await events();
    expect(more).toEqual([]);
    expect(event?.event).toEqual({
      is: "push",
      repository: "acme/shop",
      ref: { kind: "branch", name: "main" },
      before: a,
      after: b,
      message: "feat: more",
      actor: "ada",
    });
  });

  it("bitbucket: one delivery tells of every ref that has moved", async () => {
    await inForce("bitbucket");
    const branch = (name: string, hash: string | null) =>
      hash === null ? null : { type: "branch", name, target: { hash, message: "x" } };
    const body = {
      repository: { full_name: "acme/shop" },
      push: {
        changes: [
          { old: null, new: branch("one", a) },
          { old: branch("two", a), new: null },
          { old: null, new: { type: "tag", name: "v1", target: { hash: b, message: "x" } } },
        ],
      },
    };
    await deliver("bitbucket", "repo:push", body);
    expect((await events()).map(({ phase, reason }) => [phase, reason])).toEqual([
      ["begun", "one at aaaaaaa: a run"],
      ["ignored", "two was deleted"],
      ["begun", "tag v1 at bbbbbbb: a run"],
    ]);
  });
});

describe("what is not proven", () => {
  const push = { ref: "refs/heads/main", before: a, after: b, repository: { full_name: "acme/shop" } };

  it.each([
    ["github", { "x-hub-signature-256": "" }, "the delivery carries no x-hub-signature-256"],
    ["github", { "x-hub-signature-256": `sha256=${"0".repeat(64)}` }, "the signature is not that of this body"],
    ["github", { "x-hub-signature-256": "sha256=" }, "the signature is not that of this body"],
    [
      "github",
      { "x-hub-signature-256": `sha256=${signed(JSON.stringify(push), "another")}` },
      "the signature is not that of this body",
    ],
    ["gitlab", { "x-gitlab-token": "" }, "the delivery carries no x-gitlab-token"],
    ["gitlab", { "x-gitlab-token": `${secret} `.trimEnd().slice(1) }, "the token is not the right one"],
    ["bitbucket", { "x-hub-signature": signed(JSON.stringify({})) }, "the signature is not that of this body"],
  ] as const)("of %s with %j is refused, and not written down", async (forge, headers, message) => {
    await inForce(forge);
    const answer = await deliver(forge, "push", push, { headers });
    expect([answer.status, answer.body.error.code, answer.body.error.message]).toEqual([401, "UNAUTHORIZED", message]);
    expect(answer.body.error.hint).toContain("slipway secret set WEBHOOK_SECRET -e triggers");
    expect(JSON.stringify(answer.body)).not.toContain(secret);
    expect(await events()).toEqual([]);
  });

  it("by one byte of the body is refused: the proof is over what came, not over what it means", async () => {
    await inForce("github");
    const body = JSON.stringify(push);
    const headers = { "x-hub-signature-256": `sha256=${signed(body)}` };
    expect((await deliver("github", "push", ` ${body}`, { headers })).status).toBe(401);
    expect((await deliver("github", "push", body, { headers })).status).toBe(202);
  });

  it("is the same also when a thousand others have been heard since", async () => {
    await inForce("github");
    const push = examples("push").find(({ deleted, ref }) => deleted !== true && ref === "refs/heads/master");
    expect((await deliver("github", "push", push)).body.events).toMatchObject([{ phase: "begun", again: false }]);
    await engine.ended((await events())[0]?.id ?? "");
    await store.db.updateTable("trigger_event").set({ ended_at: 1 }).execute();
    const [row] = await store.db.selectFrom("trigger_event").selectAll().execute();
    if (row === undefined) throw new Error("nothing was heard");
    for (let number = 2; number <= 1_001; number += 1) {
      const name = `of ${number}`;
      const other = { ...row, id: `evt_${number}` as typeof row.id, number, delivery: name, digest: name };
      await store.db.insertInto("trigger_event").values(other).execute();
    }
    // One more: now the first is only a name.
    await deliver("github", "ping", { zen: "x" });
    await store.db.updateTable("trigger_ref").set({ after: b, before: a }).execute();
    expect((await deliver("github", "push", push)).body.events).toMatchObject([{ phase: "begun", again: true }]);
    expect(begun).toHaveLength(1);
    const { events: shown } = await triggersNow(world, { product: "shop", limit: 2_000 });
    expect([shown.length, (await events())[0]?.event]).toEqual([1_000, null]);
  });

  it("under another name is the same: a signed body cannot be sent again", async () => {
    await inForce("github");
    const first = await deliver("github", "push", push);
    const again = await deliver("github", "push", push);
    expect(again.body.events).toEqual([{ ...first.body.events[0], again: true }]);
  });
});

it("alerts come in at the same address, with their own token and no other", async () => {
  const alert = {
    status: "firing",
    labels: { alertname: "Slow" },
    startsAt: "2026-11-26T10:00:00Z",
    endsAt: "0001-01-01T00:00:00Z",
  };
  const payload = {
    version: "4",
    groupKey: "a",
    status: "firing",
    receiver: "slipway",
    groupLabels: {},
    commonLabels: {},
    commonAnnotations: {},
    externalURL: "",
    truncatedAlerts: 0,
    alerts: [{ ...alert, annotations: {}, generatorURL: "", fingerprint: "f00" }],
  };
  const post = (token: string) =>
    server.inject({ method: "POST", url: "/v1/alerts", headers: { authorization: `Bearer ${token}` }, payload });
  expect((await post(secret)).json().error.code).toBe("UNAUTHORIZED");
  expect((await post(alertToken)).json()).toEqual({ taken: 1, news: 1, truncated: 0 });
  expect((await post(alertToken)).json()).toMatchObject({ news: 0 });
  const elsewhere = await server.inject({ url: "/v1/status", headers: { authorization: `Bearer ${alertToken}` } });
  expect(elsewhere.statusCode).toBe(404);
});

describe("a delivery", () => {
  it("says what is wrong with it", async () => {
    const codeOf = async (forge: ForgeKind, event: string, body: unknown, headers = {}) => {
      const { status, body: said } = await deliver(forge, event, body, { headers });
      return [status, said.error.code];
    };
    expect(await codeOf("github", "push", {})).toEqual([404, "NOT_FOUND"]);
    await inForce("github");
    expect(await codeOf("gitlab", "Push Hook", {})).toEqual([404, "NOT_FOUND"]);
    expect(await codeOf("github", "push", "{")).toEqual([400, "USAGE"]);
    expect(await codeOf("github", "push", { ref: 1 })).toEqual([400, "USAGE"]);
    expect(await codeOf("github", "push", {}, { "x-github-event": "" })).toEqual([400, "USAGE"]);
    const answer = await server.inject({ method: "GET", url: "/v1/status" });
    expect([answer.statusCode, answer.json().error.code]).toEqual([404, "NOT_FOUND"]);
  });

  it("is refused before its body is taken where it carries no proof", async () => {
    await inForce("github");
    const { port } = new URL(await server.listen({ host: "127.0.0.1", port: 0 }));
    const socket = connect({ host: "127.0.0.1", port: Number(port) });
    socket.write(
      `POST /hooks/github HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${20 * 1024 ** 2}\r\n\r\n`,
    );
    const [answer] = (await once(socket.setEncoding("utf8"), "data")) as [string];
    socket.destroy();
    expect(answer).toMatch(/^HTTP\/1.1 401 [\s\S]*the delivery carries no x-hub-signature-256/);
  });

  it("may be a form, and may have 25 MB, and no more", async () => {
    await inForce("github");
    const push = { ref: "refs/heads/main", before: a, after: b, repository: { full_name: "acme/shop" } };
    const form = new URLSearchParams({ payload: JSON.stringify(push) }).toString();
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    expect((await deliver("github", "push", form, { headers })).body.events).toHaveLength(1);
    const filled = (bytes: number) => {
      const empty = JSON.stringify({ filler: "" });
      return JSON.stringify({ filler: "x".repeat(bytes - empty.length) });
    };
    const limit = 25 * 1024 ** 2;
    expect((await deliver("github", "issues", filled(limit))).status).toBe(202);
    const { status, body } = await deliver("github", "issues", filled(limit + 1));
    expect([status, body.error.code]).toEqual([413, "BODY_TOO_LARGE"]);
  });
});
