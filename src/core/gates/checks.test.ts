import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ChecksSeen, type CommitCheck, nothingSeen } from "../forge/check.ts";
import { releaseId } from "../ids.ts";
import { freshMs, readChecks } from "./checks.ts";
import { decideGates, type GateInput } from "./decide.ts";

const spec = { names: ["build", "lint"], expiresMs: 10_000 };
const check = (name: string, state: CommitCheck["state"]): CommitCheck => ({ name, state, says: state });
const seen = (...all: CommitCheck[]): ChecksSeen => ({ at: 1_000, all, trouble: null });
const input = (checks: ChecksSeen): GateInput => ({
  asked: { at: 0, authors: [], live: null, release: releaseId("rel_new") },
  policies: [{ gates: { approval: null, windows: [], freezes: [], waitMs: 0, bakedMs: 0, checks: spec }, of: "r2" }],
  approvals: [],
  override: null,
  before: null,
  loadTests: [],
  budgets: [],
  conditions: [],
  overrideBudget: null,
  checks,
  locked: null,
  ahead: [],
});

describe("checks at the forge", () => {
  it("are open when all have succeeded, and say which have not", () => {
    const both = seen(check("build", "succeeded"), check("lint", "succeeded"), check("other", "failed"));
    expect(decideGates(input(both), 1_000)).toMatchObject({ is: "open", reason: "build, lint succeeded" });
    expect(decideGates(input(seen(check("build", "pending"))), 1_000)).toMatchObject({
      is: "waits",
      reason: "waits for build (pending), lint (not there yet)",
      lookAt: 10_000,
    });
  });

  it("end the deployment when one has failed, and when they have not succeeded in time", () => {
    const failed = seen(check("build", "failed"), check("lint", "pending"));
    expect(decideGates(input(failed), 1_000)).toMatchObject({
      is: "over",
      code: "CHECKS_FAILED",
      reason: "failed at the forge: build (failed)",
    });
    expect(decideGates(input(nothingSeen), 10_000)).toMatchObject({
      is: "over",
      code: "CHECKS_EXPIRED",
      reason: "its checks have not succeeded within 10s: the forge has not said yet how build, lint are",
    });
  });

  it("a status and a check of one name must both succeed", () => {
    const two = seen(check("build", "succeeded"), check("lint", "succeeded"), check("lint", "pending"));
    expect(readChecks(spec, two, 1_000)).toMatchObject({ open: false, says: "waits for lint (pending)" });
  });

  it("are never open by what the forge has not said, or said too long ago", () => {
    const states = fc.constantFrom("pending", "succeeded", "failed") as fc.Arbitrary<CommitCheck["state"]>;
    const names = fc.constantFrom("build", "lint", "other");
    const all = fc.array(fc.record({ name: names, state: states, says: fc.constant("x") }));
    fc.assert(
      fc.property(all, fc.integer({ min: 0, max: 2 * freshMs }), (checks, age) => {
        const { open } = readChecks(spec, { at: 1_000, all: checks, trouble: null }, 1_000 + age);
        const good = (name: string) => {
          const same = checks.filter((one) => one.name === name);
          return same.length > 0 && same.every(({ state }) => state === "succeeded");
        };
        expect(open).toBe(age <= freshMs && good("build") && good("lint"));
      }),
    );
    const away = {
      at: 1_000,
      all: [check("build", "succeeded"), check("lint", "succeeded")],
      trouble: "github answered 503",
    };
    const late = readChecks(spec, away, 1_000 + freshMs + 1_000);
    expect(late.says).toBe("the forge has said nothing of build, lint for 2m1s: github answered 503");
  });
});
