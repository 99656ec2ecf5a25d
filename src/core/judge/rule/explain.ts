import type { Evidence } from "../../errors/error.ts";
import type { Measured } from "../../metric/measured.ts";
import type { Query } from "../../metric/memory.ts";
import { formatDuration } from "../../product/units.ts";
import { burnQueries, burnShown } from "./burn.ts";
import { queryOf } from "./evaluate.ts";
import type { Rule } from "./rule.ts";
import type { Place } from "./seen.ts";
import { sparkline, valueText } from "./text.ts";

const steps = 30;

/** What is to be plotted: a window in steps, against a limit. */
export type Plot = { readonly query: Query; readonly stepMs: number; readonly limit: number };

/** Of a rule, after a look that saw this: its window and as long as it had to hold; of a budget the window that burns. */
export function plotOf({ condition, forMs }: Rule, place: Place, measured: readonly Measured[]): Plot {
  const stepOf = (spanMs: number): number => Math.max(1_000, Math.ceil(spanMs / steps / 1_000) * 1_000);
  if (condition.is === "burn") {
    const [query] = burnQueries(condition, place);
    if (query === undefined) throw new Error("a budget has windows");
    const { windowMs, limit } = burnShown(condition, measured);
    const stepMs = stepOf(windowMs);
    return { query: { ...query, windowMs: stepMs * steps }, stepMs, limit };
  }
  const stepMs = stepOf(Math.max(60_000, forMs + condition.overMs));
  return { query: { ...queryOf(condition, place), windowMs: stepMs * steps }, stepMs, limit: condition.threshold };
}

/** What a rule saw, as a small plot of these values. */
export function explain(
  { condition }: Rule,
  { query, stepMs, limit }: Plot,
  values: readonly (number | null)[],
): readonly Evidence[] {
  const text = (value: number): string => valueText(query.metric, value);
  const numbers = values.filter((value) => value !== null);
  const most = numbers.length === 0 ? "nothing known" : `highest ${text(Math.max(...numbers))}`;
  const span = formatDuration(stepMs * steps);
  const plot = ["plot", `${sparkline(values, limit)}  ${most} in ${span}, limit ${text(limit)}`] as const;
  if (condition.is !== "burn") return [plot];
  return [["budget", `${text(1 - condition.objective)} of the requests may fail`], plot];
}
