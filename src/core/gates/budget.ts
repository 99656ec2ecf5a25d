import type { EnvironmentName, EpochMs } from "../ids.ts";
import type { Measured } from "../metric/measured.ts";
import type { BudgetSpec } from "../product/gates-spec.ts";
import { formatDuration, formatPercent } from "../product/units.ts";
import { passedBy } from "./override.ts";
import type { GateReading } from "./reading.ts";

/** An error budget as somebody has measured it. */
export type BudgetLook = {
  readonly spec: BudgetSpec;
  readonly environment: EnvironmentName;
  /** The share of all requests that failed. */
  readonly measured: Measured;
  readonly at: EpochMs;
};

/** What was measured longer ago than this, or before the deployment was asked for, is not known any more. */
export const freshMs = 60_000;
/** Of fewer requests one that failed says nothing of a budget. */
const leastRequests = 100;

/**
 * Is there something left of the error budget: of the share of requests that may fail, by the objective? The edge counts by itself and
 * always, so what it has not counted was no request, and has spent nothing. A look that is missing or old opens nothing, and is not
 * passed by either: the history says how much was.
 */
export function readBudget(
  spec: BudgetSpec,
  looks: readonly BudgetLook[],
  {
    askedAt,
    now,
    override,
  }: { readonly askedAt: EpochMs; readonly now: EpochMs; readonly override: Parameters<typeof passedBy>[1] },
): GateReading {
  const reading = (open: boolean, says: string): GateReading => ({ gate: "budget", open, says, opensAt: null });
  const look = looks.find((each) => isOf(each.spec, spec));
  if (look === undefined || look.at < askedAt || now - look.at > freshMs)
    return reading(false, "its error budget was not measured yet");
  const { environment, measured } = look;
  const { service, objective, overMs } = spec;
  const whose = `${service === null ? "" : `${service} in `}${environment}`;
  const aim = `${formatPercent(objective)} over ${formatDuration(overMs)}`;
  if (measured.is === "unknown")
    return reading(true, `nothing is known to be spent of the error budget of ${whose} (${aim}): ${measured.why}`);
  const spent = measured.value / (1 - objective);
  const failed = `${formatPercent(measured.value)} of ${measured.count} requests failed`;
  const says = `${Math.round(spent * 100)}% of the error budget of ${whose} (${aim}) is spent: ${failed}`;
  if (spent >= 1 && measured.count < leastRequests)
    return reading(true, `${says}, which are too few to hold anything up (less than ${leastRequests})`);
  return passedBy(reading(spent < 1, says), override);
}

function isOf(a: BudgetSpec, b: BudgetSpec): boolean {
  return (
    a.objective === b.objective && a.overMs === b.overMs && a.service === b.service && a.environment === b.environment
  );
}
