import { afterAll, beforeAll, expect, it } from "vitest";
import { deploymentViews } from "../../src/api/views.ts";
import { gateLines, mustNotWaitAtGates } from "../../src/cli/gates-text.ts";
import { type DeploymentId, environmentName, type ReleaseId } from "../../src/core/ids.ts";
import { plan } from "../../src/engine/commands/plan.ts";
import { Plane } from "./plane.fixture.ts";

let plane: Plane;
let one: ReleaseId;
let two: ReleaseId;
const here = "production";

beforeAll(async () => {
  const budget = { objective: "50%", over: "1h", in: "staging" } as const;
  plane = await Plane.start({
    environments: { staging: {}, [here]: { promoteFrom: "staging", gates: { budget } } },
  });
  one = await plane.version("v1");
  two = await plane.version("v2");
});
afterAll(() => plane.close());

async function visits(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await plane.visit("staging");
}

/** Until it waits for that; what it waits for is looked at again and again. */
async function waitsFor(id: DeploymentId, reason: RegExp): Promise<void> {
  while (!reason.test((await plane.row(id)).reason)) await plane.world.clock.sleep(50);
}

const promote = (release: ReleaseId, more: object = {}) => plane.start(here, release, { kind: "promotion", ...more });

it("a promotion waits while the error budget of the environment before is spent, passes with a reason, and begins by itself when it is not", async () => {
  expect((await plane.deploy("staging", one)).phase).toBe("succeeded");
  await visits(60);
  expect((await plane.ended(await promote(one))).phase).toBe("succeeded");
  expect((await plane.deploy("staging", two)).phase).toBe("succeeded");

  // After its bake, so nobody takes it back.
  plane.product.behave("web", "v2", "errors");
  await visits(200);
  const spent =
    /^\d{3}% of the error budget of staging \(50% over 1h\) is spent: \d+(\.\d+)?% of \d{3} requests failed$/;
  // What was counted in a new release is in the past that is asked after ten seconds at most.
  const gates = async () => (await plan(plane.world, { environment: environmentName(here), release: two })).gates ?? [];
  while ((await gates()).every(({ gate, open }) => gate !== "budget" || open)) await plane.world.clock.sleep(100);
  expect(await gates()).toContainEqual({
    gate: "budget",
    open: false,
    says: expect.stringMatching(spent),
    opensAt: null,
  });
  const waits = await promote(two);
  await waitsFor(waits, spent);
  const view = (
    await deploymentViews(plane.world, { product: "probe", environment: environmentName(here), limit: 1 })
  )[0];
  if (view === undefined) throw new Error("a deployment without a view");
  expect(gateLines(view).join("\n")).toMatch(/budget .*is spent/);
  expect(() => mustNotWaitAtGates(view)).toThrow(expect.objectContaining({ code: "WAITS_FOR_BUDGET", exitCode: 6 }));
  expect(await plane.visit(here)).toBe("200 v1");

  // What makes it better is let through, with a name and a reason in the history.
  const fix = await promote(two, { overrideBudget: true, reason: "it has the fix" });
  expect((await plane.ended(fix)).phase).toBe("succeeded");
  const begun = (await plane.history(fix)).find(({ event }) => event === "deployment.queued");
  expect(begun?.reason).toMatch(/is spent: .*; passed by ada: it has the fix/);
  expect((await plane.ended(await plane.rollback(here))).phase).toBe("succeeded");

  const again = await promote(two, { overrideWindow: true, reason: "another gate" });
  await waitsFor(again, spent);
  plane.product.behave("web", "v2", "good");
  await visits(400);
  expect((await plane.ended(again)).phase).toBe("succeeded");
  expect(await plane.visit(here)).toBe("200 v2");
});
