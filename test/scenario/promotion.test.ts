import { afterAll, beforeAll, expect, it } from "vitest";
import type { Deployment } from "../../src/core/deploy/deployment.ts";
import { type DeploymentId, environmentName, type ReleaseId } from "../../src/core/ids.ts";
import { approve } from "../../src/engine/commands/approve.ts";
import { lock, unlock } from "../../src/engine/commands/lock.ts";
import { promoteOnwards } from "../../src/engine/commands/promote-onwards.ts";
import type { DeploymentRow } from "../../src/ports/tables.ts";
import { Plane } from "./plane.fixture.ts";

let plane: Plane;

beforeAll(async () => {
  plane = await Plane.start({
    environments: {
      staging: {},
      production: { promoteFrom: "staging", promotion: "automatic", gates: { approval: { teams: ["ops"] } } },
      asia: { promoteFrom: "production", promotion: "automatic" },
      europe: { promoteFrom: "staging" },
    },
  });
});
afterAll(() => plane.close());

const version = (name: string): Promise<ReleaseId> => {
  const web = plane.product.web();
  const services = { web: { ...web, health: { ...web.health, deadline: "20s" as const } } };
  return plane.version(name, { teams: { ops: ["grace", "ada"] }, services });
};

/** What was asked for there, the newest first. */
function asked(environment: string): Promise<DeploymentRow[]> {
  return plane.world.store.db
    .selectFrom("deployment")
    .selectAll()
    .where("environment", "=", environmentName(environment))
    .orderBy("created_at", "desc")
    .execute();
}

const yes = (deployment: DeploymentId) =>
  approve(plane.world, { deployment, verdict: "approved", actor: "grace", reason: "looks good" });

/** Deploys to staging, and what waits in production then. */
async function inStaging(release: ReleaseId): Promise<DeploymentRow | undefined> {
  expect((await plane.deploy("staging", release)).phase).toBe("succeeded");
  return (await asked("production")).find(({ phase }) => phase === "gated");
}

async function saidIn(environment: string): Promise<string[]> {
  const rows = await plane.world.store.db
    .selectFrom("history")
    .select(["event", "reason"])
    .where("environment", "=", environmentName(environment))
    .where("event", "like", "promotion.%")
    .orderBy("id")
    .execute();
  return rows.map(({ event, reason }) => `${event} ${reason}`);
}

it("what has succeeded goes on by itself, through its gates, from environment to environment, and once", async () => {
  const one = await version("v1");
  const first = await inStaging(one);
  const [{ id: staging } = { id: "" }] = await asked("staging");
  expect(first).toMatchObject({ release_id: one, kind: "promotion", created_by: "slipway" });
  expect((await plane.history(first!.id))[0]?.reason).toBe(`r1 has succeeded in staging (${staging})`);
  expect(await asked("europe")).toEqual([]);
  // Who made the release asked for none of this, and may not approve it all the same.
  await expect(
    approve(plane.world, { deployment: first!.id, verdict: "approved", actor: "ada", reason: "mine" }),
  ).rejects.toMatchObject({ code: "NOT_AN_APPROVER" });
  await yes(first!.id);
  expect((await plane.ended(first!.id)).phase).toBe("succeeded");
  const [last] = await asked("asia");
  expect(last).toMatchObject({ release_id: one, kind: "promotion" });
  expect((await plane.ended(last!.id)).phase).toBe("succeeded");

  // A control plane that has died may do it again.
  const [{ state } = { state: "" }] = await asked("staging");
  await promoteOnwards(plane.world, (JSON.parse(state) as Deployment).course);
  expect((await asked("production")).length).toBe(1);
});

it("a newer one takes the place of one that waits; an older one does not go on, nor does a way back", async () => {
  const two = await version("v2");
  const three = await version("v3");
  const second = await inStaging(two);
  const byHand = await plane.start("production", two, { kind: "promotion" });
  const third = await inStaging(three);
  expect(third?.release_id).toBe(three);
  expect(await plane.row(second!.id)).toMatchObject({
    phase: "cancelled",
    reason: `cancelled by slipway: replaced by ${third!.id}`,
  });
  // What a person has asked for is a person's to call off.
  expect(await plane.row(byHand)).toMatchObject({ phase: "gated" });
  await plane.ask(byHand, "cancel");
  await yes(third!.id);
  expect((await plane.ended(third!.id)).phase).toBe("succeeded");
  expect(await inStaging(two)).toBeUndefined();
  const newer =
    "promotion.skipped r3 is there or on its way, which is newer than r2; by hand: slipway promote production --release r2";
  expect(await saidIn("production")).toEqual([newer]);
  expect((await plane.ended(await plane.rollback("staging"))).phase).toBe("succeeded");
  expect((await asked("production")).filter(({ phase }) => phase === "gated")).toEqual([]);
  expect(await saidIn("production")).toEqual([newer]);
});

it("waits where it is locked, and begins when that is over; the newest alone", async () => {
  const at = { product: plane.product.name, actor: "grace" };
  const [production, asia] = ["production", "asia"].map((name) => ({ ...at, environment: environmentName(name) }));
  await lock(plane.world, { ...production!, reason: "an incident" });
  await lock(plane.world, { ...asia!, reason: "an incident" });
  const fourth = await inStaging(await version("v4"));
  const five = await version("v5");
  const fifth = await inStaging(five);
  expect(await plane.row(fourth!.id)).toMatchObject({ phase: "cancelled" });
  expect(fifth?.reason).toContain("locked by grace: an incident");
  await yes(fifth!.id);
  expect(await plane.row(fifth!.id)).toMatchObject({ phase: "gated" });
  await unlock(plane.world, { ...production!, reason: "it is over" });
  expect((await plane.ended(fifth!.id)).phase).toBe("succeeded");
  // Without gates of its own it waits for the lock alone.
  const [last] = await asked("asia");
  expect(last).toMatchObject({ release_id: five, phase: "gated", reason: "locked by grace: an incident" });
  await unlock(plane.world, { ...asia!, reason: "it is over" });
  expect((await plane.ended(last!.id)).phase).toBe("succeeded");
});

it("what refuses it is in the history of where it was to go, and the deployment before has succeeded all the same", async () => {
  const six = await version("v6");
  const waiting = await inStaging(six);
  await plane.world.store.db.updateTable("release").set({ pruned_at: 1 }).where("id", "=", six).execute();
  await yes(waiting!.id);
  expect((await plane.ended(waiting!.id)).phase).toBe("succeeded");
  expect((await saidIn("asia")).at(-1)).toContain(
    "promotion.refused ARTIFACT_MISSING: the artifacts of r6 were pruned",
  );
});
