import type { Evidence } from "../../core/errors/error.ts";
import type { EpochMs } from "../../core/ids.ts";
import { explain, plotOf } from "../../core/judge/rule/explain.ts";
import type { Rule } from "../../core/judge/rule/rule.ts";
import type { Place } from "../../core/judge/rule/seen.ts";
import type { Measured } from "../../core/metric/measured.ts";
import type { Query } from "../../core/metric/memory.ts";
import type { Meter } from "../../ports/metric.ts";

/** What a window said, and when it was asked. */
export type SeenWindow = { readonly at: EpochMs; readonly measured: Measured };

/** A window is asked again after a 360th of its length: an hour every ten seconds, three days every five minutes at most. */
const partsOfWindow = 360;
const longestMs = 5 * 60_000;

/**
 * What the windows of a rule say now. Short ones are asked at every look; long ones, which cost reads of the store and change
 * slowly, are as they were `before` for a while. The order of the queries is that of the answers.
 */
export async function lookAtWindows(
  metrics: Pick<Meter, "measureLong">,
  queries: readonly Query[],
  { before, now }: { readonly before: readonly SeenWindow[]; readonly now: EpochMs },
): Promise<readonly SeenWindow[]> {
  return Promise.all(
    queries.map(async (query, index) => {
      const known = before[index];
      const againMs = Math.min(longestMs, query.windowMs / partsOfWindow);
      if (againMs > leastMs && known !== undefined && now - known.at < againMs) return known;
      return { at: now, measured: await metrics.measureLong(query) };
    }),
  );
}

/** Rules are looked at once a second: what would be asked about as often is asked at each look. */
const leastMs = 2_000;

/** The window of a rule as a plot, for a person. */
export async function plotted(
  metrics: Pick<Meter, "pointsLong">,
  rule: Rule,
  place: Place,
  measured: readonly Measured[],
): Promise<readonly Evidence[]> {
  const plot = plotOf(rule, place, measured);
  return explain(rule, plot, await metrics.pointsLong(plot.query, plot.stepMs));
}
