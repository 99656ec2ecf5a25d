import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { revisionId, serviceName } from "../ids.ts";
import { allTraffic, type Rollout } from "./deployment.ts";
import { rollbackStages, stages } from "./stages.ts";

const rollout = (service: string, counts: { candidate: number; stable: number }, routed = true): Rollout => ({
  service: serviceName(service),
  kind: routed ? "web" : "worker",
  candidate: counts.candidate === 0 ? null : revisionId(`new-${service}`),
  candidateInstances: counts.candidate,
  stable: counts.stable === 0 ? null : revisionId(`old-${service}`),
  stableInstances: counts.stable,
  routed,
});
const web = (candidate: number, stable: number) => rollout("web", { candidate, stable });
const worker = (candidate: number, stable: number) => rollout("worker", { candidate, stable }, false);
const rolling = (batch: number | { instances: number }) => ({ strategy: "rolling" as const, batch });
const blueGreen = { strategy: "blue-green" as const, batch: 0.25 };

describe("blue-green", () => {
  it("is one step in which what takes requests stays whole, and what does not is replaced", () => {
    expect(stages([web(3, 2), worker(1, 1)], blueGreen)).toEqual([
      {
        web: { candidate: 3, stable: 2, weight: allTraffic },
        worker: { candidate: 1, stable: 0, weight: allTraffic },
      },
    ]);
  });
});

describe("a service that others of its release ask by name", () => {
  const api: Rollout = { ...rollout("api", { candidate: 2, stable: 1 }, false), kind: "web", behind: true };

  it("stays as long as who asks it, comes before it has a share of the requests, and is back when it is", () => {
    expect(stages([web(2, 2), api], blueGreen)[0]).toMatchObject({ api: { candidate: 2, stable: 1 } });
    const canary = { steps: [{ weight: 0.1, bakeMs: 0, manual: false }], instances: "share" as const, limitMs: 0 };
    const [first] = stages([web(2, 2), api], { ...blueGreen, strategy: "canary", canary: canary as never });
    expect(first).toMatchObject({ web: { candidate: 1, stable: 2 }, api: { candidate: 2, stable: 1 } });
    expect(rollbackStages([web(2, 2), api])[0]).toMatchObject({ api: { candidate: 2, stable: 1 } });
  });
});

describe("rolling", () => {
  it("replaces batch by batch; the weight follows the instances", () => {
    expect(stages([web(4, 4)], rolling(0.25)).map((stage) => stage[serviceName("web")])).toEqual([
      { candidate: 1, stable: 3, weight: 2_500 },
      { candidate: 2, stable: 2, weight: 5_000 },
      { candidate: 3, stable: 1, weight: 7_500 },
      { candidate: 4, stable: 0, weight: 10_000 },
    ]);
  });

  it("replaces so many instances at a time, and the rest in the end", () => {
    expect(stages([web(5, 5)], rolling({ instances: 2 })).map((stage) => stage[serviceName("web")])).toEqual([
      { candidate: 2, stable: 3, weight: 4_000 },
      { candidate: 4, stable: 1, weight: 8_000 },
      { candidate: 5, stable: 0, weight: 10_000 },
    ]);
    expect(stages([web(2, 2)], rolling({ instances: 7 }))).toHaveLength(1);
  });

  it("replaces at least one instance at a time, and one instance in one step", () => {
    expect(stages([web(3, 3)], rolling(0.01))).toHaveLength(3);
    expect(stages([web(1, 1)], rolling(0.01))).toEqual([{ web: { candidate: 1, stable: 0, weight: allTraffic } }]);
  });

  it("grows and shrinks a service on the way", () => {
    expect(stages([web(2, 5)], rolling(0.5)).map((stage) => stage[serviceName("web")])).toEqual([
      { candidate: 1, stable: 3, weight: 5_000 },
      { candidate: 2, stable: 0, weight: 10_000 },
    ]);
  });

  it("keeps a service that the release drops until the last step", () => {
    expect(
      stages([web(2, 2), worker(0, 3)], rolling(0.5)).map((stage) => stage[serviceName("worker")]?.stable),
    ).toEqual([3, 0]);
  });

  it("is one step where nothing is live: there is nothing to replace", () => {
    expect(stages([web(4, 0)], rolling(0.25))).toEqual([{ web: { candidate: 4, stable: 0, weight: allTraffic } }]);
  });
});

describe("a canary", () => {
  const canary = (weights: number[], instances: "share" | "all" = "share") => ({
    strategy: "canary" as const,
    batch: 0.25,
    canary: {
      steps: weights.map((weight) => ({ weight, bakeMs: 1, promotion: "automatic" as const })),
      minimum: 1,
      limitMs: 1,
      instances,
      synthetic: null,
    },
  });
  const of = (steps: ReturnType<typeof stages>, service: string) => steps.map((step) => step[serviceName(service)]);

  it("has a step for each weight and one to all traffic, with the instances that its share needs; stable stays whole", () => {
    expect(of(stages([web(4, 3)], canary([0.01, 0.07, 0.5])), "web")).toEqual([
      { candidate: 1, stable: 3, weight: 100 },
      { candidate: 1, stable: 3, weight: 700 },
      { candidate: 2, stable: 3, weight: 5_000 },
      { candidate: 4, stable: 3, weight: allTraffic },
    ]);
    expect(of(stages([web(4, 3)], canary([0.01], "all")), "web")[0]).toEqual({ candidate: 4, stable: 3, weight: 100 });
  });

  it("lets what cannot be shared by weight change over with the last step: workers, dropped ones, those stopped first", () => {
    const lone: Rollout = { ...rollout("store", { candidate: 1, stable: 1 }), stopFirst: "volumes" };
    const steps = stages([web(2, 2), worker(2, 2), rollout("old", { candidate: 0, stable: 1 }), lone], canary([0.1]));
    expect(of(steps, "worker")).toEqual([
      { candidate: 0, stable: 2, weight: 0 },
      { candidate: 2, stable: 0, weight: allTraffic },
    ]);
    expect(of(steps, "store")).toEqual([
      { candidate: 0, stable: 1, weight: 0 },
      { candidate: 1, stable: 0, weight: allTraffic },
    ]);
    expect(of(steps, "old").map((share) => share?.stable)).toEqual([1, 1]);
  });

  it("brings what replaces nothing with the first step: others of the release may need it", () => {
    const steps = stages([web(2, 2), rollout("fresh", { candidate: 3, stable: 0 })], canary([0.1]));
    expect(of(steps, "fresh")[0]).toEqual({ candidate: 3, stable: 0, weight: allTraffic });
  });

  it("is one switch where nothing is live, or nothing has two sides that could share", () => {
    expect(stages([web(2, 0)], canary([0.1]))).toHaveLength(1);
    expect(stages([worker(2, 2)], canary([0.1]))).toHaveLength(1);
  });
});

describe("going back", () => {
  it("takes all traffic in its first step, and what takes no requests in a second", () => {
    expect(rollbackStages([web(2, 2), worker(1, 1)])).toEqual([
      { web: { candidate: 2, stable: 2, weight: allTraffic }, worker: { candidate: 0, stable: 1, weight: allTraffic } },
      { web: { candidate: 2, stable: 2, weight: allTraffic }, worker: { candidate: 1, stable: 0, weight: allTraffic } },
    ]);
    expect(rollbackStages([web(2, 2)])).toHaveLength(1);
  });
});

describe("what is stopped first", () => {
  const lone = (each: Rollout): Rollout => ({ ...each, stopFirst: "volumes" });
  const shares = (steps: ReturnType<typeof stages>, service: string) => steps.map((step) => step[serviceName(service)]);

  it("changes over as a whole in the first step, whatever the strategy, and makes no steps of its own", () => {
    const whole = { candidate: 3, stable: 0, weight: allTraffic };
    expect(shares(stages([lone(web(3, 2))], blueGreen), "web")).toEqual([whole]);
    expect(shares(stages([lone(web(3, 2)), worker(1, 1)], rolling(0.1)), "web")).toEqual([whole]);
    expect(shares(stages([lone(web(3, 2)), worker(2, 2)], rolling(0.5)), "web")).toEqual([whole, whole]);
  });

  it("on the way back waits for the traffic of the others when it takes no requests", () => {
    expect(shares(rollbackStages([web(2, 2), lone(worker(1, 1))]), "worker")).toEqual([
      { candidate: 0, stable: 1, weight: allTraffic },
      { candidate: 1, stable: 0, weight: allTraffic },
    ]);
    expect(shares(rollbackStages([lone(web(2, 2))]), "web")).toEqual([{ candidate: 2, stable: 0, weight: allTraffic }]);
  });
});

const rollouts = fc.array(
  fc
    .record({ candidate: fc.nat({ max: 12 }), stable: fc.nat({ max: 12 }), routed: fc.boolean() })
    .filter(({ candidate, stable }) => candidate + stable > 0),
  { minLength: 1, maxLength: 4 },
);

const batches = fc.oneof(
  fc.double({ min: 0.01, max: 1, noNaN: true }),
  fc.record({ instances: fc.integer({ min: 1, max: 12 }) }),
);

describe("whatever is deployed, the steps", () => {
  it("only rise for the candidate, only fall for stable, and end with all of one and none of the other", () => {
    fc.assert(
      fc.property(rollouts, batches, (parts, batch) => {
        const all = parts.map(({ routed, ...counts }, index) => rollout(`s${index}`, counts, routed));
        const steps = stages(all, rolling(batch));
        for (const each of all) {
          const shares = steps.map((step) => step[each.service]!);
          const sorted = (values: number[]) => [...values].sort((a, b) => a - b);
          expect(shares.map((share) => share.candidate)).toEqual(sorted(shares.map((share) => share.candidate)));
          expect(shares.map((share) => share.weight)).toEqual(sorted(shares.map((share) => share.weight)));
          expect(shares.map((share) => -share.stable)).toEqual(sorted(shares.map((share) => -share.stable)));
          expect(shares.at(-1)?.candidate).toBe(each.candidateInstances);
          expect(shares.at(-1)?.weight).toBe(allTraffic);
          if (all.some((other) => other.stable !== null)) expect(shares.at(-1)?.stable).toBe(0);
        }
      }),
    );
  });

  it("never give a side traffic without an instance to take it", () => {
    fc.assert(
      fc.property(rollouts, batches, (parts, batch) => {
        const all = parts.map(({ routed, ...counts }, index) => rollout(`s${index}`, counts, routed));
        for (const step of stages(all, rolling(batch))) {
          for (const each of all) {
            const share = step[each.service]!;
            if (each.candidate !== null && share.weight > 0) expect(share.candidate).toBeGreaterThan(0);
            if (each.stable !== null && share.weight < allTraffic) expect(share.stable).toBeGreaterThan(0);
          }
        }
      }),
    );
  });
});
