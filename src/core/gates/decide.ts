import type { ErrorCode } from "../errors/catalogue.ts";
import type { ChecksSeen } from "../forge/check.ts";
import type { EpochMs, ReleaseId } from "../ids.ts";
import type { GatesSpec } from "../product/gates-spec.ts";
import { formatDuration } from "../product/units.ts";
import type { Standing } from "../release/standing.ts";
import { type Approval, type Asked, expiresAt, readApprovals } from "./approval.ts";
import { type BudgetLook, readBudget } from "./budget.ts";
import { failedChecks, readChecks } from "./checks.ts";
import { type EnvironmentCondition, readEnvironmentCondition } from "./condition.ts";
import type { Life } from "./life.ts";
import { type LoadTest, readLoadTests } from "./load-test.ts";
import { passedBy } from "./override.ts";
import type { GateReading } from "./reading.ts";
import { readBaked, readWait } from "./time.ts";
import { readCalendar } from "./window.ts";

/** The gates of one release: of the one that is asked for, or of the one that is live. */
export type Policy = { readonly gates: GatesSpec; readonly of: string };

/** Everything that the gates of one deployment look at. */
export type GateInput = {
  readonly asked: Asked & { readonly release: ReleaseId };
  /** All must be satisfied. */
  readonly policies: readonly Policy[];
  readonly approvals: readonly Approval[];
  /** Why windows and freezes are passed by, and by whom; null: they hold. */
  readonly override: { readonly by: string; readonly reason: string } | null;
  /** How the release stands, and has been, in the environment that it must be promoted from; null where there is none. */
  readonly before: { readonly environment: string; readonly standing: Standing; readonly life: Life } | null;
  /** Those of the environment before. */
  readonly loadTests: readonly LoadTest[];
  /** What the forge has said of the release's commit. */
  readonly checks: ChecksSeen;
  /** Error budgets as they were measured last. */
  readonly budgets: readonly BudgetLook[];
  /** What the environment asks of what is live there, as it stood last. */
  readonly conditions: readonly EnvironmentCondition[];
  /** Why the gate of a budget, and the conditions, are passed by, and by whom; null: they hold. */
  readonly overrideBudget: { readonly by: string; readonly reason: string } | null;
  readonly locked: { readonly by: string; readonly reason: string } | null;
  /** The deployments that have to end first. */
  readonly ahead: readonly string[];
};

/**
 * `open`: it may begin at this instant. `waits`: look again at `lookAt`, or when anything changes. `over`: it has waited too
 * long, or can never begin.
 */
export type GateDecision = {
  readonly is: "open" | "waits" | "over";
  readonly readings: readonly GateReading[];
  readonly reason: string;
  readonly lookAt: EpochMs | null;
  /** Why it is over. */
  readonly code: ErrorCode | null;
};

/**
 * Whether a deployment may begin now, and why. All gates are looked at together at the instant of the beginning: one that was
 * open an hour ago says nothing.
 */
export function decideGates(input: GateInput, now: EpochMs): GateDecision {
  const readings = readGates(input, now);
  const closed = readings.filter(({ open }) => !open);
  const decision = { readings, lookAt: null, code: null };
  // To make live what is live is to do nothing, and needs nobody's word.
  if (input.asked.live === input.asked.release) return { ...decision, is: "open", reason: "it is live already" };
  if (closed.length === 0) return { ...decision, is: "open", reason: saying(readings) };
  const over = expired(input, readings, now);
  if (over !== null) return { ...decision, is: "over", ...over };
  const times = [...closed.map(({ opensAt }) => opensAt), ...expiries(input, readings)].filter((at) => at !== null);
  return { ...decision, is: "waits", reason: saying(closed), lookAt: times.length === 0 ? null : Math.min(...times) };
}

/** Each gate as it stands. */
export function readGates(input: GateInput, now: EpochMs): readonly GateReading[] {
  const { policies, before, locked, ahead } = input;
  return [
    ...policies.flatMap(({ gates, of }, index) => {
      const readings = readPolicy(gates, input, now);
      if (index === 0) return readings;
      return readings.map((reading) => ({ ...reading, says: `${reading.says}, as ${of} asks, which is live` }));
    }),
    ...(before === null ? [] : [promotion(before)]),
    ...(locked === null ? [] : [shut("lock", `locked by ${locked.by}: ${locked.reason}`)]),
    ...(ahead.length === 0 ? [] : [shut("turn", `waits for ${ahead.join(", ")} to end`)]),
  ];
}

function readPolicy(
  gates: GatesSpec,
  { asked, approvals, override, before, loadTests, checks, budgets, conditions, overrideBudget }: GateInput,
  now: EpochMs,
): readonly GateReading[] {
  return [
    ...(gates.approval === null ? [] : [readApprovals(gates.approval, asked, approvals)]),
    ...readCalendar(gates, now).map((reading) => passedBy(reading, override)),
    ...(gates.checks === undefined ? [] : [readChecks(gates.checks, checks, now)]),
    ...(gates.waitMs === 0 ? [] : [readWait(gates.waitMs, { at: asked.at, event: "it was asked for" }, now)]),
    ...(gates.bakedMs === 0 ? [] : [before === null ? nowhere : readBaked(gates.bakedMs, before, now)]),
    ...(gates.loadTest === true ? [readLoadTests(before?.environment ?? null, loadTests)] : []),
    ...(gates.budget === undefined
      ? []
      : [readBudget(gates.budget, budgets, { askedAt: asked.at, now, override: overrideBudget })]),
    ...(gates.conditions ?? []).map((text) =>
      readEnvironmentCondition(text, conditions, { askedAt: asked.at, now, override: overrideBudget }),
    ),
  ];
}

/** A config that names no environment before does not get past the time that a release must have lived there. */
const nowhere = shut("baked", "its config names no environment in which it could have lived: set promoteFrom");

function promotion({ environment, standing }: NonNullable<GateInput["before"]>): GateReading {
  if (standing === "good")
    return { gate: "promotion", open: true, says: `it has succeeded in ${environment}`, opensAt: null };
  return shut(
    "promotion",
    standing === "bad" ? `it has failed in ${environment} since` : `it has not succeeded in ${environment}`,
  );
}

function shut(gate: GateReading["gate"], says: string): GateReading {
  return { gate, open: false, says, opensAt: null };
}

/** Those who wait for people or for the forge expire: a lock or a window that stays shut is nobody's forgetting. */
function expiries({ policies, asked }: GateInput, readings: readonly GateReading[]): readonly EpochMs[] {
  const isShut = (name: GateReading["gate"]) => readings.some(({ gate, open }) => gate === name && !open);
  return [
    ...(isShut("approval")
      ? policies.flatMap(({ gates }) => (gates.approval === null ? [] : [expiresAt(gates.approval, asked)]))
      : []),
    ...(isShut("checks")
      ? policies.flatMap(({ gates }) => (gates.checks === undefined ? [] : [asked.at + gates.checks.expiresMs]))
      : []),
  ];
}

/** One check that has failed is enough, whatever else is waited for; then whoever was waited for too long. */
function expired(input: GateInput, readings: readonly GateReading[], now: EpochMs) {
  const { policies, checks, asked } = input;
  const failed = policies.flatMap(({ gates }) =>
    gates.checks === undefined ? [] : failedChecks(gates.checks, checks, now),
  );
  if (failed.length > 0) {
    const each = failed.map(({ name, says }) => `${name} (${says})`).join(", ");
    return { reason: `failed at the forge: ${each}`, code: "CHECKS_FAILED" as const };
  }
  for (const [gate, code, words] of [
    ["approval", "APPROVAL_EXPIRED", "not approved"],
    ["checks", "CHECKS_EXPIRED", "its checks have not succeeded"],
  ] as const) {
    const missing = readings.filter((reading) => reading.gate === gate && !reading.open);
    const at = Math.min(...expiries(input, missing));
    if (now >= at) return { reason: `${words} within ${formatDuration(at - asked.at)}: ${saying(missing)}`, code };
  }
  return null;
}

function saying(readings: readonly GateReading[]): string {
  return readings.map(({ says }) => says).join("; ") || "nothing has to be open";
}
