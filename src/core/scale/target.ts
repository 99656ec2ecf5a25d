import type { EnvironmentName, ReleaseId, ServiceName } from "../ids.ts";
import { parseRule } from "../judge/rule/parse.ts";
import type { Condition } from "../judge/rule/rule.ts";
import { selectorOf } from "../judge/rule/seen.ts";
import { conditionText } from "../judge/rule/text.ts";
import { metricOf } from "../metric/catalogue.ts";
import type { Query } from "../metric/memory.ts";
import { formatDuration } from "../product/units.ts";

/**
 * How more instances change a value. `each`: it is of one instance, and what they do is shared among all. `total`: counted over
 * all instances, and meant of one. `other`: nobody knows; only whether it is too much, or far from it.
 */
export type TargetKind = "each" | "total" | "other";

/** What is too much of a service. */
export type ScaleTarget = {
  /** As it is written. */
  readonly text: string;
  readonly kind: TargetKind;
  readonly condition: Extract<Condition, { is: "threshold" }>;
};

export type ParsedTarget =
  | { readonly is: "target"; readonly target: ScaleTarget }
  | { readonly is: "wrong"; readonly why: string };

/** Two looks at a target, and short beside any `upAfter`: what was before the newest instance soon has no say any more. */
const overMs = 15_000;

const each: ReadonlySet<string> = new Set(["cpu", "memory", "memory share"]);
const total: ReadonlySet<string> = new Set(["requests", "errors", "client errors", "in flight"]);

/** A line such as `queue delay > 30s`. `declared` as in `parseRule`. */
export function parseScaleTarget(text: string, declared: readonly string[] | null): ParsedTarget {
  const wrong = (why: string): ParsedTarget => ({ is: "wrong", why });
  if (text.includes("->")) return wrong(`"->" is for rules; here the number of instances is what is done`);
  const parsed = parseRule(text, declared);
  if (parsed.is === "wrong") return parsed;
  const { condition, forMs, during } = parsed.rule;
  if (condition.is === "burn") return wrong("a budget says nothing about how many instances there should be");
  if (forMs > 0) return wrong(`how long is said by upAfter and downAfter; leave out "for ${formatDuration(forMs)}"`);
  if (during !== null) return wrong(`it holds at all times; leave out "during ${during.text}"`);
  const { metric, compare, threshold } = condition;
  if (metric.worse === "lower" || compare === "<" || compare === "<=")
    return wrong(
      `it must say what is too much, such as ${metric.worse === "lower" ? "queue delay > 30s" : text.replace(/<=?/, ">")}`,
    );
  if (threshold <= 0) return wrong("more than nothing is always too much; use a larger number");
  const own = /\sover\s/.test(text) ? condition : { ...condition, overMs };
  return { is: "target", target: { text, condition: own, kind: kindOf(metric.name) } };
}

function kindOf(name: string): TargetKind {
  return each.has(name) ? "each" : total.has(name) ? "total" : "other";
}

/** What is measured of it for a service. `sinceMs`: how long there have been as many instances as now; what was before is not looked at. */
export function targetQuery(
  { condition }: ScaleTarget,
  at: { readonly environment: EnvironmentName; readonly release: ReleaseId; readonly service: ServiceName },
  sinceMs: number,
): Query {
  const { metric, asked, take } = condition;
  // What has a name of its own needs no service to be found by.
  const service = condition.service ?? (asked !== null || metricOf(metric.name) === null ? null : at.service);
  return {
    metric,
    labels: { ...selectorOf({ metric, service }, at), ...(asked !== null && { probe: asked }) },
    windowMs: Math.max(0, Math.min(condition.overMs, sinceMs)),
    take,
  };
}

/** `above 70 %`. */
export const limitText = ({ condition }: ScaleTarget): string => conditionText({ ...condition, overMs: 0 });
