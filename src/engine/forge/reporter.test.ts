import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { resolveEnvironment } from "../../core/product/resolve.ts";
import { validateProduct } from "../../core/product/validate.ts";
import { Secret } from "../../core/secret.ts";
import { triggerSettings } from "../../core/triggers/settings.ts";
import { restForges } from "../../drivers/forges/rest/index.ts";
import { openSqliteStore } from "../../drivers/stores/sqlite/index.ts";
import { fileVault } from "../../drivers/vaults/file/index.ts";
import { systemClock } from "../../lib/system-clock.ts";
import type { Store } from "../../ports/store.ts";
import { goldenRows } from "../../store/migrations/golden.ts";
import { GithubStandIn } from "../../testing/forges/github.ts";
import { freePort } from "../../testing/ports.ts";
import { Changes } from "../history.ts";
import { openPageLink } from "../pages/links.ts";
import { setSecret } from "../secrets/secrets.ts";
import { triggersPlace } from "../triggers/settings.ts";
import type { World } from "../world.ts";
import { Forges } from "./forges.ts";
import { Reporter } from "./reporter.ts";

let directory: string;
let github: GithubStandIn;
let store: Store;
let world: World;
let reporter: Reporter | null = null;
/** What was logged as a warning. */
let warned: string[];

beforeAll(async () => {
  github = await GithubStandIn.start(await freePort());
});
afterAll(() => github.close());

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "slipway-forge-"));
  store = await openSqliteStore({ directory });
  warned = [];
  github.forget();
  world = {
    store,
    clock: systemClock,
    changes: new Changes(),
    vault: fileVault(join(directory, "secrets.key")),
    newId: () => randomBytes(6).toString("hex"),
    openForge: restForges(systemClock),
    log: { info: () => {}, warn: (_, fields) => void warned.push(JSON.stringify(fields)), error: () => {} },
  } as Partial<World> as World;
});
afterEach(async () => {
  await reporter?.close();
  reporter = null;
  await store.close();
  await rm(directory, { recursive: true, force: true });
});

async function inForce(token = "token-of-the-test"): Promise<void> {
  const report = { forge: "github", api: github.url } as const;
  const settings = triggerSettings({ triggers: { repository: "octocat/shop", report, url: "https://s.example/" } });
  const kept = { repository: "/srv/shop", settings: JSON.stringify(settings), applied_at: 1, applied_by: "ada" };
  await store.db
    .insertInto("trigger_config")
    .values({ product: "shop", ...kept, polled_at: null, poll_error: null })
    .execute();
  const at = { product: "shop", environment: triggersPlace, name: "FORGE_TOKEN", actor: "ada", reason: "" };
  await setSecret(world, at, new Secret(token));
}

/** Of a product that people find at a host of its own. */
function releaseConfig(): string {
  const { config, problems } = validateProduct({
    name: "shop",
    services: {
      web: { kind: "web", command: ["node", "server.js"], routes: ["api.example.com/v1", "shop.example.com"] },
    },
    environments: { production: { edge: { listen: "127.0.0.1:80" } } },
  });
  if (config === null) throw new Error(JSON.stringify(problems));
  return JSON.stringify({ product: "shop", environments: { production: resolveEnvironment(config, "production") } });
}

/** A run and a deployment of the commit, under way. */
async function underWay(commit: string): Promise<void> {
  const golden = goldenRows[1]!;
  const row = (table: string) => golden[table]?.[0] as never as object;
  await store.db
    .insertInto("artifact")
    .values(row("artifact") as never)
    .execute();
  await store.db
    .insertInto("release")
    .values({ ...row("release"), commit_hash: commit, config: releaseConfig() } as never)
    .execute();
  const created_at = systemClock.now();
  const run = {
    ...{ ...row("run"), commit_hash: commit, created_at },
    ...{ phase: "building", reason: "packs web", ended_at: null },
  };
  await store.db
    .insertInto("run")
    .values(run as never)
    .execute();
  const deployment = {
    ...{ ...row("deployment"), created_at },
    ...{ phase: "baking", reason: "30 s are to pass", ended_at: null },
  };
  await store.db
    .insertInto("deployment")
    .values(deployment as never)
    .execute();
}

async function end(phase: string): Promise<void> {
  const ended_at = systemClock.now();
  await store.db.updateTable("run").set({ phase: "succeeded", reason: "made r1", ended_at }).execute();
  await store.db.updateTable("deployment").set({ phase, reason: "the bake has passed", ended_at }).execute();
  world.changes.announce();
}

function open(): void {
  reporter = new Reporter(world, new Forges(world));
  reporter.open();
}

/** What was told is looked at until it is so. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await systemClock.sleep(20);
}

const everyOver = async (): Promise<boolean> => {
  const rows = await store.db.selectFrom("forge_report").select("over").execute();
  return rows.length > 0 && rows.every(({ over }) => over === 1);
};

describe("the forge", () => {
  it("is told how a run and a deployment stand and how they end, in one comment, once each", async () => {
    const commit = await github.head();
    const pull = await github.issue();
    github.pulls.set(commit, pull);
    await inForce();
    await underWay(commit);
    open();
    await until(async () => (await github.comments(pull)).some(({ body }) => body.includes("baking")));
    const contexts = github.statuses(commit).map(({ context, state }) => `${context} ${state}`);
    expect(contexts.toSorted()).toEqual(["slipway/shop pending", "slipway/shop/production pending"]);
    await end("succeeded");
    await until(everyOver);
    const [comment, ...others] = await github.comments(pull);
    expect(others).toEqual([]);
    expect(comment?.body).toContain("✅ succeeded");
    const [status] = github.statuses(commit);
    const [, link = ""] = /^https:\/\/s\.example\/pages\/(.+)$/.exec(String(status?.target_url)) ?? [];
    expect([status?.state, openPageLink(world, link)]).toEqual(["success", { deployment: "dep_1" }]);
    expect(comment?.body).toContain("<http://shop.example.com/> the bake has passed");
    const told = github.bodies("post /repos/{owner}/{repo}/deployments/{deployment_id}/statuses");
    expect(told.map(({ state, environment_url }) => [state, environment_url])).toEqual([
      ["in_progress", "http://shop.example.com/"],
      ["success", "http://shop.example.com/"],
    ]);
    const count = github.sent.length;
    for (let change = 0; change < 3; change += 1) {
      world.changes.announce();
      await systemClock.sleep(150);
    }
    expect(github.sent.length).toBe(count);
    expect(github.faults).toEqual([]);
    expect(warned).toEqual([]);
  });

  it("that is away is told the newest when it is back, and the trouble is said once", async () => {
    const commit = await github.head();
    const pull = await github.issue();
    github.pulls.set(commit, pull);
    await inForce();
    await underWay(commit);
    github.refuse = () => ({ status: 503, headers: { "retry-after": "0" } });
    open();
    await until(() => github.sent.length > 0);
    await end("rolled-back");
    github.refuse = () => null;
    await until(everyOver);
    expect(await github.comments(pull)).toHaveLength(1);
    expect(github.statuses(commit)[0]).toMatchObject({ context: "slipway/shop/production", state: "failure" });
    expect(warned).toHaveLength(1);
    expect(warned[0]).toContain("github answered 503");
  });

  it("has no second comment and no second deployment when who told it died before it was written down", async () => {
    const commit = await github.head();
    const pull = await github.issue();
    github.pulls.set(commit, pull);
    await inForce();
    await underWay(commit);
    open();
    const made = () => github.bodies("post /repos/{owner}/{repo}/deployments").length;
    await until(async () => made() > 0 && (await github.comments(pull)).length > 0);
    await reporter?.close();
    await store.db.deleteFrom("forge_report").execute();
    open();
    await end("succeeded");
    await until(everyOver);
    expect(await github.comments(pull)).toHaveLength(1);
    expect(made()).toBe(1);
  });

  it("was told all of what is long over: that is forgotten, and not told again", async () => {
    const dayMs = 24 * 60 * 60_000;
    const commit = await github.head();
    await inForce();
    await underWay(commit);
    open();
    await end("succeeded");
    await until(everyOver);
    await reporter?.close();
    const ages = async (days: number) => {
      const at = systemClock.now() - days * dayMs;
      await store.db.updateTable("run").set({ created_at: at }).execute();
      await store.db.updateTable("deployment").set({ created_at: at }).execute();
      await store.db.updateTable("forge_report").set({ updated_at: at }).execute();
    };
    const kept = async () => (await store.db.selectFrom("forge_report").select("subject").execute()).length;
    await ages(59);
    const [before, sent] = [await kept(), github.sent.length];
    // One look is over when the next begins.
    const looked = async () => {
      const { changes } = world;
      const once = changes.once.bind(changes);
      let looks = 0;
      const second = new Promise<void>((resolve) => {
        changes.once = (...asked) => {
          looks += 1;
          if (looks === 1) queueMicrotask(() => changes.announce());
          else resolve();
          return once(...asked);
        };
      });
      open();
      await second;
      changes.once = once;
      await reporter?.close();
    };
    await looked();
    expect([await kept(), github.sent.length]).toEqual([before, sent]);
    await ages(61);
    await looked();
    expect([await kept(), github.sent.length]).toEqual([0, sent]);
  });

  it("that does not let us is told later, says why, and keeps nothing else from being told", async () => {
    const commit = await github.head();
    await inForce();
    await underWay(commit);
    github.refuse = (operation) =>
      operation === "post /repos/{owner}/{repo}/deployments"
        ? { status: 403, body: { message: "Resource not accessible" } }
        : null;
    open();
    await until(() => github.statuses(commit).length >= 2 && warned.length > 0);
    const row = await store.db
      .selectFrom("forge_report")
      .selectAll()
      .where("channel", "=", "deployment")
      .executeTakeFirstOrThrow();
    expect(row).toMatchObject({ failures: 1, error: "github answered 403: Resource not accessible" });
    expect(row.next_at).toBeGreaterThan(systemClock.now() + 30_000);
  });
});
