import { describe, expect, it } from "vitest";
import { serviceName } from "../ids.ts";
import { courseWith, rolloutOf } from "./course.fixture.ts";
import { begin, decide } from "./decide.ts";
import type { Deployment, DeploymentEvent, Failure, Phase } from "./deployment.ts";
import { stages } from "./stages.ts";
import { trafficOf } from "./traffic.ts";

const web = serviceName("web");
const course = courseWith([rolloutOf(web)], { bakeMs: 5_000 });
const failure: Failure = {
  code: "ERROR_RATIO",
  message: "web: 12 of 39 requests failed",
  evidence: [["rule", "error ratio"]],
  service: web,
};
const baking: Deployment = { ...begin(course), phase: { is: "baking", until: 5_000 }, shifted: 1 };
const back: readonly DeploymentEvent[] = [
  { is: "failed", failure },
  { is: "shifted", marks: {} },
];

/** How it ends, with what `clean` has seen. */
function endOf(cleaned: Extract<DeploymentEvent, { is: "cleaned" }>) {
  const cleaning = back.reduce((deployment, event) => decide(deployment, event, 2_000).next, baking);
  expect(cleaning.phase.is).toBe("cleaning");
  return decide(cleaning, cleaned, 3_000);
}

describe("the end of a way back", () => {
  it("says why, with the log lines of what failed", () => {
    const { next, reason } = endOf({ is: "cleaned", evidence: [["log", "boom"]] });
    expect(reason).toBe("rolled back: web: 12 of 39 requests failed");
    expect(next.phase).toEqual({
      is: "rolled-back",
      failure: {
        ...failure,
        evidence: [
          ["rule", "error ratio"],
          ["log", "boom"],
        ],
      },
    });
  });

  it("also says what speaks for the release", () => {
    const doubt = "stable fails too since it has the traffic again";
    const { next, reason } = endOf({ is: "cleaned", evidence: [], doubt });
    expect(reason).toBe(`rolled back: web: 12 of 39 requests failed; ${doubt}`);
    expect(next.phase).toMatchObject({ is: "rolled-back", failure: { message: `${failure.message}; ${doubt}` } });
  });
});

describe("the way back of a rolling deployment", () => {
  const rollout = rolloutOf(web, { candidateInstances: 3, stableInstances: 3 });
  const rolling = courseWith([rollout], {
    stages: stages([rollout], { strategy: "rolling", batch: { instances: 1 } }),
  });
  const calledOff = (phase: Phase, shifted: number) =>
    decide({ ...begin(rolling), phase, shifted }, { is: "asked", to: "cancel", by: "ada", why: "no" }, 1).next;

  it("starts nothing again while the first traffic is on its way: no step has stopped anything yet", () => {
    const back = calledOff({ is: "shifting", stage: 0 }, 1);
    expect(back.phase.is).toBe("unshifting");
    expect(trafficOf(back).services[web]).toMatchObject([{ revision: rollout.stable, instances: 3, weight: 10_000 }]);
  });

  it("starts again what the steps before have stopped", () => {
    expect(calledOff({ is: "draining", stage: 0 }, 1).phase).toMatchObject({ is: "restoring", services: [web] });
    expect(calledOff({ is: "shifting", stage: 1 }, 2).phase).toMatchObject({ is: "restoring", services: [web] });
  });
});
