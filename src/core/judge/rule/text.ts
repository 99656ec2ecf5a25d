import type { Metric } from "../../metric/catalogue.ts";
import { formatDuration } from "../../product/units.ts";
import type { Condition } from "./rule.ts";

/** A value as a person reads it: `12.4 %`, `812 ms`, `310 MB`. */
export function valueText(metric: Pick<Metric, "unit">, value: number): string {
  switch (metric.unit) {
    case "ratio":
    case "share of time":
      return `${Number((value * 100).toPrecision(4))} %`;
    case "ms":
      return value >= 10_000 ? formatDuration(Math.round(value / 1_000) * 1_000) : `${Number(value.toPrecision(3))} ms`;
    case "bytes":
      return value >= 1e6 ? `${Number((value / 1e6).toPrecision(3))} MB` : `${Math.round(value)} B`;
    case "per second":
      return `${Number(value.toPrecision(3))}/s`;
    case "days":
      return `${Number(value.toPrecision(3))} days`;
    default:
      return `${Number(value.toPrecision(4))}`;
  }
}

/** `above 10 %`, `below 99 % over 5m`. */
export function conditionText(condition: Extract<Condition, { is: "threshold" }>): string {
  const words = { ">": "above", ">=": "at or above", "<": "below", "<=": "at or below" } as const;
  const over = condition.overMs === 0 ? "" : ` over ${formatDuration(condition.overMs)}`;
  return `${words[condition.compare]} ${valueText(condition.metric, condition.threshold)}${over}`;
}

const bars = "▁▂▃▄▅▆▇█";

/** A line of values as bars, oldest first; what is not known is a dot. The scale begins at 0 and ends at the largest, or at the limit. */
export function sparkline(points: readonly (number | null)[], limit: number): string {
  const most = Math.max(limit, ...points.filter((point) => point !== null), Number.MIN_VALUE);
  return points
    .map((point) => {
      if (point === null || !Number.isFinite(point)) return "·";
      const step = Math.floor((Math.max(0, point) / most) * bars.length);
      return bars[Math.min(bars.length - 1, step)];
    })
    .join("");
}
