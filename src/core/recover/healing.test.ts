import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Deployment } from "../deploy/deployment.ts";
import { deploymentId, revisionId } from "../ids.ts";
import { healthDefaults } from "../product/health.ts";
import { parseDuration } from "../product/units.ts";
import { defaultHealing, type HealingPolicy, type Hold, heal, holdOf, restartAsked } from "./healing.ts";

const policies: fc.Arbitrary<HealingPolicy> = fc.record({
  limit: fc.integer({ min: 0, max: 5 }),
  withinMs: fc.integer({ min: 1_000, max: 900_000 }),
  afterMs: fc.integer({ min: 100, max: 60_000 }),
});
const deployment = deploymentId("dep_1");
const holds = fc.constantFrom<Hold>(
  { is: "free" },
  { is: "owned", why: "dep_1 is shifting" },
  { is: "watched", deployment },
);
const free: Hold = { is: "free" };
const who = { service: "web", which: "instance 0", saw: "503" };
const stepMs = 1_000;

/** An instance whose every life is unhealthy from its start on, looked at once a second; what was done, and when. */
function never(policy: HealingPolicy, hold: Hold, looks: number) {
  const restartedAt: number[] = [];
  const gaveUp: number[] = [];
  let sickSince = 0;
  for (let now = 0; now < looks * stepMs; now += stepMs) {
    const healing = heal({ ...who, sickForMs: now - sickSince, restartedAt }, policy, hold, now);
    if (healing.do === "restart") {
      restartedAt.push(now);
      sickSince = now;
    } else if (healing.do !== "wait") {
      gaveUp.push(now);
      break;
    }
  }
  return { restartedAt, gaveUp };
}

describe("healing of an instance", () => {
  it("restarts no more often than is allowed in any window, each time later than the last, and never what a rollout owns", () => {
    fc.assert(
      fc.property(policies, holds, (policy, hold) => {
        const { restartedAt } = never(policy, hold, 900);
        if (hold.is === "owned" || policy.limit === 0) expect(restartedAt).toEqual([]);
        restartedAt.forEach((at, index) => {
          const inWindow = restartedAt.filter((other) => other <= at && other > at - policy.withinMs).length;
          expect(inWindow).toBeLessThanOrEqual(policy.limit);
          const before = restartedAt[index - 1];
          // Those that the window has forgotten do not double it any more.
          const counted = restartedAt.filter((other) => other < at && other > at - policy.withinMs).length;
          if (before !== undefined) expect(at - before).toBeGreaterThanOrEqual(policy.afterMs * 2 ** counted);
        });
      }),
    );
  });

  it("that does not help ends by itself: with a way back where there is one, else with a page", () => {
    const patient = { limit: 3, withinMs: 600_000, afterMs: 10_000 };
    for (const hold of [free, { is: "watched", deployment } as const]) {
      const { restartedAt, gaveUp } = never(patient, hold, 900);
      expect([restartedAt, gaveUp]).toEqual([[10_000, 30_000, 70_000], [150_000]]);
    }
    const sick = { ...who, sickForMs: 80_000, restartedAt: [10_000, 30_000, 70_000] };
    expect(heal(sick, patient, free, 150_000)).toEqual({
      do: "page",
      reason: "web instance 0 is unhealthy for 1m20s, 503, after 3 restarts in 10m",
    });
    expect(heal(sick, patient, { is: "watched", deployment }, 150_000)).toMatchObject({ do: "roll-back", deployment });
  });

  it("takes what a clock that was set back makes of the past for more restarts, never for fewer", () => {
    fc.assert(
      fc.property(policies, fc.array(fc.nat(1_000_000), { maxLength: 6 }), fc.nat(2_000_000), (policy, past, back) => {
        const sick = { ...who, sickForMs: 3_600_000, restartedAt: past };
        const now = 1_000_000;
        const order = { wait: 0, page: 1, "roll-back": 1, restart: 2 };
        const later = heal(sick, policy, free, now).do;
        const earlier = heal(sick, policy, free, now - back).do;
        expect(order[earlier]).toBeLessThanOrEqual(order[later]);
      }),
    );
  });

  it("by a rule has the same limit, and no restart follows another at once", () => {
    fc.assert(
      fc.property(policies, holds, (policy, hold) => {
        const restartedAt: number[] = [];
        for (let now = 0; now < 900 * stepMs; now += stepMs) {
          const { do: what } = restartAsked({ ...who, restartedAt }, { policy, hold, why: "uptime" }, now);
          if (what === "wait") continue;
          expect(hold.is).not.toBe("owned");
          const recent = restartedAt.filter((at) => at > now - policy.withinMs);
          expect(recent.length).toBeLessThan(policy.limit);
          expect(now - (recent.at(-1) ?? Number.NEGATIVE_INFINITY)).toBeGreaterThanOrEqual(policy.afterMs);
          restartedAt.push(now);
        }
      }),
      { numRuns: 30 },
    );
  });

  it("has the defaults that the config tells", () => {
    expect(defaultHealing).toEqual({
      limit: healthDefaults.restarts,
      afterMs: parseDuration(healthDefaults.restartAfter),
      withinMs: parseDuration(healthDefaults.restartWithin),
    });
  });
});

describe("who has a revision in hand", () => {
  const [candidate, stable, other] = [revisionId("rev_c"), revisionId("rev_s"), revisionId("rev_o")];
  const open = (is: Deployment["phase"]["is"]) =>
    ({ course: { id: deployment, rollouts: [{ candidate, stable }] }, phase: { is } }) as unknown as Deployment;
  const owned = { is: "owned", why: expect.any(String) };
  const judged = { judged: true };

  it.each([
    "starting",
    "verifying",
    "shifting",
    "draining",
    "retiring",
    "restoring",
    "unshifting",
    "cleaning",
  ] as const)("is the deployment while it is %s, for both of its sides, and for no other", (phase) => {
    expect(holdOf(open(phase), candidate, judged)).toEqual(owned);
    expect(holdOf(open(phase), stable, judged)).toEqual(owned);
    expect(holdOf(open(phase), other, judged)).toEqual(free);
  });

  it.each(["paused", "watching", "waiting", "baking", "held"] as const)(
    "is nobody of stable while it is %s, and of the candidate only who judges its health",
    (phase) => {
      expect(holdOf(open(phase), stable, judged)).toEqual(free);
      expect(holdOf(open(phase), candidate, judged)).toEqual(owned);
      expect(holdOf(open(phase), candidate, { judged: false })).toEqual({ is: "watched", deployment });
    },
  );

  it("is nobody when it has ended, and when there is none", () => {
    expect(holdOf(open("succeeded"), candidate, judged)).toEqual(free);
    expect(holdOf(null, candidate, judged)).toEqual(free);
  });
});
