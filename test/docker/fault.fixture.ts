import { expect } from "vitest";
import type { Failure } from "../../src/core/deploy/deployment.ts";
import { deploy, expectAtRest, type Outcome, type Scene, type Toll, underLoad } from "./story.fixture.ts";

/** One thing that goes wrong while a release is deployed under load. */
export type Fault = {
  /** The release that has all the traffic in the end. */
  readonly live: string;
  readonly phase: "succeeded" | "failed" | "rolled-back";
  /** The deployment, and what happens to it meanwhile. */
  readonly during: () => Promise<Outcome>;
  /** What the failure must say; none where the deployment gets over it. */
  readonly says?: {
    readonly code: Failure["code"];
    readonly message: RegExp;
    readonly evidence: RegExp;
    readonly hint: RegExp;
  };
  readonly toll?: Toll;
  /** Once the deployment has ended, while visitors still come. */
  readonly after?: () => Promise<void>;
};

/** Every fault is told in the same way, and must end in the same way. */
export async function bears(scene: Scene, fault: Fault): Promise<void> {
  const during = () => fault.during().finally(() => fault.after?.());
  const { value } = await underLoad(scene, during, fault.toll);
  const { phase, reason, failure } = value.deployment;
  expect(phase, `${reason}\n${scene.product.log().slice(-3_000)}`).toBe(fault.phase);
  if (fault.says === undefined) expect(failure).toBeNull();
  else {
    const { code, message, evidence, hint } = fault.says;
    expect(failure?.code, failure?.message).toBe(code);
    expect(failure?.message).toMatch(message);
    expect((failure?.evidence ?? []).map((line) => line.join(" ")).join("\n")).toMatch(evidence);
    expect(failure?.hint).toMatch(hint);
  }
  await expectAtRest(scene, fault.live);
}

/** A deployment of a version, with something done to it as soon as it is under way. */
export async function deployAnd(
  scene: Scene,
  version: string,
  trouble: () => Promise<unknown>,
  how: Parameters<typeof deploy>[2] = "slow",
  more: Parameters<typeof deploy>[3] = {},
): Promise<Outcome> {
  const deploying = deploy(scene, version, how, more);
  // A failure of either is told when both have ended.
  const [done, troubled] = await Promise.allSettled([deploying, trouble()]);
  if (troubled.status === "rejected") throw troubled.reason;
  if (done.status === "rejected") throw done.reason;
  return done.value;
}
