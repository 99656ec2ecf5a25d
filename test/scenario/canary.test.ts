import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Deployment, hasEnded } from "../../src/core/deploy/deployment.ts";
import type { Traffic } from "../../src/core/deploy/traffic.ts";
import type { DeploymentId, ReleaseId } from "../../src/core/ids.ts";
import { environmentName } from "../../src/core/ids.ts";
import type { RolloutInput } from "../../src/core/product/input.ts";
import { approve, shown } from "../../src/engine/commands/approve.ts";
import { plan } from "../../src/engine/commands/plan.ts";
import { Plane } from "./plane.fixture.ts";

const names = ["up", "caught", "quiet", "manual", "aborted", "away", "alone", "gated", "own-times", "early"];
const canary: RolloutInput = {
  strategy: "canary",
  steps: ["20%", "50%"],
  stepBake: "200ms",
  stepMinimum: 10,
  stepLimit: "1m",
  bake: "150ms",
  drain: "1s",
  rules: { errorRatio: { margin: "5%", minimum: 5 } },
};

let plane: Plane;
let here = "";
let one: ReleaseId;

const version = (name: string, more: Partial<RolloutInput> = {}): Promise<ReleaseId> =>
  plane.version(name, {
    services: { web: plane.product.web({ instances: 4 }), worker: plane.product.worker() },
    rollout: { ...canary, ...more },
  });

beforeAll(async () => {
  plane = await Plane.start({ environments: Object.fromEntries(names.map((name) => [name, {}])) });
  one = await version("v1");
});

afterEach(() => plane.expectAtRest(here));
afterAll(() => plane.close());

async function withLive(name: string): Promise<void> {
  here = name;
  expect((await plane.deploy(name, one)).phase).toBe("succeeded");
}

/** `20` percent of the requests to the candidate's web now. */
async function candidateShare(): Promise<number> {
  const { services } = JSON.parse((await plane.environment(here)).traffic) as Traffic;
  const [first, second] = Object.values(services)[0] ?? [];
  return second === undefined ? 0 : (first?.weight ?? 0) / 100;
}

async function state(id: DeploymentId): Promise<Deployment> {
  return JSON.parse((await plane.row(id)).state) as Deployment;
}

const word = (deployment: DeploymentId, verdict: "approved" | "rejected", actor: string) =>
  approve(plane.world, { deployment, verdict, actor, reason: "looks good" });

/** Resolves when what the deployment waits for reads so. */
async function says(id: DeploymentId, wanted: RegExp): Promise<void> {
  for (;;) {
    const { reason, ended_at } = await plane.row(id);
    if (wanted.test(reason)) return;
    if (ended_at !== null) throw new Error(`${id} has ended: ${reason}`);
    await plane.world.clock.sleep(20);
  }
}

/** Visitors come until it waits at the gates of a step. */
async function atGates(id: DeploymentId): Promise<void> {
  for (;;) {
    const { phase } = await state(id);
    if (phase.is === "waiting" && phase.for.is === "gates") return;
    if (hasEnded(phase)) throw new Error(`${id} has ended: ${phase.is}`);
    await plane.visit(here).catch(() => {});
    await plane.world.clock.sleep(5);
  }
}

const both = async () => [await plane.running(here, "web"), await plane.running(here, "worker")];

describe("a canary", () => {
  it("goes up step by step while visitors come, with as many instances as its share needs; workers change over last", async () => {
    await withLive("up");
    const two = await version("v2");
    const id = await plane.start(here, two);
    await expect(plane.rollback(here, { onlyFrom: one })).rejects.toMatchObject({ code: "NOTHING_TO_ROLL_BACK" });
    const visitors = plane.visitUntilEnded(here, id);
    await plane.reaches(id, "watching");
    expect([await candidateShare(), await both()]).toEqual([20, [{ r1: 4, r2: 1 }, { r1: 1 }]]);
    await visitors;
    const { phase, phases } = await plane.ended(id);
    const step = ["starting", "verifying", "shifting", "watching"];
    expect([phase, phases]).toEqual([
      "succeeded",
      ["queued", ...step, ...step, "starting", "verifying", "shifting", "draining", "baking", "retiring", "succeeded"],
    ]);
    const { steps = [] } = await state(id);
    expect(steps.map(({ weight, is }) => [weight, is])).toEqual([
      [2_000, "passed"],
      [5_000, "passed"],
    ]);
    // Both sides with their counts, for the record.
    expect(steps[0]?.note).toMatch(/^web 0 of \d{2,} failed \(0\.0 %\), stable 0 of \d{2,} \(0\.0 %\), 1\/1 healthy$/);
    expect(await both()).toEqual([{ r1: 4, r2: 4 }, { r2: 1 }]);
    expect(await plane.visit(here)).toBe("200 v2");
    // Taken back after its end by what looks at nothing else: only while it is the one that is live.
    await expect(plane.rollback(here, { onlyFrom: one })).rejects.toMatchObject({ message: "r1 is not live any more" });
    expect((await plane.ended(await plane.rollback(here, { onlyFrom: two }))).phase).toBe("succeeded");
    expect([await plane.visit(here), await both()]).toEqual(["200 v1", [{ r1: 4, r2: 4 }, { r1: 1 }]]);
  });

  it("that answers errors is caught at its first step; most visitors never met it, and stable was whole", async () => {
    await withLive("caught");
    const bad = await version("v3");
    plane.product.behave("web", "v3", "errors");
    const id = await plane.start(here, bad);
    const answers = new Map<string, number>();
    while ((await plane.row(id)).ended_at === null) {
      const answer = await plane.visit(here);
      answers.set(answer, (answers.get(answer) ?? 0) + 1);
    }
    const { phase, failure, phases, row } = await plane.ended(id);
    expect([phase, failure?.code, row.live_at]).toEqual(["rolled-back", "ERROR_RATIO", null]);
    expect(failure?.message).toMatch(/^at 20 % of the traffic: web: \d+ of \d+ requests failed/);
    expect(phases.filter((each) => each === "watching")).toHaveLength(1);
    expect(phases).not.toContain("restoring");
    expect((answers.get("500") ?? 0) / [...answers.values()].reduce((a, b) => a + b)).toBeLessThan(0.3);
    expect([await plane.visit(here), await both()]).toEqual(["200 v1", [{ r1: 4 }, { r1: 1 }]]);
  });

  it("that cannot be judged for want of requests waits for a person and says what is missing; looked at again it goes on", async () => {
    await withLive("quiet");
    const id = await plane.start(here, await version("v4", { stepLimit: "100ms" }));
    await plane.reaches(id, "waiting");
    const { reason } = await plane.row(id);
    expect(reason).toBe("step 1 of 2 cannot be judged: web: 0 of at least 10 requests were seen; waits for a person");
    expect(await candidateShare()).toBe(20);
    // Visitors come, and it is asked to look again until they were enough.
    while ((await plane.row(id)).ended_at === null) {
      await plane.visit(here);
      if ((await plane.row(id)).phase === "waiting") await plane.ask(id, "resume").catch(() => {});
    }
    expect((await plane.ended(id)).phase).toBe("succeeded");
    expect((await state(id)).steps?.map(({ is }) => is)).toEqual(["passed", "passed"]);
  });

  it("takes each step at a person's word where the config says so; two who say it take one step", async () => {
    await withLive("manual");
    const id = await plane.start(here, await version("v5", { promotion: "manual" }));
    const visitors = plane.visitUntilEnded(here, id);
    await plane.reaches(id, "waiting");
    expect((await plane.row(id)).reason).toContain("waits for a person to take the next step");
    const twice = await Promise.allSettled([plane.promote(id, 1), plane.promote(id, 1)]);
    expect(twice.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    await plane.reaches(id, "watching");
    await expect(plane.promote(id, 1)).rejects.toMatchObject({ code: "NO_STEP_TO_PROMOTE" });
    expect(await candidateShare()).toBe(50);
    // Before its time is over: the person answers for it.
    await plane.promote(id, 2);
    await visitors;
    expect((await plane.ended(id)).phase).toBe("succeeded");
    expect((await state(id)).steps?.map(({ is }) => is)).toEqual(["promoted", "promoted"]);
  });

  it("is held and called off at any step: one change of weights, and nothing of stable had stopped", async () => {
    await withLive("aborted");
    const id = await plane.start(here, await version("v6", { stepBake: "1m" }));
    await plane.reaches(id, "watching");
    await plane.ask(id, "pause");
    await plane.reaches(id, "waiting");
    await plane.restart();
    expect([await candidateShare(), await both()]).toEqual([20, [{ r1: 4, r6: 1 }, { r1: 1 }]]);
    await plane.ask(id, "resume");
    await plane.reaches(id, "watching");
    await plane.ask(id, "cancel");
    const { phase, phases } = await plane.ended(id);
    expect([phase, phases.slice(-3)]).toEqual(["cancelled", ["unshifting", "cleaning", "cancelled"]]);
    expect(await both()).toEqual([{ r1: 4 }, { r1: 1 }]);
  });

  it("waits at the gates of a step for what it has to show and for a person, over a crash; a no takes it back", async () => {
    await withLive("gated");
    const gates = { when: ["error ratio of web < 1%"], approval: { people: ["grace", "ada"] } };
    const steps: RolloutInput["steps"] = ["20%", { weight: "50%", gates }];
    const good = await version("v10", { steps });
    const { steps: planned } = await plan(plane.world, { release: good, environment: environmentName(here) });
    expect(planned).toContain("wait until all are open: 1 approval from grace, ada, error ratio of web < 1%");
    const id = await plane.start(here, good);
    await atGates(id);
    expect(await candidateShare()).toBe(50);
    await expect(plane.promote(id, 2)).rejects.toMatchObject({ code: "NO_STEP_TO_PROMOTE" });
    await expect(word(id, "approved", "ada")).rejects.toMatchObject({ code: "NOT_AN_APPROVER" });
    const { lines } = await shown(plane.world, id);
    expect(lines.filter(([what]) => what === "canary")).toHaveLength(2);
    await plane.restart();
    await word(id, "approved", "grace");
    await plane.visitUntilEnded(here, id);
    expect((await plane.ended(id)).phase).toBe("succeeded");
    const told = (await plane.history(id)).filter(({ event }) => event === "deployment.starting").at(-1);
    expect(told?.reason).toMatch(/^the gates of step 2 of 2 are open: approved by grace \(looks good\); error ratio/);
    // What does not hold is not opened by a yes, and a no ends it.
    const shut = { ...gates, when: ["requests of web > 100000/s"] };
    const second = await plane.start(here, await version("v11", { steps: [{ weight: "60%", gates: shut }] }));
    await atGates(second);
    await word(second, "approved", "grace");
    await says(second, /^requests of web > 100000\/s: /);
    await word(second, "rejected", "grace");
    const { phase, failure } = await plane.ended(second);
    expect([phase, failure?.code, await plane.visit(here)]).toEqual(["cancelled", "APPROVAL_REFUSED", "200 v10"]);
  });

  it("is watched at each step for that step's own time, shorter or longer than the others'", async () => {
    await withLive("own-times");
    const steps: RolloutInput["steps"] = [
      { weight: "20%", bake: "100ms" },
      { weight: "50%", bake: "700ms" },
    ];
    const next = await version("v12", { steps, stepBake: "10m" });
    const { steps: planned } = await plan(plane.world, { release: next, environment: environmentName(here) });
    expect(planned.filter((each) => each.startsWith("watch step"))).toEqual([
      expect.stringMatching(/^watch step 1 of 2 for 100ms and/),
      expect.stringMatching(/^watch step 2 of 2 for 700ms and/),
    ]);
    const id = await plane.start(here, next);
    await plane.visitUntilEnded(here, id);
    expect((await plane.ended(id)).phase).toBe("succeeded");
    const [first, second] = (await state(id)).steps ?? [];
    expect([first?.is, second?.is]).toEqual(["passed", "passed"]);
    expect((second?.to ?? 0) - (second?.from ?? 0)).toBeGreaterThanOrEqual(700);
  });

  it("that is good is done before its steps and its bake are over, where the config lets them end early", async () => {
    await withLive("early");
    const long = { stepBake: "10m", bake: "10m", endEarly: "always" } as const;
    const next = await version("v13", {
      ...long,
      rules: { errorRatio: { margin: "10%", minimum: 5 }, latency: false },
    });
    const id = await plane.start(here, next);
    await plane.visitUntilEnded(here, id);
    const { phase, phases } = await plane.ended(id);
    expect([phase, phases.filter((each) => each === "watching" || each === "baking")]).toEqual([
      "succeeded",
      ["watching", "watching", "baking"],
    ]);
    const told = (await plane.history(id)).find(({ event }) => event === "deployment.retiring");
    expect(told?.reason).toMatch(/^bake passed: .*proven no worse than stable's and 10\.0 %/);
  });

  it("without visitors is asked by Slipway itself, where the config names what to ask", async () => {
    await withLive("alone");
    const good = await version("v7", { synthetic: { path: "/", perSecond: 100 } });
    const id = await plane.start(here, good);
    const { phase } = await plane.ended(id);
    const { steps = [] } = await state(id);
    expect([phase, steps[0]?.note]).toEqual([
      "succeeded",
      expect.stringMatching(/^web 0 of 0 failed \(0\.0 %\), 0 of \d{2,} synthetic ones, stable 0 of 0/),
    ]);
    const bad = await version("v8", { synthetic: { path: "/", perSecond: 100 } });
    plane.product.behave("web", "v8", "errors");
    const { phase: end, failure } = await plane.deploy(here, bad);
    expect([end, failure?.message]).toEqual(["rolled-back", expect.stringContaining("of Slipway's own requests")]);
  });

  it("plans its steps with their times, and says what does not take part", async () => {
    here = "away";
    await plane.deploy(here, one);
    const next = await version("v9");
    const { steps, warnings, rollback } = await plan(plane.world, {
      release: next,
      environment: environmentName(here),
    });
    const watched = (step: number) =>
      `watch step ${step} of 2 for 200ms and at least 10 requests; what cannot be judged after 1m more asks a person`;
    expect(steps).toEqual([
      "start web x1; wait until healthy",
      "switch traffic: web 20 %",
      watched(1),
      "start web x2; wait until healthy",
      "switch traffic: web 50 %",
      watched(2),
      "start web x4, worker x1; wait until healthy",
      "switch traffic: web 100 %",
      "drain the old release, up to 1s",
      "watch for 150ms: health, error ratio, latency",
    ]);
    expect([warnings, rollback]).toEqual([
      [
        "worker changes over with the last step: what takes no requests cannot be shared by weight",
        "without edge.sticky each request is on its own: a page of one release may ask for files of the other",
      ],
      "the old release stays whole in every step, and then warm: going back is one change of weights",
    ]);
  });
});
