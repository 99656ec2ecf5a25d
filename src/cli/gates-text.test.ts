import { expect, it } from "vitest";
import { isSlipwayError } from "../core/errors/error.ts";
import type { GateReading } from "../core/gates/reading.ts";
import { deploymentId, environmentName } from "../core/ids.ts";
import { gateLines, mustNotWaitAtGates } from "./gates-text.ts";

const at = (...gates: readonly GateReading[]) => ({
  id: deploymentId("dep_1"),
  environment: environmentName("production"),
  gates,
  canary: null,
});
const gate = (name: GateReading["gate"], open: boolean, says = name as string): GateReading => {
  return { gate: name, open, says, opensAt: null };
};

/** What a script that deploys gets: code, exit code, and what it rests on. */
function ending(...gates: readonly GateReading[]): unknown {
  try {
    mustNotWaitAtGates(at(...gates));
    return null;
  } catch (error) {
    return isSlipwayError(error) ? [error.code, error.exitCode, error.evidence] : error;
  }
}

it("a script does not wait for people, nor for a window or a bake; it does for a turn, a lock or a short wait", () => {
  const asked = gate("approval", false, "waits for 1 approval from ops");
  const shut = gate("window", false, "opens on Monday");
  expect(ending(asked, shut)).toEqual([
    "WAITS_FOR_APPROVAL",
    5,
    [
      ["approval", asked.says],
      ["window", shut.says],
    ],
  ]);
  expect(ending(gate("approval", true), shut)).toEqual(["ENVIRONMENT_FROZEN", 6, [["window", shut.says]]]);
  expect(ending(gate("freeze", false))).toEqual(["ENVIRONMENT_FROZEN", 6, [["freeze", "freeze"]]]);
  expect(ending(gate("baked", false))).toEqual(["WAITS_TO_BAKE", 5, [["baked", "baked"]]]);
  expect(ending(gate("load test", false))).toEqual(["WAITS_FOR_LOAD_TEST", 5, [["load test", "load test"]]]);
  expect([ending(gate("turn", false)), ending(gate("lock", false)), ending(gate("wait", false))]).toEqual([
    null,
    null,
    null,
  ]);
  expect(() => mustNotWaitAtGates({ ...at(), gates: null, canary: null })).not.toThrow();
});

it("people are told what they may type only where they are waited for", () => {
  expect(gateLines(at(gate("approval", false, "waits for ops"))).join("\n")).toContain("slipway approve dep_1");
  expect(gateLines(at(gate("approval", true), gate("window", false, "opens on Monday"))).join("\n")).not.toContain(
    "approve dep_1",
  );
  expect(gateLines({ ...at(), gates: null })).toEqual([]);
});
