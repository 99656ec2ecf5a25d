import { describe, expect, it } from "vitest";
import { serviceName } from "../ids.ts";
import { courseWith, rolloutOf } from "./course.fixture.ts";
import { begin, decide } from "./decide.ts";
import type { Deployment, DeploymentEvent, Failure } from "./deployment.ts";

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
