import { describe, expect, it } from "vitest";
import { releaseId, revisionId, serviceName } from "../ids.ts";
import { begin } from "./decide.ts";
import type { Course, Deployment, Phase, Rollout, Undoing } from "./deployment.ts";
import { stages } from "./stages.ts";
import { isExposed, noTraffic, releasesAtFullTraffic, trafficOf, withLeftBehind } from "./traffic.ts";

const [fresh, old] = [releaseId("rel_new"), releaseId("rel_old")];

function rollout(service: string, sides: { readonly fresh: number; readonly old: number }, routed = true): Rollout {
  return {
    service: serviceName(service),
    kind: routed ? "web" : "worker",
    candidate: sides.fresh === 0 ? null : revisionId(`new-${service}`),
    candidateInstances: sides.fresh,
    stable: sides.old === 0 ? null : revisionId(`old-${service}`),
    stableInstances: sides.old,
    routed,
  };
}

function at(
  phase: Phase,
  rollouts: readonly Rollout[],
  more: { readonly shifted?: number; readonly strategy?: "rolling" } = {},
): Deployment {
  const isEmpty = rollouts.every((each) => each.stable === null);
  const course: Course = {
    id: "dep_1" as Course["id"],
    environment: "production" as Course["environment"],
    release: fresh,
    stable: isEmpty ? null : old,
    rollouts,
    waves: [],
    stages: stages(rollouts, { strategy: more.strategy ?? "blue-green", batch: 0.5 }),
    drainMs: 0,
    bakeMs: 0,
    proven: false,
  };
  return { ...begin(course), phase, shifted: more.shifted ?? 0 };
}

/** `new-web 2/10000`: revision, instances that take requests, weight; `*` marks a fallback. */
function seen(deployment: Deployment): Record<string, string[]> {
  return Object.fromEntries(
    Object.entries(trafficOf(deployment).services).map(([service, targets]) => [
      service,
      targets.map((target) => `${target.revision} ${target.instances}/${target.weight}${target.fallback ? "*" : ""}`),
    ]),
  );
}

const web = rollout("web", { fresh: 2, old: 3 });
const worker = rollout("worker", { fresh: 1, old: 1 }, false);
const failure = { code: "HEALTH_LOST" as const, message: "lost", evidence: [], service: null };
const end: Undoing = { is: "rolled-back", failure };

describe("the traffic of a deployment", () => {
  it("is stable's until the first shift", () => {
    for (const is of ["starting", "verifying"] as const)
      expect(seen(at({ is, stage: 0, wave: 0 }, [web, worker]))).toEqual({ web: ["old-web 3/10000"] });
    expect(seen(at({ is: "paused", stage: 0, by: "ada" }, [web]))).toEqual({ web: ["old-web 3/10000"] });
  });

  it("goes to the candidate in one step, with stable behind it for what cannot be connected to", () => {
    const expected = { web: ["new-web 2/10000", "old-web 3/0*"] };
    for (const is of ["shifting", "draining"] as const)
      expect(seen(at({ is, stage: 0 }, [web, worker], { shifted: 1 }))).toEqual(expected);
    for (const phase of [{ is: "baking", until: 1 }, { is: "retiring" }, { is: "succeeded" }] as const)
      expect(seen(at(phase, [web, worker], { shifted: 1 }))).toEqual(expected);
  });

  it("goes to the candidate batch by batch, and stays where it is while the next batch starts", () => {
    const four = [rollout("web", { fresh: 4, old: 4 })];
    const rolling = { strategy: "rolling" } as const;
    expect(seen(at({ is: "shifting", stage: 0 }, four, { ...rolling, shifted: 1 }))).toEqual({
      web: ["new-web 2/5000", "old-web 2/5000"],
    });
    expect(seen(at({ is: "verifying", stage: 1, wave: 0 }, four, { ...rolling, shifted: 1 }))).toEqual({
      web: ["new-web 2/5000", "old-web 2/5000"],
    });
    expect(seen(at({ is: "shifting", stage: 1 }, four, { ...rolling, shifted: 2 }))).toEqual({
      web: ["new-web 4/10000"],
    });
  });

  it("keeps a dropped service until the last step, and starts a new one with all of its traffic", () => {
    const parts = [
      rollout("web", { fresh: 2, old: 2 }),
      rollout("gone", { fresh: 0, old: 1 }),
      rollout("fresh", { fresh: 1, old: 0 }),
    ];
    const rolling = { strategy: "rolling" } as const;
    expect(seen(at({ is: "shifting", stage: 0 }, parts, { ...rolling, shifted: 1 }))).toMatchObject({
      gone: ["old-gone 1/10000"],
      fresh: ["new-fresh 1/10000"],
    });
    const last = seen(at({ is: "shifting", stage: 1 }, parts, { ...rolling, shifted: 2 }));
    expect(Object.keys(last)).toEqual(["web", "fresh"]);
  });

  it("never goes to a side that takes no requests: one that a release makes a worker or a job of, or that was one", () => {
    const parts: Rollout[] = [
      { ...rollout("job", { fresh: 1, old: 2 }), kind: "job", stableKind: "web" },
      { ...rollout("worker", { fresh: 2, old: 2 }), kind: "worker", stableKind: "web" },
      { ...rollout("web", { fresh: 2, old: 2 }), kind: "web", stableKind: "worker" },
    ];
    const rolling = { strategy: "rolling", shifted: 1 } as const;
    const before = { job: ["old-job 2/10000"], worker: ["old-worker 2/10000"] };
    expect(seen(at({ is: "verifying", stage: 0, wave: 0 }, parts))).toEqual(before);
    expect(seen(at({ is: "shifting", stage: 0 }, parts, rolling))).toEqual({
      job: ["old-job 2/10000"],
      worker: ["old-worker 1/10000"],
      web: ["new-web 1/10000"],
    });
    const whole = { web: ["new-web 2/10000"] };
    expect(seen(at({ is: "shifting", stage: 1 }, parts, { ...rolling, shifted: 2 }))).toEqual(whole);
    expect(seen(at({ is: "shifting", stage: 0 }, parts, { shifted: 1 }))).toEqual(whole);
  });

  it("comes back when it is undone; what must be started first keeps the candidate's traffic until then", () => {
    const back = { web: ["old-web 3/10000"] };
    const services = [serviceName("web")];
    expect(seen(at({ is: "restoring", services, followedBy: "unshifting", end }, [web], { shifted: 1 }))).toEqual({
      web: ["new-web 2/10000", "old-web 3/0*"],
    });
    expect(seen(at({ is: "unshifting", end }, [web], { shifted: 1 }))).toEqual(back);
    expect(seen(at({ is: "restoring", services, followedBy: "cleaning", end }, [web], { shifted: 1 }))).toEqual(back);
    for (const is of ["rolled-back", "cancelled"] as const)
      expect(seen(at({ is, failure }, [web], { shifted: 1 }))).toEqual(back);
    // What could not be replaced still runs, and answers while stable is not there.
    const failed = { is: "rollback-failed", failure, cause: failure } as const;
    expect(seen(at(failed, [web], { shifted: 1 }))).toEqual({ web: ["old-web 3/10000", "new-web 2/0*"] });
    expect(seen(at(failed, [web], { shifted: 0 }))).toEqual(back);
    expect(seen(at({ is: "failed", failure }, [web]))).toEqual(back);
  });

  it("stays with the only release there is, when the first one fails after the switch; is none when it fails before", () => {
    const first = [rollout("web", { fresh: 2, old: 0 })];
    expect(seen(at({ is: "failed", failure }, first, { shifted: 1 }))).toEqual({ web: ["new-web 2/10000"] });
    expect(trafficOf(at({ is: "failed", failure }, first))).toEqual(noTraffic);
  });

  it("keeps the old release's routes beside the new one's until the last batch, and not a moment longer", () => {
    const rolling = (stage: number) =>
      trafficOf(at({ is: "shifting", stage }, [rollout("web", { fresh: 2, old: 2 })], { strategy: "rolling" }));
    expect(rolling(0)).toMatchObject({ routesOf: fresh, keepsRoutesOf: old });
    expect(rolling(1)).not.toHaveProperty("keepsRoutesOf");
    expect(trafficOf(at({ is: "shifting", stage: 0 }, [web], { shifted: 1 }))).not.toHaveProperty("keepsRoutesOf");
    const back = at({ is: "shifting", stage: 0 }, [rollout("web", { fresh: 2, old: 2 })], { strategy: "rolling" });
    const rollback = trafficOf({ ...back, course: { ...back.course, proven: true } });
    expect(rollback).not.toHaveProperty("keepsRoutesOf");
  });

  it("has its routes from the release that takes it", () => {
    expect(trafficOf(at({ is: "verifying", stage: 0, wave: 0 }, [web])).routesOf).toBe(old);
    expect(trafficOf(at({ is: "shifting", stage: 0 }, [web], { shifted: 1 })).routesOf).toBe(fresh);
    expect(trafficOf(at({ is: "unshifting", end }, [web], { shifted: 1 })).routesOf).toBe(old);
  });
});

it("releases at full traffic are named once each, whatever the services", () => {
  const both = [web, rollout("api", { fresh: 1, old: 1 })];
  expect(releasesAtFullTraffic(trafficOf(at({ is: "succeeded" }, both, { shifted: 1 })))).toEqual([fresh]);
  expect(releasesAtFullTraffic(noTraffic)).toEqual([]);
  const half = at({ is: "shifting", stage: 0 }, [rollout("web", { fresh: 2, old: 2 })], {
    strategy: "rolling",
    shifted: 1,
  });
  expect(releasesAtFullTraffic(trafficOf(half))).toEqual([]);
});

it("keeps what a way back that failed left running, behind stable, until the next release moves the traffic", () => {
  const recorded = trafficOf(at({ is: "rollback-failed", failure, cause: failure }, [web], { shifted: 1 }));
  const left = revisionId("new-web");
  expect(recorded.services[serviceName("web")]?.map(({ revision, fallback }) => [revision, fallback])).toEqual([
    [revisionId("old-web"), false],
    [left, true],
  ]);
  const third = trafficOf(at({ is: "starting", stage: 0, wave: 0 }, [{ ...web, candidate: revisionId("third-web") }]));
  expect(withLeftBehind(third, recorded, (revision) => revision === left)).toEqual(recorded);
  expect(withLeftBehind(third, recorded, () => false)).toEqual(third);
  // Nobody stands behind a service twice.
  expect(withLeftBehind(recorded, recorded, () => true)).toEqual(recorded);
});

it("users may meet a candidate from its first share on, until stable is asked to have all again", () => {
  const both = [rollout("web", { fresh: 1, old: 1 })];
  const end: Undoing = {
    is: "rolled-back",
    failure: { code: "RULE_FIRED", message: "", evidence: [], service: null },
  };
  const restoring = { is: "restoring", services: [], end } as const;
  const meets = (phase: Phase, shifted = 1) => isExposed(at(phase, both, { shifted }));
  expect(meets({ is: "starting", stage: 0, wave: 0 }, 0)).toBe(false);
  const exposed: readonly Phase[] = [
    { is: "starting", stage: 1, wave: 0 },
    { is: "watching", stage: 0, until: 0 },
    { is: "baking", until: 0 },
    { is: "retiring" },
    { ...restoring, followedBy: "unshifting" },
  ];
  expect(exposed.map((phase) => meets(phase))).toEqual(exposed.map(() => true));
  const over: readonly Phase[] = [
    { is: "unshifting", end },
    { ...restoring, followedBy: "cleaning" },
    { is: "cleaning", end },
    { is: "succeeded" },
  ];
  expect(over.map((phase) => meets(phase))).toEqual(over.map(() => false));
});
