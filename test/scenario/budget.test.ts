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
    environments: {
      staging: {},
      [here]: { promoteFrom: "staging", gates: { budget } },
      apart: { gates: { when: ["error ratio < 40% over 1m during mon-sun 00:00-24:00"] } },
    },
  });
  one = await plane.version("v1");
  two = await plane.version("v2");
});
afterAll(() => plane.close());

async function visits(count: number, environment = "staging"): Promise<void> {
  for (let i = 0; i < count; i++) await plane.visit(environment);
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

it("a deployment waits while what must hold of what is live does not, and begins by itself when it does", async () => {
  expect((await plane.deploy("apart", one)).phase).toBe("succeeded");
  plane.product.behave("web", "v1", "errors");
  await visits(50, "apart");
  const waits = await plane.start("apart", two);
  await waitsFor(waits, /^error ratio < 40% over 1m during .*: error ratio is \d/);
  const apart = environmentName("apart");
  const [view] = await deploymentViews(plane.world, { product: "probe", environment: apart, limit: 1 });
  if (view === undefined) throw new Error("a deployment without a view");
  expect(() => mustNotWaitAtGates(view)).toThrow(expect.objectContaining({ code: "WAITS_FOR_CONDITION" }));
  const gates = (await plan(plane.world, { environment: apart, release: two })).gates ?? [];
  expect(gates).toContainEqual(expect.objectContaining({ gate: "condition", open: false }));
  plane.product.behave("web", "v1", "good");
  while ((await plane.row(waits)).phase === "gated") await visits(10, "apart");
  expect((await plane.ended(waits)).phase).toBe("succeeded");
});
