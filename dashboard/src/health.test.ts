import { expect, it } from "vitest";
import type { EnvironmentView, InstanceView } from "../../src/api/contract.ts";
import { healthOf } from "./health.ts";

function environmentWith(healthy: readonly (boolean | null)[], firing: EnvironmentView["firing"] = []) {
  const instances = healthy.map((each): InstanceView => {
    const at = { id: "rev_web.0", host: null, state: "running", address: null, lastSeen: null, restarts: 0 };
    return { ...at, healthy: each, cpu: null, memoryBytes: null };
  });
  const revisions = [{ role: "stable", number: 3, instances }];
  const services = [{ service: "web", limits: null, revisions }];
  const view = { live: { number: 3 }, services, accessories: [], away: [], certificates: [], firing };
  return healthOf(view as unknown as EnvironmentView);
}

it("what runs and is not healthy, and what a rule says, is not called healthy; what is not known is not held against it", () => {
  expect(environmentWith([true, null])).toMatchObject({ word: "healthy", why: [] });
  expect(environmentWith([true, false, null])).toMatchObject({
    word: "needs a look",
    why: ["1 of 3 instances of web r3 are unhealthy"],
  });
  expect(environmentWith([false, false])).toMatchObject({
    word: "not healthy",
    why: ["no instance of web is healthy"],
  });
  expect(environmentWith([true], [{ rule: "slow", says: "latency p95 is 900 ms" }])).toMatchObject({
    word: "needs a look",
    why: ["rule slow: latency p95 is 900 ms"],
  });
});
