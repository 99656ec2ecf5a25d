import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { environmentName } from "../ids.ts";
import type { Measured } from "../metric/measured.ts";
import { validateProduct } from "../product/validate.ts";
import { type BudgetLook, freshMs, readBudget } from "./budget.ts";

const spec = { objective: 0.999, overMs: 28 * 86_400_000, service: null, environment: null };
const look = (measured: Measured, more: Partial<BudgetLook> = {}): readonly BudgetLook[] => [
  { spec, environment: environmentName("production"), measured, at: 1_000, ...more },
];
const at = { askedAt: 500, now: 1_000, override: null };
const of = (value: number, count: number): Measured => ({ is: "known", value, count, covered: 1, from: 0, to: 1_000 });

describe("the gate of an error budget", () => {
  it("says how much is spent and of what, and is shut when nothing is left", () => {
    expect(readBudget(spec, look(of(0.0004, 50_000)), at)).toEqual({
      gate: "budget",
      open: true,
      says: "40% of the error budget of production (99.9% over 28d) is spent: 0.04% of 50000 requests failed",
      opensAt: null,
    });
    const api = { ...spec, service: "api" };
    expect(readBudget(api, look(of(0.002, 50_000), { spec: api }), at)).toMatchObject({
      open: false,
      says: "200% of the error budget of api in production (99.9% over 28d) is spent: 0.2% of 50000 requests failed",
    });
  });

  it("is held up neither by nobody nor by a handful, and opens on no look that is missing, old or of another budget", () => {
    expect(readBudget(spec, look({ is: "unknown", why: "nobody came" }), at)).toMatchObject({
      open: true,
      says: "nothing is known to be spent of the error budget of production (99.9% over 28d): nobody came",
    });
    expect(readBudget(spec, look(of(0.5, 2)), at)).toMatchObject({ open: true });
    expect(readBudget(spec, [], at).open).toBe(false);
    expect(readBudget(spec, look(of(0, 500)), { ...at, now: 1_001 + freshMs }).open).toBe(false);
    expect(readBudget(spec, look(of(0, 500)), { askedAt: 1_001, now: 1_002, override: null }).open).toBe(false);
    expect(readBudget({ ...spec, objective: 0.99 }, look(of(0, 500)), at).open).toBe(false);
  });

  it("is passed by with a name and a reason when it is known to be spent, and not before", () => {
    const override = { by: "ada", reason: "it has the fix" };
    const passed = readBudget(spec, look(of(0.002, 50_000)), { ...at, override });
    expect([passed.open, passed.says]).toEqual([
      true,
      expect.stringMatching(/is spent: .*; passed by ada: it has the fix$/),
    ]);
    expect(readBudget(spec, [], { ...at, override }).open).toBe(false);
  });

  it("is open exactly while fewer fail than may", () => {
    const ratio = fc.double({ min: 0, max: 1, noNaN: true });
    const objective = fc.double({ min: 0.5, max: 0.9999, noNaN: true });
    fc.assert(
      fc.property(ratio, objective, fc.integer({ min: 100, max: 1_000_000 }), (value, wanted, count) => {
        const asked = { ...spec, objective: wanted };
        const { open } = readBudget(asked, look(of(value, count), { spec: asked }), at);
        expect(open).toBe(value / (1 - wanted) < 1);
      }),
    );
  });

  it("is of what the config has, or says what it has", () => {
    const validate = (budget: object) =>
      validateProduct({
        name: "shop",
        services: { api: { kind: "worker", command: ["x"] } },
        environments: { staging: {}, production: { promoteFrom: "staging", gates: { budget } } },
      }).problems.map(({ path, message }) => `${path.replace("environments.production.gates.budget", "")}: ${message}`);
    expect(validate({ objective: "99.9%", service: "api", in: "staging" })).toEqual([]);
    expect(validate({ objective: "99.9%", service: "apl", in: "stagin" })).toEqual([
      '.in: there is no environment "stagin"; did you mean "staging"?',
      '.service: there is no service "apl"; did you mean "api"?',
    ]);
    expect(validate({ objective: "100%" })).toEqual([
      '.objective: "100%" is no objective; use at least 50% and less than 100%, such as 99.9%',
    ]);
  });
});
