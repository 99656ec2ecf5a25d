import { expect, it } from "vitest";
import { revisionId } from "../../core/ids.ts";
import type { Counted } from "../../core/judge/comparison.ts";
import { latencyBoundsMs } from "../../core/metric/latency.ts";
import { ServiceJudge, type Sides } from "./service-judge.ts";

const [candidate, stable] = [revisionId("rev_2"), revisionId("rev_1")];
const rules = {
  alpha: 0.01,
  errorRatio: { margin: 0.02, minimum: 10 },
  latency: { factor: 2, floorMs: 25, quantiles: [0.5, 0.95, 0.99], minimum: 50 },
  onAlone: 0.5,
};
const nothing: Counted = { counts: { requests: 0, errors: 0 }, latency: [...latencyBoundsMs, 0].map(() => 0) };

/** A canary whose sides answer ten requests a second each. */
function canary(warmUpMs: number) {
  const judge = new ServiceJudge(rules, { warmUpMs });
  const counted = new Map([
    [candidate, nothing],
    [stable, nothing],
  ]);
  let nowMs = 0;
  const answer = (side: typeof candidate, tookMs: number): void => {
    const { counts, latency } = counted.get(side) ?? nothing;
    const bucket = latencyBoundsMs.findIndex((bound) => tookMs <= bound);
    counted.set(side, {
      counts: { ...counts, requests: counts.requests + 10 },
      latency: latency.map((count, index) => count + (index === bucket ? 10 : 0)),
    });
  };
  const sides = { revision: candidate, mark: nothing.counts, stable, stableMark: nothing.counts };
  for (let second = 0; second < 60; second += 1) answer(stable, 20);
  return (seconds: number, step: Pick<Sides, "instances" | "stableServes">, tookMs: number): string | undefined => {
    let verdict: string | undefined;
    for (let second = 0; second < seconds && verdict !== "fail"; second += 1) {
      nowMs += 1_000;
      answer(candidate, tookMs);
      if (step.stableServes) answer(stable, 20);
      const seen = { counted: (id: typeof candidate) => counted.get(id) ?? nothing, countedBefore: () => nothing };
      verdict = judge.look({ ...sides, ...step }, seen, nowMs)?.is;
    }
    return verdict;
  };
}

it("instances that come with a later step have time to become warm as well, and what is slow after it is caught", () => {
  const first = { instances: 1, stableServes: true };
  const last = { instances: 2, stableServes: false };
  const go = canary(30_000);
  expect([go(29, first, 300), go(60, first, 20), go(29, last, 300), go(60, last, 20)]).not.toContain("fail");
  expect(go(60, last, 300)).toBe("fail");
});

it("a step that brings none has no more time: what is slow then is caught at once", () => {
  const go = canary(30_000);
  expect(go(90, { instances: 1, stableServes: true }, 20)).toBe("pass");
  expect(go(20, { instances: 1, stableServes: true }, 300)).toBe("fail");
});
