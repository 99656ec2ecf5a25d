import { describe, expect, it } from "vitest";
import { releaseId } from "../ids.ts";
import type { StepGatesSpec } from "../product/gates-spec.ts";
import type { Approval } from "./approval.ts";
import { parseGateCondition, readEnvironmentCondition } from "./condition.ts";
import { decideStepGates, type StepGateInput } from "./step.ts";

const hour = 3_600_000;
const live = releaseId("rel_1");
const approval = { from: "ops", people: ["grace", "linus"], count: 1, authorMayApprove: false, expiresMs: 2 * hour };
const none: StepGatesSpec = { approval: null, windows: [], freezes: [], waitMs: 0, conditions: [] };
const yes = (by: string): Approval => ({ by, at: 1, reason: "looks good", live });

function input(gates: Partial<StepGatesSpec>, more: Partial<StepGateInput> = {}): StepGateInput {
  const asked = { at: 0, authors: ["linus"], live };
  return { gates: { ...none, ...gates }, asked, approvals: [], override: null, conditions: [], ...more };
}

describe("the gates of a step of a canary", () => {
  it("are looked at together, and say what they wait for and when to look again", () => {
    const both = input({ approval, waitMs: hour });
    expect(decideStepGates(both, 0)).toMatchObject({
      is: "waits",
      lookAt: hour,
      reason:
        "waits for 1 approval from ops (grace, linus); opens Thu 1970-01-01 01:00 UTC, 1h after the step was over",
    });
    // Approved in time, the wait is what is left; waited long enough, the approval is.
    expect(decideStepGates({ ...both, approvals: [yes("grace")] }, 0)).toMatchObject({ is: "waits", lookAt: hour });
    expect(decideStepGates(both, hour)).toMatchObject({ is: "waits", lookAt: 2 * hour });
    expect(decideStepGates({ ...both, approvals: [yes("grace")] }, hour)).toMatchObject({ is: "open", lookAt: null });
  });

  it("do not open by the word of who made it, and are over when nobody else says a word in time", () => {
    const own = input({ approval }, { approvals: [yes("linus@laptop")] });
    expect(decideStepGates(own, 0).is).toBe("waits");
    expect(decideStepGates(own, 2 * hour)).toMatchObject({
      is: "over",
      reason: expect.stringMatching(/^not approved within 2h: waits for 1 approval/),
    });
    expect(decideStepGates(input({ waitMs: 3 * hour }), 2 * hour).is).toBe("waits");
  });

  it("are open by a condition only while it is known to hold", () => {
    const text = "error ratio < 1%";
    const at = (is: "ok" | "firing" | "unknown" | "pending") =>
      decideStepGates(input({ conditions: [text] }, { conditions: [{ text, look: { is, reason: is } }] }), 0).is;
    expect([at("firing"), at("ok"), at("unknown"), at("pending")]).toEqual(["open", "waits", "waits", "waits"]);
    const unseen = input({ conditions: [text] }, { conditions: [{ text, look: null }] });
    expect(decideStepGates(unseen, 0)).toMatchObject({ is: "waits", reason: "error ratio < 1%: not looked at yet" });
  });

  it("of a calendar are passed by the override of the deployment, and by nothing else", () => {
    const freezes = [{ cron: "0 0 1 1 *", durationMs: 48 * hour, timeZone: "UTC", reason: "the audit" }];
    expect(decideStepGates(input({ freezes }), hour)).toMatchObject({ is: "waits", lookAt: 48 * hour });
    const override = { by: "ada", reason: "the checkout is down" };
    expect(decideStepGates(input({ freezes, approval }, { override }), hour)).toMatchObject({
      is: "waits",
      reason: "waits for 1 approval from ops (grace, linus)",
    });
  });
});

it("a condition says what holds when all is well, in the words of rules", () => {
  const why = (text: string) => {
    const parsed = parseGateCondition(text, []);
    return parsed.is === "wrong" ? parsed.why : null;
  };
  expect([why("error ratio of web < 1% over 5m"), why("uptime >= 99.9% for 2m")]).toEqual([null, null]);
  expect(why("error ratio < 1% -> rollback")).toContain("the step is what is done");
  expect(why("health failing")).toContain("what holds when all is well");
  expect(why("error budget 99.9% burns")).toContain("what holds when all is well");
  expect(why("uptime > 99% during mon-fri 09:00-17:00 UTC")).toContain("windows and freezes");
  expect(why("eror ratio < 1%")).toContain('did you mean "error ratio"?');
});

it("a condition of an environment is of certain times where it says so, has no for, and holds for what was looked at since somebody waits", () => {
  const why = (text: string) => {
    const parsed = parseGateCondition(text, [], "environment");
    return parsed.is === "wrong" ? parsed.why : null;
  };
  expect(why("uptime > 99% during mon-fri 09:00-17:00 UTC")).toBeNull();
  expect(why("uptime > 99% for 2m")).toContain('there is no "for"');
  expect(why("uptime > 99% -> page")).toContain("the deployment is what is done");
  const text = "uptime > 99%";
  const override = { by: "ada", reason: "the fix" };
  const open = (is: "ok" | "firing" | "unknown" | "off", at: number, passed: typeof override | null = null) =>
    readEnvironmentCondition(text, [{ text, look: { is, reason: is }, at }], {
      askedAt: 1_000,
      now: 50_000,
      override: passed,
    }).open;
  expect([open("firing", 40_000), open("off", 40_000), open("ok", 40_000), open("unknown", 40_000)]).toEqual([
    true,
    true,
    false,
    false,
  ]);
  expect([open("firing", 500), open("ok", 40_000, override)]).toEqual([false, true]);
});
