import type { EnvironmentName, EpochMs, ReleaseId } from "../../ids.ts";
import type { Selector } from "../../metric/labels.ts";
import type { Measured } from "../../metric/measured.ts";
import type { Query } from "../../metric/memory.ts";
import { formatDuration } from "../../product/units.ts";
import type { Condition, Rule } from "./rule.ts";
import { isIn } from "./schedule.ts";
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

export type Measure = (query: Query) => Measured;

/** Where a rule is looked at, and of which release: what another one did is not held against it. */
export type Place = { readonly environment: EnvironmentName; readonly release: ReleaseId | null };

/** Series that say which release they are of; the others are of the place. */
const ofReleases: ReadonlySet<string> = new Set(["traffic", "health", "restarts", "cpu", "memory", "memory share"]);

export function selectorOf(
  { metric, service }: Pick<Condition, "metric" | "service">,
  { environment, release }: Place,
): Selector {
  const isOfRelease = release !== null && ofReleases.has(metric.series);
  return { environment, ...(service !== null && { service }), ...(isOfRelease && { release }) };
}

/**
 * Looks at a rule once. Broken for `for` without a break, and in as many looks as it wants, it fires; the first look that says
 * otherwise resolves it. Not to know changes nothing: what fired goes on firing, what was pending has to begin anew.
 */
export function evaluate(rule: Rule, measure: Measure, place: Place, state: RuleState, now: EpochMs): RuleLook {
  if (rule.during !== null && !isIn(rule.during, now))
    return settle(rule, state, now, { is: "off", reason: `it is not ${rule.during.text}`, measured: [] });
  const seen = look(rule, measure, place);
  return settle(rule, state, now, seen);
}

type Seen = {
  readonly is: "ok" | "broken" | "unknown" | "off";
  readonly reason: string;
  readonly measured: readonly Measured[];
};

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
    const held = `for ${formatDuration(now - brokenSince)} of ${formatDuration(rule.forMs)}`;
    return { next, is: "pending", turned: null, reason: `${reason}, ${held}`, measured };
  }
  const held = rule.forMs === 0 ? "" : `, for ${formatDuration(now - brokenSince)}`;
  return { next, is: "firing", turned: isFiring ? null : "fired", reason: `${reason}${held}`, measured };
}

function look(rule: Rule, measure: Measure, place: Place): Seen {
  return rule.condition.is === "burn"
    ? lookAtBudget(rule, rule.condition, measure, place)
    : lookAtThreshold(rule, rule.condition, measure, place);
}

function lookAtThreshold(
  rule: Rule,
  condition: Extract<Condition, { is: "threshold" }>,
  measure: Measure,
  place: Place,
): Seen {
  const measured = measure(queryOf(condition, place));
  const doubt = doubtOf(measured, rule.minimum);
  if (doubt !== null)
    return { is: rule.whenUnknown === "fire" ? "broken" : "unknown", reason: doubt, measured: [measured] };
  if (measured.is === "unknown") throw new Error("what is unknown is in doubt");
  const is = isBroken(measured.value, condition) ? "broken" : "ok";
  const compared = is === "broken" ? conditionText(condition) : `not ${conditionText(condition)}`;
  const reason = `${condition.metric.name} is ${valueText(condition.metric, measured.value)} (${compared}), of ${measured.count}`;
  return { is, reason, measured: [measured] };
}

export function queryOf(condition: Extract<Condition, { is: "threshold" }>, place: Place): Query {
  const { metric, asked, overMs, take } = condition;
  return {
    metric,
    labels: { ...selectorOf(condition, place), ...(asked !== null && { probe: asked }) },
    windowMs: overMs,
    take,
  };
}

/** Why it says nothing; null when it does. Written so that what is no number says nothing. */
function doubtOf(measured: Measured, minimum: number): string | null {
  if (measured.is === "unknown") return measured.why;
  if (!Number.isFinite(measured.value)) return "what was measured is no number";
  return measured.count >= minimum ? null : `${measured.count} of at least ${minimum} were seen`;
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

/**
 * Google's SRE workbook, chapter 5, table 5-8: 2 % of a month's budget in an hour, or 5 % in six; each must also hold in the
 * last twelfth of it, so that it ends soon after the burning has.
 */
const burns = [
  { longMs: 3_600_000, shortMs: 300_000, rate: 14.4 },
  { longMs: 21_600_000, shortMs: 1_800_000, rate: 6 },
] as const;
/** A window of which less than this was looked at says nothing. */
const leastCovered = 0.5;

function lookAtBudget(
  rule: Rule,
  condition: Extract<Condition, { is: "burn" }>,
  measure: Measure,
  { environment }: Place,
): Seen {
  const { metric, objective } = condition;
  // A budget is the users': they do not ask which release used it up.
  const labels = selectorOf(condition, { environment, release: null });
  const budget = 1 - objective;
  const looked = burns.map(({ longMs, shortMs, rate }) => {
    const [long, short] = [longMs, shortMs].map((windowMs) => measure({ metric, labels, windowMs }));
    return { longMs, shortMs, rate, long: long as Measured, short: short as Measured };
  });
  const measured = looked.flatMap(({ long, short }) => [long, short]);
  const sure = looked.filter(
    ({ long, short }) =>
      long.is === "known" &&
      long.covered >= leastCovered &&
      doubtOf(long, rule.minimum) === null &&
      short.is === "known",
  );
  const ratio = (one: Measured) => (one.is === "known" ? one.value / budget : 0);
  const burning = sure.find(({ long, short, rate }) => ratio(long) > rate && ratio(short) > rate);
  if (burning !== undefined) {
    const rates = `${ratio(burning.long).toFixed(1)} times as fast as it lasts over ${formatDuration(burning.longMs)}`;
    const reason = `the error budget burns ${rates}, and ${ratio(burning.short).toFixed(1)} times over ${formatDuration(burning.shortMs)} (limit ${burning.rate})`;
    return { is: "broken", reason, measured };
  }
  if (sure.length === 0) {
    const [first] = looked;
    const why = first === undefined ? null : doubtOf(first.long, rule.minimum);
    return { is: "unknown", reason: why ?? "too little of the last hour was looked at", measured };
  }
  return {
    is: "ok",
    reason: `the error budget burns ${ratio(sure[0]?.long as Measured).toFixed(1)} times as fast as it lasts`,
    measured,
  };
}
