import type { EpochMs } from "../ids.ts";
import type { StepGatesSpec } from "../product/gates-spec.ts";
import { formatDuration } from "../product/units.ts";
import { type Approval, type Asked, expiresAt, readApprovals } from "./approval.ts";
import { type ConditionLook, readCondition } from "./condition.ts";
import { passedBy } from "./override.ts";
import type { GateReading } from "./reading.ts";
import { readWait } from "./time.ts";
import { readCalendar } from "./window.ts";

/** Everything that the gates of one step of a canary look at. `asked.at` is when the step was over. */
export type StepGateInput = {
  readonly gates: StepGatesSpec;
  readonly asked: Asked;
  readonly approvals: readonly Approval[];
  /** Why windows and freezes are passed by, and by whom; null: they hold. */
  readonly override: { readonly by: string; readonly reason: string } | null;
  readonly conditions: readonly ConditionLook[];
};

/** `over`: nobody has approved in time. */
export type StepGateDecision = {
  readonly is: "open" | "waits" | "over";
  readonly readings: readonly GateReading[];
  readonly reason: string;
  /** When to look again at the latest, where time alone changes something. */
  readonly lookAt: EpochMs | null;
};

/** Whether the step after this one may be taken now, and why. All are looked at together, at the instant in which it is taken. */
export function decideStepGates(input: StepGateInput, now: EpochMs): StepGateDecision {
  const readings = readStepGates(input, now);
  const closed = readings.filter(({ open }) => !open);
  const saying = (all: readonly GateReading[]) => all.map(({ says }) => says).join("; ");
  if (closed.length === 0) return { is: "open", readings, reason: saying(readings), lookAt: null };
  const { approval } = input.gates;
  const isMissing = closed.some(({ gate }) => gate === "approval");
  const ends = approval === null || !isMissing ? null : expiresAt(approval, input.asked);
  if (ends !== null && now >= ends) {
    const reason = `not approved within ${formatDuration(ends - input.asked.at)}: ${saying(closed)}`;
    return { is: "over", readings, reason, lookAt: null };
  }
  const times = [...closed.map(({ opensAt }) => opensAt), ends].filter((at) => at !== null);
  return { is: "waits", readings, reason: saying(closed), lookAt: times.length === 0 ? null : Math.min(...times) };
}

function readStepGates(input: StepGateInput, now: EpochMs): readonly GateReading[] {
  const { gates, asked, approvals, override, conditions } = input;
  return [
    ...(gates.approval === null ? [] : [readApprovals(gates.approval, asked, approvals)]),
    ...readCalendar(gates, now).map((reading) => passedBy(reading, override)),
    ...(gates.waitMs === 0 ? [] : [readWait(gates.waitMs, { at: asked.at, event: "the step was over" }, now)]),
    ...conditions.map(readCondition),
  ];
}
