import type { LoadVerdict } from "../pipeline/load.ts";
import type { GateReading } from "./reading.ts";

/** A load test of the environment before, as it came out last with this release; null: it has not run with it. */
export type LoadTest = { readonly step: string; readonly result: LoadVerdict | null };

/** Have all load tests of the environment before passed with this release? */
export function readLoadTests(environment: string | null, tests: readonly LoadTest[]): GateReading {
  const shut = (says: string): GateReading => ({ gate: "load test", open: false, says, opensAt: null });
  if (environment === null) return shut("its config names no environment in which it could be tested: set promoteFrom");
  if (tests.length === 0) return shut(`its config has no load test for ${environment}`);
  const missing = tests.flatMap(({ step, result }) => {
    if (result === null) return [`${step} has not run in ${environment} with it`];
    return result.passed ? [] : [`${step} has failed in ${environment}: ${result.says}`];
  });
  if (missing.length > 0) return shut(`${missing.join("; ")}; run: slipway load-test ${environment}`);
  const said = tests.map(({ step, result }) => `${step} has passed in ${environment}: ${result?.says}`);
  return { gate: "load test", open: true, says: said.join("; "), opensAt: null };
}
