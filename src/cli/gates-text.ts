import type { DeploymentView } from "../api/contract.ts";
import { SlipwayError } from "../core/errors/error.ts";
import type { GateReading } from "../core/gates/reading.ts";
import { sign, style, table } from "./terminal/style.ts";

type Gated = Pick<DeploymentView, "id" | "environment" | "gates" | "canary">;

/** One line a gate: open or not, and on what that rests; then what a person may type. */
export function gateLines({ id, gates }: Pick<Gated, "id" | "gates">): string[] {
  if (gates === null) return [];
  const ways = [`yes: slipway approve ${id}`, `no: slipway reject ${id}`, `call it off: slipway cancel ${id}`];
  const waits = waitsForPerson(gates)
    ? [`  ${style.warn(`${sign.warn} waits for people`)}  ${ways.join("  ·  ")}`]
    : [];
  return [...readingLines(gates), ...waits];
}

export function readingLines(gates: readonly GateReading[]): string[] {
  return table(
    gates.map(({ gate, open, says }) => [
      `  ${open ? style.good(sign.done) : style.warn(sign.waiting)} ${gate}`,
      open ? style.quiet(says) : says,
    ]),
  );
}

function waitsForPerson(gates: readonly GateReading[]): boolean {
  return gates.some(({ gate, open }) => gate === "approval" && !open);
}

/** What opens by itself, and when. */
const byItself = [
  ["baked", "WAITS_TO_BAKE", "its release has lived long enough"],
  ["load test", "WAITS_FOR_LOAD_TEST", "its load tests have passed"],
  ["checks", "WAITS_FOR_CHECKS", "its checks have succeeded at the forge"],
  ["budget", "WAITS_FOR_BUDGET", "something of the error budget is left again"],
  ["condition", "WAITS_FOR_CONDITION", "what must hold there holds"],
] as const;

/**
 * Nobody is there to answer a script's question, or to wait for Monday. Errors: WAITS_FOR_APPROVAL, ENVIRONMENT_FROZEN, WAITS_TO_BAKE,
 * WAITS_FOR_LOAD_TEST, WAITS_FOR_CHECKS, WAITS_FOR_BUDGET, WAITS_FOR_CONDITION.
 */
export function mustNotWaitAtGates({ id, environment, gates, canary }: Gated): void {
  if (gates === null) return;
  const isStep = canary?.waits?.for === "gates";
  const shut = gates.filter(({ gate, open }) => !open && (gate === "window" || gate === "freeze"));
  if (!waitsForPerson(gates) && shut.length > 0) {
    throw new SlipwayError("ENVIRONMENT_FROZEN", {
      message: `${id} waits, and ${isStep ? "takes its next step" : "begins"} by itself when ${environment} opens`,
      evidence: shut.map(({ gate, says }) => [gate, says]),
      hint: isStep
        ? `back: slipway cancel ${id}`
        : `call it off: slipway cancel ${id}; or do not wait: deploy again with --override-window --reason "..."`,
    });
  }
  for (const [name, code, when] of byItself) {
    const waits = gates.filter(({ gate, open }) => !open && gate === name);
    if (waitsForPerson(gates) || waits.length === 0) continue;
    throw new SlipwayError(code, {
      message: `${id} waits, and ${isStep ? "takes its next step" : "begins"} in ${environment} by itself when ${when}`,
      evidence: waits.map(({ gate, says }) => [gate, says]),
      hint: `call it off: slipway cancel ${id}`,
    });
  }
  if (!waitsForPerson(gates)) return;
  throw new SlipwayError("WAITS_FOR_APPROVAL", {
    message: isStep
      ? `${id} waits in ${environment} for its next step to be approved`
      : `${id} waits to be approved in ${environment}`,
    evidence: gates.filter(({ open }) => !open).map(({ gate, says }) => [gate, says]),
    hint: `yes: slipway approve ${id}; or no: slipway reject ${id}`,
  });
}
