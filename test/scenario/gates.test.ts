import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type DeploymentId, environmentName, type ReleaseId } from "../../src/core/ids.ts";
import { approve, shown, type Word } from "../../src/engine/commands/approve.ts";
import { lock, unlock } from "../../src/engine/commands/lock.ts";
import { plan } from "../../src/engine/commands/plan.ts";
import { Plane } from "./plane.fixture.ts";

const names = ["asked", "urgent", "back", "crash", "late", "staging", "frozen", "soon", "trial", "patient"];
const gated = { gates: { approval: { teams: ["ops"], count: 1 } } };

const teams = { ops: ["grace", "linus"] };

/** Its releases are good starters: a slow machine must not end the story. */
function version(name: string, more: Parameters<Plane["version"]>[1] = {}): Promise<ReleaseId> {
  const web = plane.product.web();
  const services = {
    web: { ...web, health: { ...web.health, deadline: "20s" as const } },
    worker: plane.product.worker(),
  };
  return plane.version(name, { teams, services, ...more });
}

let plane: Plane;
let here = "";
let one: ReleaseId;
let two: ReleaseId;
let three: ReleaseId;

beforeAll(async () => {
  plane = await Plane.start({
    environments: {
      ...Object.fromEntries(names.map((name) => [name, gated])),
      staging: {},
      asked: { promoteFrom: "staging", gates: { approval: { teams: ["ops"], count: 2 } } },
      frozen: { gates: { freezes: [{ cron: "0 0 * * *", duration: "48h", reason: "the audit" }] } },
      soon: {},
      closing: {},
      trial: {},
      patient: { promoteFrom: "trial", gates: { baked: "2s", wait: "1s" } },
      late: { gates: { approval: { expires: "1s" } } },
    },
  });
  one = await version("v1");
  two = await version("v2");
  three = await version("v3");
});

afterEach(() => plane.expectAtRest(here));
afterAll(() => plane.close());

const say = (deployment: DeploymentId, actor: string, more: Partial<Word> = {}) =>
  approve(plane.world, { deployment, verdict: "approved", actor, reason: "looks good", ...more });

/** Asks for it, and has it approved where it is. */
async function approved(release: ReleaseId, ...people: readonly string[]): Promise<void> {
  const id = await plane.start(here, release);
  for (const person of people.length === 0 ? ["grace"] : people) await say(id, person);
  expect((await plane.ended(id)).phase).toBe("succeeded");
}

describe("a deployment that must be approved", () => {
  it("waits before anything starts; refuses those who may not; begins with the last yes, and the history has who, why and what was shown", async () => {
    here = "staging";
    expect((await plane.deploy(here, one)).phase).toBe("succeeded");
    here = "asked";
    const planned = await plan(plane.world, { release: one, environment: environmentName(here) });
    expect([planned.gates, planned.blocked]).toEqual([
      [{ gate: "approval", open: false, opensAt: null, says: "waits for 2 approvals from ops (grace, linus)" }],
      [],
    ]);
    const id = await plane.start(here, one);
    expect(await plane.row(id)).toMatchObject({
      phase: "gated",
      started_at: null,
      reason: "waits for 2 approvals from ops (grace, linus)",
    });
    expect(await plane.running(here, "web")).toEqual({});
    await expect(say(id, "mallory")).rejects.toMatchObject({
      code: "NOT_AN_APPROVER",
      message: "mallory is not among those who may approve: ops (grace, linus)",
    });
    const evidence = await shown(plane.world, id);
    expect(evidence.live).toBeNull();
    expect(evidence.lines).toContainEqual(["changes", expect.stringMatching(/^Features: v1 \([0-9a-f]{7}\)$/)]);
    expect(evidence.lines).toContainEqual(["staging", expect.stringMatching(/^went live .* ago, and is live there$/)]);
    expect(evidence.lines).toContainEqual(["staging", "no rule has fired"]);
    await say(id, "grace@laptop");
    // The same yes again is the same yes.
    await say(id, "grace@ci");
    expect(await plane.row(id)).toMatchObject({
      phase: "gated",
      reason: "approved by grace@laptop (looks good); waits for 1 more approval from ops (grace, linus)",
    });
    await say(id, "linus", { reason: "seen it" });
    const { phase, phases } = await plane.ended(id);
    expect([phase, phases.slice(0, 5)]).toEqual(["succeeded", ["gated", "approved", "approved", "queued", "starting"]]);
    const rows = await plane.history(id);
    expect(
      rows.filter(({ event }) => event === "deployment.approved").map(({ actor, reason }) => [actor, reason]),
    ).toEqual([
      ["grace@laptop", "approved by grace@laptop: looks good"],
      ["linus", "approved by linus: seen it"],
    ]);
    expect(JSON.parse(rows[1]?.evidence ?? "[]")).toEqual(evidence.lines.map((line) => [line[0], expect.any(String)]));
    await expect(say(id, "linus")).rejects.toMatchObject({ code: "NOTHING_TO_APPROVE" });
  });

  it("ends with a no, and nothing was touched; it says nothing of the release", async () => {
    here = "urgent";
    const id = await plane.start(here, two);
    await say(id, "linus", { verdict: "rejected", reason: "not on a Friday" });
    const { phase, failure, row } = await plane.ended(id);
    expect([phase, failure?.code, row.reason]).toEqual([
      "cancelled",
      "APPROVAL_REFUSED",
      "rejected by linus: not on a Friday",
    ]);
    const planned = await plan(plane.world, { release: two, environment: environmentName(here) });
    expect(planned.warnings).toEqual([]);
  });

  it("holds nothing: another goes past it, and then what was approved before is asked again", async () => {
    here = "urgent";
    const first = await plane.start(here, one);
    // Nothing says where it has to come from, so where it is already is shown.
    const { lines } = await shown(plane.world, first);
    expect(lines.filter(([, text]) => text.includes("went live")).map(([where]) => where)).toEqual([
      "asked",
      "staging",
    ]);
    await say(first, "grace");
    expect((await plane.ended(first)).phase).toBe("succeeded");
    const waits = await plane.start(here, two);
    await say(waits, "grace");
    await plane.ended(waits);
    const old = await plane.start(here, one);
    const { live } = await shown(plane.world, old);
    await approved(three);
    // The change log that grace would answer to is another now.
    await expect(say(old, "grace", { live })).rejects.toMatchObject({
      code: "NOTHING_TO_APPROVE",
      message: "another release has gone live in urgent since you looked, and the change log is another",
    });
    expect((await shown(plane.world, old)).lines).toContainEqual([
      "changes",
      "nothing new: what is live has these commits",
    ]);
    await say(old, "grace");
    expect([(await plane.ended(old)).phase, await plane.visit(here)]).toEqual(["succeeded", "200 v1"]);
  });

  it("is replaced by one that says so, and calls nothing off before it may begin itself", async () => {
    here = "urgent";
    const old = await plane.start(here, two);
    const fresh = await plane.start(here, three, { whenBusy: "replace" });
    expect((await plane.ended(old)).row.reason).toBe(`cancelled by ada: replaced by ${fresh}`);
    await plane.ask(fresh, "cancel");
    expect((await plane.ended(fresh)).phase).toBe("cancelled");
    expect(await plane.running(here, "web")).toMatchObject({ r1: 1 });
  });

  it("begins after what is under way, and after a lock, though everybody has said yes", async () => {
    here = "back";
    await approved(one);
    const slow = await plane.start(here, two);
    await say(slow, "grace");
    await plane.reaches(slow, "baking");
    await plane.ask(slow, "pause");
    await plane.reaches(slow, "held");
    const next = await plane.start(here, three);
    await say(next, "linus");
    expect((await plane.row(next)).reason).toBe(`waits for ${slow} to end`);
    const at = { product: plane.product.name, environment: environmentName(here), actor: "carol", reason: "audit" };
    await lock(plane.world, at);
    await plane.ask(slow, "resume");
    await plane.ended(slow);
    // What was approved was a step from v1; now it is one from v2.
    await say(next, "linus");
    expect(await plane.row(next)).toMatchObject({ phase: "gated", reason: "locked by carol: audit" });
    await unlock(plane.world, at);
    expect([(await plane.ended(next)).phase, await plane.visit(here)]).toEqual(["succeeded", "200 v3"]);
  });

  it("is called off by a rollback, which passes every gate", async () => {
    here = "back";
    const waits = await plane.start(here, two);
    const back = await plane.rollback(here);
    expect((await plane.ended(back)).phase).toBe("succeeded");
    expect((await plane.ended(waits)).row.reason).toBe(`cancelled by bob: back goes back by ${back}; ask again`);
  });

  it("still waits after a control plane that died, with the word of those who gave it, and begins under the next one", async () => {
    here = "crash";
    await approved(one);
    const id = await plane.start(here, two);
    await plane.restart();
    expect((await plane.row(id)).phase).toBe("gated");
    // Approved in the store, and the control plane died before anybody looked.
    await plane.world.store.db
      .insertInto("approval")
      .values({ id: "apr_1", deployment_id: id, actor: "grace", reason: "x", live_id: one, created_at: 0 })
      .execute();
    await plane.restart();
    expect([(await plane.ended(id)).phase, await plane.visit(here)]).toEqual(["succeeded", "200 v2"]);
  });

  it("is called off when nobody has approved it in time", async () => {
    here = "late";
    const { phase, failure } = await plane.deploy(here, one);
    expect([phase, failure?.code, failure?.message]).toEqual([
      "cancelled",
      "APPROVAL_EXPIRED",
      "not approved within 1s: waits for 1 approval from anybody",
    ]);
  });

  it("keeps to the gates of what is live when its own config has none", async () => {
    here = "crash";
    const environments = plane.product.environmentsWith(here, {});
    const open = await version("v4", { environments });
    const id = await plane.start(here, open);
    expect((await plane.row(id)).reason).toMatch(
      /^waits for 1 approval from ops \(grace, linus\), as r\d+ asks, which is live$/,
    );
    await say(id, "linus");
    expect((await plane.ended(id)).phase).toBe("succeeded");
    // From now on nothing is asked.
    const next = await version("v5", { environments });
    expect((await plane.deploy(here, next)).phases.slice(0, 2)).toEqual(["queued", "starting"]);
  });
});

describe("a frozen environment", () => {
  it("lets a deployment wait and says why; with a reason it passes, and a rollback always does", async () => {
    here = "frozen";
    const planned = await plan(plane.world, { release: one, environment: environmentName(here) });
    expect([planned.gates?.map(({ gate, open }) => [gate, open]), planned.blocked]).toEqual([[["freeze", false]], []]);
    const reason = "the fix cannot wait";
    const first = await plane.deploy(here, one, { overrideWindow: true, reason });
    expect([first.phase, first.phases.slice(0, 3)]).toEqual(["succeeded", ["gated", "queued", "starting"]]);
    const queued = (await plane.history(first.row.id)).find(({ event }) => event === "deployment.queued");
    expect(queued?.evidence).toMatch(
      /frozen until .*: the audit; does not open within a year; passed by ada: the fix cannot wait/,
    );
    expect((await plane.deploy(here, two, { overrideWindow: true, reason })).phase).toBe("succeeded");
    const waits = await plane.start(here, three);
    expect(await plane.row(waits)).toMatchObject({ phase: "gated", reason: expect.stringContaining("the audit") });
    await expect(say(waits, "grace")).rejects.toMatchObject({
      code: "NOTHING_TO_APPROVE",
      message: expect.stringContaining("waits for nobody's approval: frozen until"),
    });
    expect((await plane.ended(await plane.rollback(here))).phase).toBe("succeeded");
    expect([await plane.visit(here), (await plane.row(waits)).phase]).toEqual(["200 v1", "cancelled"]);
  });

  it("begins by itself when its window opens, and not before", async () => {
    here = "soon";
    const opens = Math.ceil(plane.world.clock.now() / 1_000) * 1_000 + 4_000;
    const gates = { windows: [{ cron: new Date(opens).toISOString().slice(0, 19), duration: "1h" as const }] };
    const release = await version("v6", { environments: plane.product.environmentsWith(here, { gates }) });
    const { phase, row, phases } = await plane.deploy(here, release);
    expect([phase, phases.slice(0, 3)]).toEqual(["succeeded", ["gated", "queued", "starting"]]);
    expect(row.started_at).toBeGreaterThanOrEqual(opens);
  });

  it("lets what has begun finish when its window closes over it; what comes then waits for the next one", async () => {
    here = "closing";
    // Of a minute, which is the shortest there is; of that, eight seconds are left.
    const closes = Math.floor(plane.world.clock.now() / 1_000) * 1_000 + 8_000;
    const opened = closes - 60_000;
    const gates = { windows: [{ cron: new Date(opened).toISOString().slice(0, 19), duration: "1m" as const }] };
    const environments = plane.product.environmentsWith(here, { gates });
    const release = await version("v8", { environments });
    plane.product.behave("web", "v8", "hold");
    const id = await plane.start(here, release);
    await plane.reaches(id, "verifying");
    // Another one: of what is live by then there would be nothing to wait for.
    const later = await version("v9", { environments });
    await plane.world.clock.sleep(Math.max(0, closes - plane.world.clock.now()));
    const next = await plane.start(here, later);
    expect(await plane.row(next)).toMatchObject({
      phase: "gated",
      reason: expect.stringMatching(/^its window does not open within a year/),
    });
    plane.product.behave("web", "v8", "good");
    const { phase, row } = await plane.ended(id);
    expect([phase, row.started_at! < closes, row.ended_at! > closes]).toEqual(["succeeded", true, true]);
    expect(await plane.visit(here)).toBe("200 v8");
    expect((await plane.row(next)).phase).toBe("gated");
  });
});

it("a release that must have lived in the environment before waits there for a rule to calm down, and then for its time", async () => {
  here = "trial";
  const turns = async (event: string) => {
    const query = plane.world.store.db.selectFrom("history").select("at").where("event", "=", event);
    for (;;) {
      const row = await query.where("environment", "=", environmentName("trial")).executeTakeFirst();
      if (row !== undefined) return row.at;
      await plane.visit("trial").catch(() => {});
      await plane.world.clock.sleep(10);
    }
  };
  const release = await version("v7", { rules: { errors: "error ratio of web > 50% over 3s" } });
  expect((await plane.deploy("trial", release)).phase).toBe("succeeded");
  plane.product.behave("web", "v7", "errors");
  await turns("rule.fired");
  here = "patient";
  const id = await plane.start(here, release, { kind: "promotion" });
  expect(await plane.row(id)).toMatchObject({
    phase: "gated",
    reason: expect.stringContaining("a rule fires in trial now; the 2s begin when that is over"),
  });
  plane.product.behave("web", "v7", "good");
  const calm = await turns("rule.resolved");
  const { phase, row } = await plane.ended(id);
  expect(phase).toBe("succeeded");
  expect(row.started_at).toBeGreaterThanOrEqual(calm + 2_000);
});
