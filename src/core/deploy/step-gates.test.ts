import { describe, expect, it } from "vitest";
import { serviceName } from "../ids.ts";
import type { StepGatesSpec } from "../product/gates-spec.ts";
import { courseWith, rolloutOf } from "./course.fixture.ts";
import { begin, decide, effectOf } from "./decide.ts";
import type { Deployment, DeploymentEvent, Wait } from "./deployment.ts";
import { stages } from "./stages.ts";

const web = serviceName("web");
const rollouts = [rolloutOf(web, { candidateInstances: 2, stableInstances: 2 })];
const gates: StepGatesSpec = { approval: null, windows: [], freezes: [], waitMs: 1_000, conditions: [] };
const step = { weight: 0.5, bakeMs: 1_000, promotion: "automatic" as const };
const course = courseWith(rollouts, {
  stages: stages(rollouts, {
    strategy: "canary",
    batch: 1,
    canary: { steps: [step], minimum: 0, limitMs: 0, instances: "all", synthetic: null },
  }),
  canary: { steps: [{ weight: 5_000, bakeMs: 1_000, manual: false, gates }], limitMs: 0 },
  bakeMs: 0,
});

type Word = "pause" | "resume" | "promote" | "cancel" | "approve" | "reject";
const asked = (to: Word, by = "grace"): DeploymentEvent => ({ is: "asked", to, by, why: "looks good" });
const watching: Deployment = { ...begin(course), phase: { is: "watching", stage: 0, until: 1_000 }, shifted: 1 };
const passed: DeploymentEvent = { is: "passed", note: "web is well" };
const opened: DeploymentEvent = { is: "opened", note: "1s after the step was over", evidence: [] };

/** After all of these, one after the other. */
function stateAfter(...events: readonly DeploymentEvent[]): Deployment {
  return events.reduce((deployment, event) => decide(deployment, event, 2_000).next, watching);
}
const waitOf = ({ phase }: Deployment): Wait | null => (phase.is === "waiting" ? phase.for : null);

describe("a step of a canary with gates", () => {
  it("that has passed is watched on until they are open, and then the next one is taken", () => {
    const waits = stateAfter(passed);
    expect(waitOf(waits)).toEqual({ is: "gates", note: "web is well", how: "passed", since: 2_000, approvals: [] });
    expect(effectOf(waits)).toMatchObject({ do: "await-gates", stage: 0 });
    const next = stateAfter(passed, opened);
    expect([next.phase, next.steps?.map(({ is, note }) => [is, note])]).toEqual([
      { is: "starting", stage: 1, wave: 0 },
      [["passed", "web is well"]],
    ]);
  });

  it("is not passed by a promotion: that answers for the step, and its gates are still to come", () => {
    expect(waitOf(stateAfter(asked("promote")))).toMatchObject({ is: "gates", how: "promoted" });
    expect(stateAfter(passed, asked("promote"))).toEqual(stateAfter(passed));
    expect(stateAfter(asked("promote"), opened).steps?.map(({ is }) => is)).toEqual(["promoted"]);
  });

  it("keeps each approval once a person, also over a pause, and opens by none of them itself", () => {
    const twice = stateAfter(
      passed,
      asked("approve", "grace@laptop"),
      asked("approve", "grace@ci"),
      asked("approve", "linus"),
    );
    expect(waitOf(twice)).toMatchObject({ approvals: [{ by: "grace@laptop" }, { by: "linus" }] });
    const held = stateAfter(passed, asked("approve"), asked("pause"));
    expect([waitOf(held)?.is, decide(held, opened, 0).next, decide(held, asked("promote"), 0).next]).toEqual([
      "pause",
      held,
      held,
    ]);
    expect(decide(held, asked("resume"), 9_000).next).toEqual(stateAfter(passed, asked("approve")));
    expect(stateAfter(asked("approve"))).toEqual(watching);
  });

  it("is taken back by a no, and when nobody has opened them in time; stable was whole", () => {
    const failure = { code: "APPROVAL_EXPIRED", message: "nobody", evidence: [], service: null } as const;
    for (const [event, code] of [
      [asked("reject"), "APPROVAL_REFUSED"],
      [{ is: "refused", failure }, "APPROVAL_EXPIRED"],
    ] as const)
      expect(stateAfter(passed, event).phase).toMatchObject({
        is: "unshifting",
        end: { is: "cancelled", failure: { code } },
      });
  });
});
