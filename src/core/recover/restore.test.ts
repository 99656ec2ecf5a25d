import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Deployment } from "../deploy/deployment.ts";
import { serviceName } from "../ids.ts";
import { type Restored, restoreOf, restoreText } from "./restore.ts";

const services = [
  { name: serviceName("web"), kind: "web" as const },
  { name: serviceName("api"), kind: "web" as const, restore: { tier: "backend" as const } },
  { name: serviceName("orders"), kind: "worker" as const, restore: { tier: "database" as const } },
  { name: serviceName("fast"), kind: "worker" as const, restore: { withinMs: 1_000 } },
  { name: serviceName("migrate"), kind: "job" as const },
];

function seen(is: string, times: Partial<Deployment>, more: Partial<Restored> = {}): Restored {
  const deployment = { phase: { is }, detectedAt: null, restoredAt: null, liveAt: null, ...times } as Deployment;
  return { kind: "deploy", createdBy: "ada", createdAt: 0, deployment, ...more };
}

describe("the time to restore", () => {
  it("is held against the budget of each service's tier, or its own; jobs have none", () => {
    const restore = restoreOf(seen("rolled-back", { detectedAt: 1_000, restoredAt: 2_420 }), services);
    expect(restore).toEqual({
      tookMs: 1_420,
      services: [
        { service: "web", tier: "frontend", withinMs: 120_000, met: true },
        { service: "api", tier: "backend", withinMs: 300_000, met: true },
        { service: "orders", tier: "database", withinMs: 900_000, met: true },
        { service: "fast", tier: "backend", withinMs: 1_000, met: false },
      ],
    });
    if (restore === null) return;
    expect(restoreText({ ...restore, services: restore.services.slice(2) })).toBe(
      "back in 1s420ms: orders (database) within 15m, met; fast (backend) within 1s, missed",
    );
  });

  it("is met for as long as the budget is, to the millisecond, and never for what was not restored", () => {
    fc.assert(
      fc.property(fc.nat(1_000_000), fc.nat(1_000_000), (from, took) => {
        const restore = restoreOf(seen("rolled-back", { detectedAt: from, restoredAt: from + took }), services);
        for (const { withinMs, met } of restore?.services ?? []) expect(met).toBe(took <= withinMs);
      }),
    );
    const failed = restoreOf(seen("rollback-failed", { detectedAt: 1 }), services);
    expect([failed?.tookMs, failed?.services.some(({ met }) => met)]).toEqual([null, false]);
  });

  it("is not measured where a person went back, where nothing had to be restored, and before it is over", () => {
    for (const none of [
      seen("cancelled", { detectedAt: 1, restoredAt: 2 }),
      seen("failed", { detectedAt: 1 }),
      seen("unshifting", { detectedAt: 1 }),
      seen("succeeded", { liveAt: 5 }),
      seen("succeeded", { liveAt: 5 }, { kind: "rollback" }),
      seen("shifting", {}, { kind: "rollback", createdBy: "rule errors" }),
    ])
      expect(restoreOf(none, services)).toBeNull();
  });

  it("of a rollback that a rule began counts from the rule", () => {
    const byRule = { kind: "rollback", createdBy: "rule errors", createdAt: 100 } as const;
    expect(restoreOf(seen("baking", { liveAt: 700 }, byRule), services)?.tookMs).toBe(600);
    expect(restoreOf(seen("failed", {}, byRule), services)?.tookMs).toBeNull();
  });
});
