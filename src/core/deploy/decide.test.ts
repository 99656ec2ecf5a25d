import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { environmentName, type ReleaseId, type RevisionId, releaseId, revisionId, serviceName } from "../ids.ts";
import { noCounts } from "../judge/counts.ts";
import type { StepGatesSpec } from "../product/gates-spec.ts";
import type { CanarySpec } from "../product/spec.ts";
import { begin, decide, effectOf } from "./decide.ts";
import {
  allTraffic,
  type Course,
  type Deployment,
  type DeploymentEvent,
  type Effect,
  type Failure,
  hasEnded,
  type Rollout,
  takesRequests,
} from "./deployment.ts";
import { rolesOf } from "./roles.ts";
import { rollbackStages, stages } from "./stages.ts";
import { releasesAtFullTraffic, type TrafficTarget, trafficOf } from "./traffic.ts";
import { waves } from "./waves.ts";

const old = releaseId("rel_old");
const fresh = releaseId("rel_new");
const failure: Failure = { code: "HEALTH_LOST", message: "lost", evidence: [], service: null };

/** What a world did with an effect: well (`short`: while stable is sick), badly (not at all, or half of it), or a person spoke up first. */
type Outcome = "well" | "short" | "badly" | "half" | "unclear" | "cancel" | "pause" | "resume" | "promote";
const outcomes = fc.array(
  fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom<Outcome>("well", "well", "well", "short") },
    { weight: 2, arbitrary: fc.constantFrom<Outcome>("badly", "half") },
    { weight: 1, arbitrary: fc.constantFrom<Outcome>("cancel", "pause", "resume", "promote", "unclear") },
  ),
  { minLength: 0, maxLength: 80 },
);

const rolloutArbitrary = fc.record({
  kind: fc.constantFrom("web" as const, "worker" as const, "job" as const, "static" as const),
  candidateInstances: fc.integer({ min: 1, max: 7 }),
  stableInstances: fc.integer({ min: 1, max: 7 }),
  presence: fc.constantFrom("both", "added", "dropped"),
  before: fc.constantFrom("same" as const, "web" as const, "worker" as const),
  stopFirst: fc.constantFrom(null, "volumes" as const, "hostPorts" as const),
});

const oneHour: StepGatesSpec = { approval: null, windows: [], freezes: [], waitMs: 3_600_000, conditions: [] };

const courses = fc
  .record({
    parts: fc.array(rolloutArbitrary, { minLength: 1, maxLength: 4 }),
    hasStable: fc.boolean(),
    strategy: fc.constantFrom("blue-green" as const, "rolling" as const, "rollback" as const, "canary" as const),
    batch: fc.constantFrom(0.1, 0.25, 0.5, 1),
    bakeMs: fc.constantFrom(0, 5_000),
    weights: fc.uniqueArray(fc.integer({ min: 1, max: allTraffic - 1 }), { minLength: 1, maxLength: 5 }),
    instances: fc.constantFrom("share" as const, "all" as const),
    manual: fc.boolean(),
    gated: fc.boolean(),
  })
  .map(({ parts, hasStable, strategy, batch, bakeMs, weights, instances, manual, gated }): Course => {
    // A rollback does no jobs: `courseOf` leaves them out.
    const own = strategy === "rollback" ? parts.filter((part) => part.kind !== "job") : parts;
    const rollouts = own.flatMap((part, index): Rollout[] => {
      const service = serviceName(`s${index}`);
      const job = part.kind === "job";
      const stable = hasStable && part.presence !== "added" && !(job && part.before === "same");
      const dropped = stable && !job && part.presence === "dropped" && index > 0;
      const turned = stable && !dropped && part.before !== "same" && part.before !== part.kind;
      return [
        {
          service,
          kind: part.kind,
          candidate: dropped ? null : revisionId(`new-${service}`),
          candidateInstances: dropped ? 0 : job ? 1 : part.candidateInstances,
          stable: stable ? revisionId(`old-${service}`) : null,
          stableInstances: stable ? part.stableInstances : 0,
          ...(turned ? { stableKind: part.before as "web" | "worker" } : {}),
          routed: part.kind === "web" || part.kind === "static" || (turned && part.before === "web"),
          ...(part.stopFirst !== null && stable && !dropped ? { stopFirst: part.stopFirst } : {}),
        },
      ];
    });
    const taking = rollouts.filter((rollout) => rollout.candidate !== null);
    const steps = weights.toSorted((a, b) => a - b);
    const canary: CanarySpec = {
      steps: steps.map((weight) => ({ weight: weight / allTraffic, bakeMs: 1_000, promotion: "automatic" as const })),
      minimum: 1,
      limitMs: 1_000,
      instances,
      synthetic: null,
    };
    const made = strategy === "rollback" ? rollbackStages(rollouts) : stages(rollouts, { strategy, batch, canary });
    return {
      id: "dep_1" as Course["id"],
      environment: environmentName("production"),
      release: fresh,
      stable: hasStable ? old : null,
      rollouts,
      waves: waves(
        taking.map((rollout, index) => ({
          name: rollout.service,
          needs: index === 0 ? [] : [taking[0]?.service ?? rollout.service],
        })),
      ),
      stages: made,
      ...(strategy === "canary" && made.length > 1
        ? {
            canary: {
              steps: steps.map((weight, index) => ({
                weight,
                bakeMs: 1_000,
                manual: manual && index % 2 === 0,
                ...(gated && index % 3 === 0 ? { gates: oneHour } : {}),
              })),
              limitMs: 1_000,
            },
          }
        : {}),
      drainMs: 1_000,
      bakeMs,
      proven: strategy === "rollback",
    };
  });

/** The outside world as far as the promises are about it: how many instances run, which of them were seen healthy. */
class Outside {
  readonly running = new Map<RevisionId, number>();
  readonly verified = new Map<RevisionId, number>();
  readonly #course: Course;

  constructor(course: Course) {
    this.#course = course;
    for (const rollout of course.rollouts) {
      if (rollout.stable === null) continue;
      this.running.set(rollout.stable, rollout.stableInstances);
      this.verified.set(rollout.stable, rollout.stableInstances);
    }
  }

  /** Does the effect and says what came of it; with `half` it ends after the stops, or after the first of several services. */
  perform(deployment: Deployment, effect: Effect, { half }: { readonly half: boolean }): DeploymentEvent {
    const { course } = deployment;
    switch (effect.do) {
      case "start":
        for (const service of effect.stopping) this.#scale(stableOf(course, service), 0);
        for (const service of half ? effect.services.slice(1) : effect.services)
          this.#scale(candidateOf(course, service), course.stages[effect.stage]?.[service]?.candidate ?? 0);
        return { is: "started" };
      case "verify":
        for (const service of effect.services) this.#verify(candidateOf(course, service));
        return { is: "healthy" };
      case "shift":
        return { is: "shifted", marks: {} };
      case "drain":
        for (const rollout of course.rollouts) {
          const share = course.stages[effect.stage]?.[rollout.service]?.stable ?? 0;
          if (share < rollout.stableInstances) this.#scale(rollout.stable, share);
        }
        return { is: "drained", inflight: 0 };
      case "watch":
        // In a canary a watch without an end goes on until somebody says something.
        return deployment.phase.is === "waiting"
          ? { is: "asked", to: "resume", by: "ada", why: "go on" }
          : { is: "passed", note: "healthy" };
      case "watch-step":
        return { is: "passed", note: "healthy" };
      case "await-gates":
        return { is: "opened", note: "1h after the step was over", evidence: [] };
      case "await-resume":
        return { is: "asked", to: "resume", by: "ada", why: "go on" };
      case "retire":
        return { is: "retired" };
      case "restore":
        for (const rollout of course.rollouts.filter((each) => effect.services.includes(each.service))) {
          if (rollout.stopFirst !== undefined) this.#scale(rollout.candidate, 0);
          if (half) continue;
          this.#scale(rollout.stable, rollout.stableInstances);
          this.#verify(rollout.stable);
        }
        return { is: "restored" };
      case "clean":
        for (const rollout of course.rollouts) this.#scale(rollout.candidate, 0);
        return { is: "cleaned", evidence: [] };
    }
  }

  #scale(revision: RevisionId | null, count: number): void {
    if (revision === null) return;
    this.running.set(revision, count);
    this.verified.set(revision, Math.min(count, this.verified.get(revision) ?? 0));
    for (const { stopFirst, candidate, stable, service } of this.#course.rollouts) {
      if (stopFirst === undefined || candidate === null || stable === null) continue;
      const both = [this.running.get(candidate) ?? 0, this.running.get(stable) ?? 0];
      expect(Math.min(...both), `both sides of ${service} run`).toBe(0);
    }
  }

  #verify(revision: RevisionId | null): void {
    if (revision !== null) this.verified.set(revision, this.running.get(revision) ?? 0);
  }
}

function stableOf(course: Course, service: string): RevisionId | null {
  return course.rollouts.find((rollout) => rollout.service === service)?.stable ?? null;
}

function candidateOf(course: Course, service: string): RevisionId | null {
  return course.rollouts.find((rollout) => rollout.service === service)?.candidate ?? null;
}

/** Every effect that may move traffic: after it the edge does what the state says. */
const movesTraffic = new Set(["shift"]);

function play(
  course: Course,
  script: readonly Outcome[],
  check: (deployment: Deployment, outside: Outside, reason: string) => void,
): Deployment {
  const outside = new Outside(course);
  let deployment = begin(course);
  let step = 0;
  // After the script everything goes well, so that every story has an end.
  for (; step < script.length + 200; step += 1) {
    const effect = effectOf(deployment);
    if (effect === null) break;
    const outcome = script[step] ?? "well";
    const event = eventOf(outcome, effect, deployment, outside);
    const decision = decide(deployment, event, 1_000 + step);
    expect(decision.effects).toEqual(effectOf(decision.next) === null ? [] : [effectOf(decision.next)]);
    deployment = decision.next;
    if (movesTraffic.has(effect.do) || hasEnded(deployment.phase)) check(deployment, outside, decision.reason);
    expect(decision.reason).not.toBe("");
  }
  expect(hasEnded(deployment.phase), `after ${step} steps it is still ${deployment.phase.is}`).toBe(true);
  return deployment;
}

function eventOf(outcome: Outcome, effect: Effect, deployment: Deployment, outside: Outside): DeploymentEvent {
  if (outcome === "half") outside.perform(deployment, effect, { half: true });
  if ((outcome === "badly" || outcome === "half") && effect.do !== "await-resume") return { is: "failed", failure };
  // A crash repeats an effect: doing it twice must be the same as doing it once.
  if (outcome === "well" || outcome === "short") {
    outside.perform(deployment, effect, { half: false });
    const event = outside.perform(deployment, effect, { half: false });
    if (event.is !== "healthy" || outcome === "well") return event;
    // Nothing of stable answers any more, of all services.
    const short = deployment.course.rollouts.map(({ service }) => ({ service, left: 1, well: 0 }));
    return { ...event, short };
  }
  if (outcome === "unclear") return { is: "unclear", missing: "web: 3 of at least 20 requests were seen" };
  return outcome === "badly" || outcome === "half"
    ? { is: "asked", to: "resume", by: "ada", why: "go on" }
    : { is: "asked", to: outcome, by: "ada", why: "because" };
}

function targetsOf(deployment: Deployment): (readonly TrafficTarget[])[] {
  return Object.values(trafficOf(deployment).services);
}

describe("a deployment, whatever fails, whoever asks, and however often an effect is repeated", () => {
  it("ends with exactly one release at 100 %: the new one or the old one", () => {
    fc.assert(
      fc.property(courses, outcomes, (course, script) => {
        const ended = play(course, script, () => {});
        const expected = expectedRelease(ended);
        const full = releasesAtFullTraffic(trafficOf(ended));
        expect(full).toEqual(
          expected === null || !course.rollouts.some((rollout) => isRoutedBy(rollout, expected)) ? [] : [expected],
        );
      }),
      { numRuns: 2_000 },
    );
  });

  it("gives every service the whole of its traffic at every moment, and only weights between nothing and all", () => {
    fc.assert(
      fc.property(courses, outcomes, (course, script) => {
        play(course, script, (deployment) => {
          for (const targets of targetsOf(deployment)) {
            expect(targets.reduce((sum, target) => sum + target.weight, 0)).toBe(allTraffic);
            for (const target of targets) expect(target.weight).toBeGreaterThanOrEqual(0);
          }
        });
      }),
      { numRuns: 1_000 },
    );
  });

  it("sends traffic only to instances that were seen healthy", () => {
    fc.assert(
      fc.property(courses, outcomes, (course, script) => {
        play(course, script, (deployment, outside) => {
          if (deployment.phase.is === "rollback-failed") return;
          for (const target of targetsOf(deployment)
            .flat()
            .filter((each) => each.weight > 0)) {
            expect(
              outside.verified.get(target.revision) ?? 0,
              `${target.revision} in ${deployment.phase.is}`,
            ).toBeGreaterThanOrEqual(target.instances);
          }
        });
      }),
      { numRuns: 1_000 },
    );
  });

  it("has every instance of the release that is live running at the end, workers included", () => {
    fc.assert(
      fc.property(courses, outcomes, (course, script) => {
        let last: Outside | null = null;
        const ended = play(course, script, (_, outside) => {
          last = outside;
        });
        if (ended.phase.is === "rollback-failed" || last === null) return;
        const live = expectedRelease(ended);
        for (const rollout of course.rollouts) {
          const revision = live === course.release ? rollout.candidate : rollout.stable;
          const wanted = live === course.release ? rollout.candidateInstances : rollout.stableInstances;
          if (revision !== null && live !== null) expect((last as Outside).running.get(revision)).toBe(wanted);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it("moves a canary up by one step at a time, and only after it has passed or a person has said so", () => {
    fc.assert(
      fc.property(courses, outcomes, (course, script) => {
        fc.pre(course.canary !== undefined);
        const outside = new Outside(course);
        let deployment = begin(course);
        let allowed = true;
        for (let step = 0; step < script.length + 200; step += 1) {
          const effect = effectOf(deployment);
          if (effect === null) break;
          const event = eventOf(script[step] ?? "well", effect, deployment, outside);
          const { phase } = deployment;
          const next = decide(deployment, event, step).next;
          const atStep = phase.is === "watching" || phase.is === "waiting";
          if (atStep && event.is === "passed") allowed = course.canary?.steps[phase.stage]?.manual !== true;
          if (atStep && event.is === "asked" && event.to === "promote") allowed = true;
          if (phase.is === "waiting" && phase.for.is === "promotion" && event.is === "asked" && event.to === "resume")
            allowed = true;
          if (next.shifted !== deployment.shifted) {
            expect(next.shifted).toBe(deployment.shifted + 1);
            expect(allowed, `step ${next.shifted} was taken in ${phase.is} on ${event.is}`).toBe(true);
            allowed = false;
          }
          if (atStep && event.is === "unclear") {
            expect(["watching", "waiting"]).toContain(next.phase.is);
            expect(next.shifted).toBe(deployment.shifted);
          }
          deployment = next;
        }
        // Every step that had traffic is in the record, in order, with the weight it had.
        const told = (deployment.steps ?? []).map(({ weight }) => weight);
        const had = course.canary!.steps.map(({ weight }) => weight).slice(0, deployment.shifted);
        expect(told).toEqual(had);
      }),
      { numRuns: 2_000 },
    );
  });

  it("keeps stable whole in every step of a canary, so that going back is one change of weights", () => {
    fc.assert(
      fc.property(courses, outcomes, (course, script) => {
        fc.pre(course.canary !== undefined);
        const outside = new Outside(course);
        let deployment = begin(course);
        for (let step = 0; step < script.length + 200; step += 1) {
          const effect = effectOf(deployment);
          if (effect === null) break;
          const before = deployment;
          deployment = decide(before, eventOf(script[step] ?? "well", effect, before, outside), step).next;
          if (before.shifted === 0 || before.shifted >= course.stages.length) continue;
          const stopping = deployment.stopped ?? [];
          for (const rollout of course.rollouts)
            if (rollout.stable !== null && !stopping.includes(rollout.service))
              expect(outside.running.get(rollout.stable), rollout.service).toBe(rollout.stableInstances);
          if (deployment.phase.is === "restoring") expect(stopping).not.toEqual([]);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it("never runs both sides of a service that is stopped first, and says that stable was untouched only when it was", () => {
    fc.assert(
      fc.property(courses, outcomes, (course, script) => {
        const stopped = new Set<string>();
        // That the sides never meet is checked by the world itself, at every change.
        const outside = new Outside(course);
        let deployment = begin(course);
        let reason = "";
        for (let step = 0; step < script.length + 200; step += 1) {
          const effect = effectOf(deployment);
          if (effect === null) break;
          if (effect.do === "start") for (const service of effect.stopping) stopped.add(service);
          const decision = decide(deployment, eventOf(script[step] ?? "well", effect, deployment, outside), step);
          // Recorded before it is done: whoever takes over knows what may have been stopped.
          for (const service of stopped) expect(decision.next.stopped).toContain(service);
          deployment = decision.next;
          reason = decision.reason;
        }
        if (reason.includes("stable was never touched")) expect([...stopped]).toEqual([]);
        if (deployment.phase.is === "failed" && course.stable !== null && stopped.size === 0)
          expect(reason).toContain("stable was never touched");
      }),
      { numRuns: 2_000 },
    );
  });

  it("never removes what it could still have to go back to", () => {
    fc.assert(
      fc.property(courses, outcomes, (course, script) => {
        play(course, script, (deployment) => {
          const roles = rolesOf(deployment);
          for (const rollout of course.rollouts) {
            if (rollout.stable !== null) expect(["stable", "warm", "stopped"]).toContain(roles.get(rollout.stable));
          }
        });
      }),
      { numRuns: 500 },
    );
  });

  it("leaves what there was of a release before when its attempt is called off, and only then", () => {
    const ends = new Set<string>();
    fc.assert(
      fc.property(courses, outcomes, fc.boolean(), (course, script, isKept) => {
        play(isKept ? { ...course, kept: true } : course, script, (deployment) => {
          const { is } = deployment.phase;
          if (is !== "cancelled" && is !== "rolled-back") return;
          ends.add(`${is} ${isKept}`);
          const roles = rolesOf(deployment);
          for (const { candidate, kind } of course.rollouts) {
            if (candidate === null) continue;
            expect(roles.get(candidate)).toBe(is === "cancelled" && isKept && kind !== "job" ? "stopped" : "removed");
          }
        });
      }),
      { numRuns: 500 },
    );
    expect(ends.size).toBe(4);
  });

  it("does not succeed before its bake has passed", () => {
    fc.assert(
      fc.property(courses, outcomes, (course, script) => {
        const seen: string[] = [];
        const outside = new Outside(course);
        let deployment = begin(course);
        for (let step = 0; step < script.length + 200 && effectOf(deployment) !== null; step += 1) {
          const effect = effectOf(deployment);
          if (effect === null) break;
          const event = eventOf(script[step] ?? "well", effect, deployment, outside);
          if (event.is === "passed") seen.push("passed");
          deployment = decide(deployment, event, step).next;
        }
        if (deployment.phase.is === "succeeded" && course.bakeMs > 0) expect(seen).toContain("passed");
      }),
      { numRuns: 500 },
    );
  });

  it("stays as it ended, whatever comes later", () => {
    fc.assert(
      fc.property(courses, outcomes, (course, script) => {
        const ended = play(course, script, () => {});
        for (const event of lateEvents) expect(decide(ended, event, 9_999).next).toBe(ended);
      }),
      { numRuns: 300 },
    );
  });
});

const lateEvents: readonly DeploymentEvent[] = [
  { is: "healthy" },
  { is: "shifted", marks: { [revisionId("new-s0")]: noCounts } },
  { is: "failed", failure },
  { is: "asked", to: "cancel", by: "ada", why: "too late" },
];

/** The release an end leaves live. */
function expectedRelease({ course, phase, shifted }: Deployment): ReleaseId | null {
  if (phase.is === "succeeded") return course.release;
  return course.stable === null && shifted > 0 && phase.is === "failed" ? course.release : course.stable;
}

function isRoutedBy(rollout: Rollout, release: ReleaseId): boolean {
  return takesRequests(rollout, release === fresh ? "candidate" : "stable");
}
