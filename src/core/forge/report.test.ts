import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { type DeploymentId, environmentName, type RunId } from "../ids.ts";
import { commentBody, markerOf } from "./comment.ts";
import { type Reported, reportOf, stateOf } from "./report.ts";
import { nextTry, worthMs } from "./retry.ts";

const pageOf = (id: string): string => `https://s.example/pages/${id}`;

const run = (more: Partial<Reported> = {}): Reported => ({
  id: "run_1" as RunId,
  product: "shop",
  commit: "a".repeat(40),
  environment: null,
  phase: "checking",
  reason: "unit runs",
  createdAt: 1,
  startedAt: 1,
  endedAt: null,
  ...more,
});

test("what a forge is told of a phase never says more than is known", () => {
  const states = ["queued", "gated", "starting", "baking", "held", "restoring", "succeeded", "failed", "rolled-back"];
  expect(states.map((phase) => stateOf({ phase }))).toEqual([
    "waiting",
    "waiting",
    "running",
    "running",
    "running",
    "running",
    "succeeded",
    "failed",
    "failed",
  ]);
  expect(stateOf({ phase: "cancelled" })).toBe("cancelled");
});

test("a report is one line that fits, with the address of what it is about", () => {
  const deployment = { id: "dep_1" as DeploymentId, environment: environmentName("production"), phase: "baking" };
  expect(reportOf(run({ ...deployment, reason: "two\nlines" }), pageOf)).toEqual({
    commit: "a".repeat(40),
    context: "slipway/shop/production",
    state: "running",
    description: "production: baking: two lines",
    url: "https://s.example/pages/dep_1",
  });
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", maxLength: 300 }), (reason) => {
      const { description, url } = reportOf(run({ reason: `${reason}\n${reason}` }), () => null);
      expect([...description].length).toBeLessThanOrEqual(140);
      expect(description).not.toMatch(/[\n\r]/);
      expect(url).toBeNull();
    }),
  );
});

describe("the comment", () => {
  it("has the newest of each environment and the newest run, and begins with its marker", () => {
    const at = (environment: string, id: string, createdAt: number, phase: string): Reported =>
      run({ environment: environmentName(environment), id: id as DeploymentId, createdAt, phase, reason: phase });
    const all = [
      run(),
      { ...at("staging", "dep_1", 2, "succeeded"), place: "https://staging.example/" },
      at("production", "dep_3", 4, "gated"),
      at("production", "dep_2", 3, "failed"),
    ];
    const body = commentBody({ product: "shop", forge: "github", all, pageOf });
    expect(body.split("\n")).toEqual([
      markerOf("shop", "github"),
      "",
      "**shop**",
      "",
      "| | | commit | |",
      "|---|---|---|---|",
      "| [run](https://s.example/pages/run_1) | 🚀 checking | `aaaaaaa` | unit runs |",
      "| [production](https://s.example/pages/dep_3) | ⏳ gated | `aaaaaaa` | gated |",
      "| [staging](https://s.example/pages/dep_1) | ✅ succeeded | `aaaaaaa` | <https://staging.example/> succeeded |",
    ]);
  });

  it("takes no text from elsewhere for its own: no cell, no tag, no mention, no second line", () => {
    const reason = "a | b\n<img src=x> @ada `code` [x](https://evil.example)";
    const body = commentBody({ product: "shop", forge: "bitbucket", all: [run({ reason })], pageOf: () => null });
    const row = body.split("\n").at(-1) ?? "";
    expect(body.split("\n")).toHaveLength(7);
    expect(row.replaceAll("\\|", "").split("|")).toHaveLength(6);
    expect(row).not.toContain("<img");
    expect(row).not.toContain("@ada");
    expect(row).not.toMatch(/[^\\]\]\(/);
    expect(row).not.toContain("https://");
  });
});

test("what failed is tried again later and later, never sooner than the forge says, and not for ever", () => {
  const is = fc.constantFrom("away", "refused") as fc.Arbitrary<"away" | "refused">;
  const failures = fc.integer({ min: 1, max: 50 });
  fc.assert(
    fc.property(is, failures, fc.option(fc.integer({ min: 0, max: 7_200_000 })), (what, count, retryAfterMs) => {
      const at = nextTry({ is: what, retryAfterMs }, { failures: count, since: 0, now: 1_000 });
      expect(at).toBeGreaterThanOrEqual(1_000 + Math.max(2_000, retryAfterMs ?? 0));
      expect(at).toBeLessThanOrEqual(1_000 + 2 * 60 * 60_000);
    }),
  );
  expect(nextTry({ is: "away", retryAfterMs: null }, { failures: 3, since: 0, now: worthMs })).toBeNull();
  expect(nextTry({ is: "wrong", retryAfterMs: null }, { failures: 1, since: 0, now: 0 })).toBeNull();
});
