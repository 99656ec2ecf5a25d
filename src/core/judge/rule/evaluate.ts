import type { EpochMs } from "../../ids.ts";
import { type Measured, unknown } from "../../metric/measured.ts";
import type { Query } from "../../metric/memory.ts";
import { formatDuration } from "../../product/units.ts";
import { burnQueries, lookAtBudget } from "./burn.ts";
import type { Condition, Rule } from "./rule.ts";
import { isIn } from "./schedule.ts";
import { doubtOf, gapOf, type Place, type Seen, selectorOf } from "./seen.ts";
import { conditionText, valueText } from "./text.ts";

/** What a rule remembers from look to look. */
export type RuleState = {
  /** Since when every look said that it is broken; null when the last one did not. */
  readonly brokenSince: EpochMs | null;
  readonly brokenLooks: number;
  readonly firingSince: EpochMs | null;
};

export const quietRule: RuleState = { brokenSince: null, brokenLooks: 0, firingSince: null };

/**
 * `ok`, `pending` (broken, not for long enough), `firing`, `unknown` (could not be measured, or too little to judge by),
 * `off` (not its time). `turned` says that it has begun to fire with this look, or has ended to.
 */
export type RuleLook = {
  readonly next: RuleState;
  readonly is: "ok" | "pending" | "firing" | "unknown" | "off";
  readonly turned: "fired" | "resolved" | null;
  readonly reason: string;
  /** What was measured last, for the record. */
  readonly measured: readonly Measured[];
};

/** What a look at the rule asks for, in the order in which `evaluate` wants it. */
export function queriesOf({ condition }: Rule, place: Place): readonly Query[] {
  return condition.is === "burn" ? burnQueries(condition, place) : [queryOf(condition, place)];
}

/**
 * Looks once at what was measured by the rule's queries. Broken for `for` without a break, and in as many looks as it wants, it
 * fires; the first look that says otherwise resolves it. Not to know changes nothing: what fired goes on firing, what was pending
 * has to begin anew.
 */
export function evaluate(rule: Rule, measured: readonly Measured[], state: RuleState, now: EpochMs): RuleLook {
  if (rule.during !== null && !isIn(rule.during, now))
    return settle(rule, state, now, { is: "off", reason: `it is not ${rule.during.text}`, measured: [] });
  const { condition } = rule;
  const seen =
    condition.is === "burn"
      ? lookAtBudget(condition, measured, rule.minimum)
      : lookAtThreshold(rule, condition, measured[0]);
  return settle(rule, state, now, seen);
}

function settle(rule: Rule, state: RuleState, now: EpochMs, seen: Seen): RuleLook {
  const { measured, reason } = seen;
  const isFiring = state.firingSince !== null;
  if (seen.is === "unknown") {
    const next = isFiring ? state : { ...state, brokenSince: null, brokenLooks: 0 };
    return { next, is: isFiring ? "firing" : "unknown", turned: null, reason, measured };
  }
  if (seen.is !== "broken") {
    const turned = isFiring ? "resolved" : null;
    return { next: quietRule, is: seen.is, turned, reason, measured };
  }
  const brokenSince = state.brokenSince ?? now;
  const brokenLooks = state.brokenLooks + 1;
  const isLong = now - brokenSince >= rule.forMs && brokenLooks >= rule.looks;
  const next = { brokenSince, brokenLooks, firingSince: state.firingSince ?? (isLong ? now : null) };
  if (next.firingSince === null) {
    const held = `for ${lasting(now - brokenSince)} of ${formatDuration(rule.forMs)}`;
    return { next, is: "pending", turned: null, reason: `${reason}, ${held}`, measured };
  }
  const held = rule.forMs === 0 ? "" : `, for ${lasting(now - brokenSince)}`;
  return { next, is: "firing", turned: isFiring ? null : "fired", reason: `${reason}${held}`, measured };
}

/** Looks come once a second: what is less than that says nothing. */
function lasting(ms: number): string {
  return formatDuration(Math.floor(ms / 1_000) * 1_000);
}

function lookAtThreshold(
  rule: Rule,
  condition: Extract<Condition, { is: "threshold" }>,
  measured: Measured = unknown(`${condition.metric.name} was not looked at`),
): Seen {
  const gap = condition.overMs > shortMs ? gapOf(measured, condition.overMs) : null;
  const doubt = doubtOf(measured, rule.minimum) ?? gap;
  if (doubt !== null)
    return { is: rule.whenUnknown === "fire" ? "broken" : "unknown", reason: doubt, measured: [measured] };
  if (measured.is === "unknown") throw new Error("what is unknown is in doubt");
  const is = isBroken(measured.value, condition) ? "broken" : "ok";
  const compared = is === "broken" ? conditionText(condition) : `not ${conditionText(condition)}`;
  const reason = `${condition.metric.name} is ${valueText(condition.metric, measured.value)} (${compared}), of ${measured.count}`;
  return { is, reason, measured: [measured] };
}

/** Up to here a window says what it says from its first sample on; a longer one wants to have been looked at. */
const shortMs = 2 * 3_600_000;

export function queryOf(condition: Extract<Condition, { is: "threshold" }>, place: Place): Query {
  const { metric, asked, overMs, take } = condition;
  return {
    metric,
    labels: { ...selectorOf(condition, place), ...(asked !== null && { probe: asked }) },
    windowMs: overMs,
    take,
  };
}

function isBroken(value: number, { compare, threshold }: Extract<Condition, { is: "threshold" }>): boolean {
  switch (compare) {
    case ">":
      return value > threshold;
    case ">=":
      return value >= threshold;
    case "<":
      return value < threshold;
    case "<=":
      return value <= threshold;
  }
}
