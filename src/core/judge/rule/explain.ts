import type { Evidence } from "../../errors/error.ts";
import type { Query } from "../../metric/memory.ts";
import { formatDuration } from "../../product/units.ts";
import { type Place, queryOf } from "./evaluate.ts";
import type { Rule } from "./rule.ts";
import { sparkline, valueText } from "./text.ts";

const steps = 30;

/** What a rule saw, as a small plot: its window and as long as it had to hold, in steps, against its threshold. */
export function explain(
  { condition, forMs }: Rule,
  place: Place,
  points: (query: Query, stepMs: number) => readonly (number | null)[],
): readonly Evidence[] {
  if (condition.is === "burn") {
    const { metric, objective } = condition;
    return [["budget", `${valueText(metric, 1 - objective)} of the requests may fail`]];
  }
  const query = queryOf(condition, place);
  const spanMs = Math.max(60_000, forMs + condition.overMs);
  const stepMs = Math.max(1_000, Math.ceil(spanMs / steps / 1_000) * 1_000);
  const values = points({ ...query, windowMs: stepMs * steps }, stepMs);
  const numbers = values.filter((value) => value !== null);
  const most = numbers.length === 0 ? "nothing known" : `highest ${valueText(condition.metric, Math.max(...numbers))}`;
  return [
    [
      "plot",
      `${sparkline(values, condition.threshold)}  ${most} in ${formatDuration(stepMs * steps)}, limit ${valueText(condition.metric, condition.threshold)}`,
    ],
  ];
}
