import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { environmentName, type ReleaseId } from "../../src/core/ids.ts";
import type { ProductInput } from "../../src/core/product/input.ts";
import { perform } from "../../src/engine/judge/actions.ts";
import { ruleReadings } from "../../src/engine/judge/standings.ts";
import { Redis } from "../../src/lib/wire/redis.ts";
import type { Database } from "../../src/testing/databases/database.ts";
import { startPostgres, startRedis } from "../../src/testing/databases/servers.ts";
import { Plane } from "./plane.fixture.ts";

const names = ["under-way", "later", "trial", "step", "retiring", "late", "database", "queue"];

/** Only the rules of the product take anything back here. */
const rollout = { bake: "1m", rules: { errorRatio: false, latency: false } } satisfies ProductInput["rollout"];
const short = { ...rollout, bake: "150ms" } satisfies ProductInput["rollout"];
const notifiers = {
  team: { urlFrom: "SLIPWAY_TEST_HOOK" },
  pager: { urlFrom: "SLIPWAY_TEST_HOOK", format: "alertmanager" },
} satisfies ProductInput["notifiers"];
const errors = "error ratio of web > 50% over 3s -> rollback, notify team";

/** Its releases are good starters: only what they answer later is bad, so a slow start must not end the story. */
function services(): NonNullable<ProductInput["services"]> {
  const web = plane.product.web();
  return { web: { ...web, health: { ...web.health, deadline: "20s" } }, worker: plane.product.worker() };
}

let plane: Plane;
let here = "";
let one: ReleaseId;
let hook: Server;
const told: {
  readonly text?: string;
  readonly version?: string;
  readonly alerts?: readonly { readonly status: string }[];
}[] = [];

beforeAll(async () => {
  hook = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on("end", () => {
      told.push(JSON.parse(body));
      response.end("ok");
    });
  });
  await new Promise<void>((resolve) => hook.listen(0, "127.0.0.1", resolve));
  process.env.SLIPWAY_TEST_HOOK = `http://127.0.0.1:${(hook.address() as AddressInfo).port}/token`;
  plane = await Plane.start({ environments: Object.fromEntries(names.map((name) => [name, {}])) });
  one = await plane.version("v1", { services: services(), rollout: short, rules: { errors }, notifiers });
});

afterEach(() => plane.expectAtRest(here));
afterAll(async () => {
  await plane.close();
  hook.close();
});

async function withLive(name: string): Promise<void> {
  here = name;
  expect((await plane.deploy(name, one)).phase).toBe("succeeded");
}

function history(event: string) {
  return plane.world.store.db
    .selectFrom("history")
    .selectAll()
    .where("environment", "=", environmentName(here))
    .where("event", "=", event)
    .orderBy("id")
    .execute();
}

/** Visitors come until the history has the event so many times. */
async function visitUntil(event: string, count: number) {
  for (;;) {
    const rows = await history(event);
    if (rows.length >= count) return rows;
    await plane.visit(here).catch(() => {});
    await plane.world.clock.sleep(10);
  }
}

/** A real server until the test is over, whose address is in a variable. */
async function serving(variable: string, server: Promise<Database>, url: (port: number) => string): Promise<Database> {
  const started = await server;
  process.env[variable] = url(started.port);
  onTestFinished(() => started.down());
  return started;
}

const often = { every: "1s", timeout: "1s" } as const;

const lastProbe = (name: string): string | undefined =>
  plane.world.metrics.declared?.all().find(({ environment, spec }) => environment === here && spec.name === name)?.last
    ?.is;

describe("a rule with a rollback", () => {
  it("that fires while its release is watched takes it back as one unit, and tells", async () => {
    await withLive("under-way");
    plane.product.behave("web", "v2", "errors");
    const bad = await plane.version("v2", {
      services: services(),
      rollout,
      rules: { errors, page: "health of web failing -> page" },
      notifiers,
    });
    const id = await plane.start(here, bad);
    await plane.visitUntilEnded(here, id);
    const { phase, failure } = await plane.ended(id);
    expect([phase, failure?.code]).toEqual(["rolled-back", "RULE_FIRED"]);
    expect(failure?.message).toMatch(/^error ratio is 100 % \(above 50 % over 3s\), of \d+$/);
    expect(failure?.evidence).toContainEqual(["rule", "rule errors"]);
    expect([await plane.visit(here), await plane.running(here, "worker")]).toEqual(["200 v1", { r1: 1 }]);
    const [fired] = await history("rule.fired");
    expect([fired?.actor, fired?.deployment_id, fired?.release_id]).toEqual(["rule errors", id, bad]);
    expect(JSON.parse(fired?.evidence ?? "[]")).toEqual([
      ["rule", errors],
      ["plot", expect.stringMatching(/^[·▁▂▃▄▅▆▇█]{30} {2}highest 100 % in 1m, limit 50 %$/)],
      ["actions", "rollback, notify team"],
    ]);
    const [restored] = await history("restore.met");
    const budgets = "web \\(frontend\\) within 2m, met; worker \\(backend\\) within 5m, met";
    expect([restored?.deployment_id, restored?.reason]).toEqual([
      id,
      expect.stringMatching(new RegExp(`^back in \\S+: ${budgets}$`)),
    ]);
    await visitUntil("rule.resolved", 1);
    await expect
      .poll(() => told.map(({ text }) => text), { timeout: 90_000 })
      .toEqual([
        expect.stringMatching(/^🔴 \*probe under-way: errors fired\*\nerror ratio is 100 %/),
        expect.stringMatching(/^✅ \*probe under-way: errors resolved\*/),
      ]);
  });

  it("that fires long after takes the release back too, once, and what was gone back to is not taken back in turn", async () => {
    await withLive("later");
    const two = await plane.version("v3", { services: services(), rollout: short, rules: { errors }, notifiers });
    expect((await plane.deploy(here, two)).phase).toBe("succeeded");
    // What fails is behind both releases.
    plane.product.behave("web", "v3", "errors");
    plane.product.behave("web", "v1", "errors");
    await visitUntil("rule.fired", 2);
    const [refused] = await visitUntil("rule.action-failed", 1);
    expect(refused?.reason).toContain("what is live has just been gone back to");
    const rows = await plane.world.store.db
      .selectFrom("deployment")
      .selectAll()
      .where("environment", "=", environmentName(here))
      .orderBy("created_at")
      .execute();
    expect(rows.map(({ kind, phase, release_id }) => [kind, phase, release_id])).toEqual([
      ["deploy", "succeeded", one],
      ["deploy", "succeeded", two],
      ["rollback", "succeeded", one],
    ]);
    expect([rows[2]?.created_by, rows[2]?.reason]).toEqual(["rule errors", expect.any(String)]);
    const restored = await history("restore.met");
    expect(restored.map(({ deployment_id }) => deployment_id)).toEqual([rows[2]?.id]);
  });

  it("that fires at a step of a canary takes it back from there", async () => {
    await withLive("step");
    plane.product.behave("web", "v5", "errors");
    const steps = {
      strategy: "canary",
      steps: ["50%"],
      stepBake: "1m",
      stepMinimum: 1,
    } satisfies ProductInput["rollout"];
    const bad = await plane.version("v5", {
      probes: { own: { tcp: `127.0.0.1:${plane.product.port(here)}`, ...often } },
      services: services(),
      rollout: { ...rollout, ...steps },
      rules: { errors },
      notifiers,
    });
    const id = await plane.start(here, bad);
    await plane.reaches(id, "watching");
    await expect.poll(() => lastProbe("own"), { timeout: 90_000 }).toBe("pass");
    await plane.visitUntilEnded(here, id);
    const { phase, failure, phases } = await plane.ended(id);
    expect([phase, failure?.code]).toEqual(["rolled-back", "RULE_FIRED"]);
    expect(phases.slice(phases.indexOf("watching"))).toEqual(["watching", "unshifting", "cleaning", "rolled-back"]);
    const [fired] = await visitUntil("rule.fired", 1);
    expect([fired?.deployment_id, fired?.release_id]).toEqual([id, bad]);
  });

  it("that fires while the release before is put away takes it back as soon as that is done, and was never resolved meanwhile", async () => {
    here = "retiring";
    const slow = { web: plane.product.web({ stopGrace: "30s" }) };
    const first = await plane.version("v6", { services: slow, rollout: short });
    expect((await plane.deploy(here, first)).phase).toBe("succeeded");
    const second = await plane.version("v7", { services: slow, rollout: short });
    expect((await plane.deploy(here, second)).phase).toBe("succeeded");
    plane.product.behave("web", "v6", "stay");
    const third = await plane.version("v8", { services: slow, rollout: short, rules: { errors }, notifiers });
    const id = await plane.start(here, third);
    await plane.reaches(id, "retiring");
    plane.product.behave("web", "v8", "errors");
    const [fired] = await visitUntil("rule.fired", 1);
    expect([fired?.deployment_id, fired?.release_id, (await plane.row(id)).phase]).toEqual([id, third, "retiring"]);
    plane.product.behave("web", "v6", "good");
    const [resolved] = await visitUntil("rule.resolved", 1);
    const rows = await plane.world.store.db
      .selectFrom("deployment")
      .selectAll()
      .where("environment", "=", environmentName(here))
      .orderBy("created_at")
      .execute();
    expect(rows.map(({ kind, release_id }) => [kind, release_id]).slice(2)).toEqual([
      ["deploy", third],
      ["rollback", second],
    ]);
    expect(resolved?.at).toBeGreaterThan(rows[3]?.created_at ?? Number.POSITIVE_INFINITY);
    expect((await plane.ended(rows[3]?.id ?? id)).phase).toBe("succeeded");
    expect(await history("rule.action-failed")).toEqual([]);
  });

  it("that asks a deployment to fail which has just ended well goes back from there", async () => {
    await withLive("late");
    const good = await plane.version("v9", { services: services(), rollout: short, rules: { errors }, notifiers });
    const id = await plane.start(here, good);
    expect((await plane.ended(id)).phase).toBe("succeeded");
    const looked = () => [...plane.world.standings.values()].filter(({ place }) => place.release === good);
    await expect.poll(() => looked().length, { timeout: 90_000 }).toBe(1);
    const [standing] = looked();
    if (standing === undefined) throw new Error("nobody has looked at the rule");
    const { place, rule, look } = standing;
    const turn = {
      place: { ...place, underWay: id },
      rule,
      look: { ...look, turned: "fired" },
      firedAt: plane.world.clock.now(),
    } as const;
    await perform(plane.world, turn, new AbortController().signal);
    const back = await plane.world.store.db
      .selectFrom("deployment")
      .selectAll()
      .where("environment", "=", environmentName(here))
      .where("kind", "=", "rollback")
      .executeTakeFirstOrThrow();
    expect((await plane.ended(back.id)).phase).toBe("succeeded");
    expect([back.release_id, back.created_by, await plane.visit(here)]).toEqual([one, "rule errors", "200 v1"]);
  });

  it("that is a trial says what it would have done, and does nothing", async () => {
    here = "trial";
    const trial = await plane.version("v4", {
      services: services(),
      rollout: short,
      rules: { errors: { when: errors, dryRun: true }, page: "error ratio of web > 50% over 3s -> page" },
      notifiers,
    });
    expect((await plane.deploy(here, trial)).phase).toBe("succeeded");
    const before = told.length;
    plane.product.behave("web", "v4", "errors");
    const fired = await visitUntil("rule.fired", 2);
    const dry = fired.find(({ actor }) => actor === "rule errors");
    expect(JSON.parse(dry?.evidence ?? "[]")).toContainEqual(["actions", "rollback (dry run), notify team (dry run)"]);
    // A page tells everybody, each in its own form.
    await expect.poll(() => told.length - before, { timeout: 90_000 }).toBe(2);
    expect(told.slice(before).find(({ version }) => version === "4")?.alerts?.[0]?.status).toBe("firing");
    expect((await plane.environment(here)).live_release_id).toBe(trial);
    expect(await history("rule.action-failed")).toEqual([]);
    const standing = await ruleReadings(plane.world, { environment: environmentName(here) });
    expect(standing.map(({ name, release, dryRun, actions }) => [name, release, dryRun, actions])).toEqual([
      ["errors", trial, true, ["rollback", "notify team"]],
      ["page", trial, false, ["page"]],
    ]);
    for (const { is, reason, forMs, firedAt, evidence } of standing) {
      expect([is, reason]).toEqual(["firing", expect.stringMatching(/^error ratio is \d+ %|^error ratio is [\d.]+ %/)]);
      expect([forMs, firedAt]).toEqual([expect.any(Number), expect.any(Number)]);
      expect(evidence).toEqual([["plot", expect.stringContaining("limit 50 %")]]);
    }
  });
});

describe("a rule about what a product needs", () => {
  it("takes a release back and pages when its database, a real PostgreSQL, dies under it", async () => {
    await withLive("database");
    const postgres = await serving(
      "SLIPWAY_TEST_DATABASE",
      startPostgres(),
      (port) => `postgres://postgres@127.0.0.1:${port}/postgres`,
    );
    const next = await plane.version("v10", {
      services: services(),
      rollout,
      notifiers,
      probes: { "orders-db": { postgres: { urlFrom: "SLIPWAY_TEST_DATABASE" }, ...often } },
      rules: { database: "probe at orders-db lost -> rollback, page" },
    });
    const before = told.length;
    const id = await plane.start(here, next);
    await plane.reaches(id, "baking");
    await expect.poll(() => lastProbe("orders-db"), { timeout: 90_000 }).toBe("pass");
    expect((await plane.row(id)).phase).toBe("baking");
    await postgres.kill();
    const { phase, failure } = await plane.ended(id);
    expect([phase, failure?.code, failure?.message]).toEqual([
      "rolled-back",
      "RULE_FIRED",
      "probe is 0 % (below 100 %), of 1",
    ]);
    expect(await plane.visit(here)).toBe("200 v1");
    const heard = () => told.slice(before).filter((each) => JSON.stringify(each).includes("orders-db"));
    await expect
      .poll(() => heard().flatMap(({ text }) => (text === undefined ? [] : [text])), { timeout: 90_000 })
      .toEqual([
        expect.stringMatching(/^🔴 \*probe database: database fired\*\nprobe is 0 %/),
        expect.stringMatching(/^✅ \*probe database: database resolved\*/),
      ]);
    const pages = () => heard().flatMap(({ alerts = [] }) => alerts.map(({ status }) => status));
    await expect.poll(pages, { timeout: 90_000 }).toEqual(["firing", "resolved"]);
  });

  it("suggests more instances while jobs wait in a real Redis for longer than it says, and ends when they are taken", async () => {
    here = "queue";
    const server = await serving("SLIPWAY_TEST_REDIS", startRedis(), (port) => `redis://127.0.0.1:${port}`);
    const release = await plane.version("v11", {
      services: services(),
      rollout: short,
      notifiers,
      probes: { mails: { queue: { urlFrom: "SLIPWAY_TEST_REDIS", bullmq: "mails" }, service: "worker", ...often } },
      rules: { queue: "queue delay of worker > 3s -> suggest scale up" },
    });
    const redis = await Redis.open(new URL(`redis://127.0.0.1:${server.port}`), AbortSignal.timeout(90_000));
    onTestFinished(() => redis.close());
    await redis.ask([["HSET", "bull:mails:meta", "version", "bullmq:5.81.5"]]);
    expect((await plane.deploy(here, release)).phase).toBe("succeeded");
    await expect.poll(() => lastProbe("mails"), { timeout: 90_000 }).toBe("pass");
    const running = await plane.running(here, "worker");
    const job = { name: "a", data: "{}", opts: "{}", timestamp: String(Date.now()), delay: "0", priority: "0" };
    await redis.ask([
      ["HSET", "bull:mails:1", ...Object.entries(job).flat()],
      ["LPUSH", "bull:mails:wait", "1"],
    ]);
    const [fired] = await visitUntil("rule.fired", 1);
    expect(fired?.at).toBeGreaterThanOrEqual(Number(job.timestamp) + 3_000);
    expect(fired?.reason).toMatch(/^queue delay is \d+ ms \(above 3000 ms\), of 1$/);
    expect(JSON.parse(fired?.evidence ?? "[]")).toContainEqual(["actions", "suggest scale up"]);
    // It is said, and none is started.
    expect(await plane.running(here, "worker")).toEqual(running);
    await redis.ask([["RPOP", "bull:mails:wait"]]);
    await visitUntil("rule.resolved", 1);
  });
});
