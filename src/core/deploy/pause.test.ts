import { expect, it } from "vitest";
import { serviceName } from "../ids.ts";
import { courseWith, rolloutOf } from "./course.fixture.ts";
import { begin, decide, effectOf } from "./decide.ts";
import type { Deployment, DeploymentEvent } from "./deployment.ts";

const course = courseWith([rolloutOf(serviceName("web"))]);

const asked = (to: "pause" | "resume" | "cancel"): DeploymentEvent => ({ is: "asked", to, by: "ada", why: "lunch" });
const baking = (until: number): Deployment => ({ ...begin(course), phase: { is: "baking", until }, shifted: 1 });
const phaseAfter = (deployment: Deployment, event: DeploymentEvent, now: number) => decide(deployment, event, now).next;

it("a bake that is held needs only the rest of its time when it goes on, however long it was held", () => {
  const held = phaseAfter(baking(5_000), asked("pause"), 4_300);
  expect(held.phase).toEqual({ is: "held", leftMs: 700, by: "ada" });
  expect(effectOf(held)).toEqual({ do: "watch", until: null });
  expect(phaseAfter(held, asked("resume"), 90_000).phase).toEqual({ is: "baking", until: 90_700 });
});

it("a bake that is over when it is held has nothing left, not less", () => {
  expect(phaseAfter(baking(5_000), asked("pause"), 6_000).phase).toMatchObject({ is: "held", leftMs: 0 });
});

it("what can be neither paused nor resumed stays, and says why", () => {
  const retiring: Deployment = { ...begin(course), phase: { is: "retiring" }, shifted: 1 };
  expect(decide(retiring, asked("pause"), 0)).toMatchObject({
    next: retiring,
    reason: "cannot be paused while retiring",
  });
  expect(decide(baking(5_000), asked("resume"), 0)).toMatchObject({ reason: "it was not paused" });
});

it("a pause before the switch goes on from the first wave, for each effect finds what exists", () => {
  const verifying: Deployment = { ...begin(course), phase: { is: "verifying", stage: 0, wave: 1 } };
  const paused = phaseAfter(verifying, asked("pause"), 0);
  expect([paused.phase, effectOf(paused)]).toEqual([{ is: "paused", stage: 0, by: "ada" }, { do: "await-resume" }]);
  expect(phaseAfter(paused, asked("resume"), 1).phase).toEqual({ is: "starting", stage: 0, wave: 0 });
  expect(phaseAfter(paused, asked("cancel"), 1).phase.is).toBe("cleaning");
});

it("a pause while traffic moves is taken: the step is done whole, and what comes after it waits", () => {
  const two = { ...course, stages: [...course.stages, ...course.stages] };
  const shifting = (stage: number): Deployment => ({
    ...begin(two),
    phase: { is: "shifting", stage },
    shifted: stage + 1,
  });
  const shifted: DeploymentEvent = { is: "shifted", marks: {} };
  const drained: DeploymentEvent = { is: "drained", inflight: 0 };
  for (const [stage, held] of [
    [0, { is: "paused", stage: 1, by: "ada" }],
    [1, { is: "held", leftMs: 1_000, by: "ada" }],
  ] as const) {
    const asking = decide(shifting(stage), asked("pause"), 0);
    expect([asking.next.phase.is, effectOf(asking.next)]).toEqual(["shifting", { do: "shift" }]);
    expect(asking.reason).toBe("to be paused by ada: lunch; it holds when stable is drained");
    const draining = phaseAfter(asking.next, shifted, 1);
    expect(phaseAfter(draining, drained, 2).phase).toEqual(held);
    // The same when it comes a moment later, and nothing is left of it when it goes on, or is called off before.
    const later = phaseAfter(phaseAfter(shifting(stage), shifted, 1), asked("pause"), 1);
    expect(phaseAfter(later, drained, 2)).toMatchObject({ phase: held });
    expect(phaseAfter(later, drained, 2)).not.toHaveProperty("holdFor");
    const going = phaseAfter(later, asked("resume"), 2);
    expect(phaseAfter(going, drained, 3).phase.is).toBe(stage === 0 ? "starting" : "baking");
    expect(phaseAfter(later, asked("cancel"), 2)).not.toHaveProperty("holdFor");
  }
});

it("a pause before the end of a deployment without a bake holds all the same, and then only has to be seen healthy", () => {
  const short: Deployment = { ...begin({ ...course, bakeMs: 0 }), phase: { is: "draining", stage: 0 }, shifted: 1 };
  const held = phaseAfter(phaseAfter(short, asked("pause"), 0), { is: "drained", inflight: 0 }, 1);
  expect(held.phase).toEqual({ is: "held", leftMs: 0, by: "ada" });
  expect(phaseAfter(held, asked("resume"), 5).phase).toEqual({ is: "baking", until: 5 });
});
