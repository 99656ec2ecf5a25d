import { namePattern, serviceName } from "../../ids.ts";
import { declaredMetric, type Metric, metricNames, metricOf, type Unit } from "../../metric/catalogue.ts";
import type { Take } from "../../metric/measured.ts";
import { nearest } from "../../product/guess.ts";
import { formatDuration, parseDuration, parsePercent, parseSize } from "../../product/units.ts";
import { parseAlert } from "./alert-condition.ts";
import { type Action, type Compare, type Condition, type Rule, type Severity, severities } from "./rule.ts";
import { parseSchedule, type Schedule } from "./schedule.ts";

/**
 * A rule in a line:
 *
 * ```text
 * [take] metric [of service] [at probe]  > threshold | failing  [over 5m] [for 2m] [during mon-fri 09:00-17:00 zone] [-> actions]
 * error budget 99.9% [of service] burns [slowly]  [-> actions]
 * alert <name>[{label="value", …}] [of service] firing  [for 2m] [-> actions]
 * ```
 * Strict: what is not understood is refused with what was probably meant, and nothing is guessed silently.
 */
export type Parsed = Pick<Rule, "condition" | "forMs" | "severity" | "actions" | "during">;
export type ParsedRule =
  | { readonly is: "rule"; readonly rule: Parsed }
  | { readonly is: "wrong"; readonly why: string };

class Wrong extends Error {}

/** `declared` are the names of the product's own metrics; null where they are not known yet, and any name may be one. */
export function parseRule(text: string, declared: readonly string[] | null): ParsedRule {
  try {
    return { is: "rule", rule: parse(text, declared) };
  } catch (error) {
    if (error instanceof Wrong) return { is: "wrong", why: error.message };
    throw error;
  }
}

const defaultOverMs = 60_000;
/** So long the past is surely kept. */
const longestOverMs = 30 * 24 * 3_600_000;
const takes: readonly Take[] = ["last", "avg", "min", "max", "sum", "increase", "rate"];

function parse(text: string, declared: readonly string[] | null): Parsed {
  const [left = "", ...right] = text.split("->");
  if (right.length > 1) throw new Wrong(`"->" is there twice; actions are separated by commas`);
  const { actions, severity } = parseActions(right[0] ?? "");
  const clauses = splitClauses(left);
  const durations = (word: "over" | "for") => {
    const value = clauses.get(word);
    return value === undefined ? null : durationOf(word, value);
  };
  const forMs = durations("for") ?? 0;
  const condition = parseCondition(clauses.get("") ?? "", durations("over"), declared);
  return { condition, forMs, severity, actions, during: scheduleOf(clauses.get("during")) };
}

/** What stands before the first of these words, and after each of them. */
function splitClauses(text: string): Map<string, string> {
  const clauses = new Map<string, string>();
  let word = "";
  for (const part of text.trim().split(/\s+(?=(?:over|for|during)\s)/)) {
    const found = /^(over|for|during)\s+(.*)$/s.exec(part);
    word = found?.[1] ?? "";
    if (clauses.has(word)) throw new Wrong(`"${word}" is there twice`);
    clauses.set(word, (found?.[2] ?? part).trim());
  }
  return clauses;
}

function durationOf(word: string, text: string): number {
  const ms = parseDuration(text);
  if (ms === null || ms === 0)
    throw new Wrong(`"${text}" after "${word}" is not a duration; write for example ${word} 5m`);
  return ms;
}

function scheduleOf(text: string | undefined): Schedule | null {
  if (text === undefined) return null;
  const schedule = parseSchedule(text);
  if (schedule === null)
    throw new Wrong(
      `"${text}" after "during" is not a time; write for example during mon-fri 09:00-17:00 Europe/Berlin`,
    );
  return schedule;
}

function parseCondition(text: string, overMs: number | null, declared: readonly string[] | null): Condition {
  const burn = /^error budget\s+(\S+?)(?:\s+of\s+(\S+))?\s+burns(\s+slowly)?$/.exec(text);
  if (burn !== null) {
    const objective = parsePercent(burn[1] ?? "");
    if (objective === null || objective < 0.5 || objective >= 1)
      throw new Wrong(`"${burn[1]}" is not an objective; write for example error budget 99.9% burns`);
    if (overMs !== null) throw new Wrong(`"over" does not go with "burns": it has windows of its own`);
    return {
      is: "burn",
      metric: known("error ratio"),
      service: serviceOf(burn[2]),
      objective,
      pace: burn[3] === undefined ? "fast" : "slow",
    };
  }
  const alert = parseAlert(text);
  if (alert !== null) {
    if ("wrong" in alert) throw new Wrong(alert.wrong);
    if (overMs !== null) throw new Wrong(`"over" does not go with an alert, which has its own; write "for"`);
    return alert;
  }
  const failing = /^(.*?)\s+(?:is\s+)?(?:failing|lost|down)$/.exec(text);
  const compared = /^(.*?)\s*(>=|<=|>|<)\s*(.+)$/.exec(text);
  if (failing === null && compared === null)
    throw new Wrong(
      `"${text}" says no condition; write for example error ratio > 10% for 5m, or health failing for 2m`,
    );
  const subject = parseSubject((failing ?? compared)?.[1] ?? "", declared);
  const { metric } = subject;
  const over = overMs ?? defaultOver(metric, subject.take);
  if (over > longestOverMs)
    throw new Wrong(
      `"over ${formatDuration(over)}" is longer than what is measured is kept; use ${formatDuration(longestOverMs)} at most`,
    );
  if (failing !== null) {
    if (metric.unit !== "share of time")
      throw new Wrong(`"${metric.name}" cannot be failing; compare it with a number, such as ${exampleOf(metric)}`);
    return { is: "threshold", ...subject, take: "last", overMs: overMs ?? 0, compare: "<", threshold: 1 };
  }
  const threshold = thresholdOf(metric, compared?.[3] ?? "");
  return { is: "threshold", ...subject, overMs: over, compare: compared?.[2] as Compare, threshold };
}

/** What is told by its newest sample needs no window; what is counted does. */
function defaultOver(metric: Metric, take: Take): number {
  return take === "last" && metric.column === undefined && metric.q === undefined ? 0 : defaultOverMs;
}

function parseSubject(text: string, declared: readonly string[] | null) {
  const found = /^(.*?)(?:\s+of\s+(\S+))?(?:\s+at\s+(\S+))?$/.exec(text.trim());
  let name = found?.[1] ?? "";
  const [first = "", ...rest] = name.split(/\s+/);
  const take = takes.find((each) => each === first && rest.length > 0) ?? null;
  if (take !== null) name = rest.join(" ");
  name = name.replace(/^p(\d[\d.]*)$/, "latency p$1");
  const isDeclared = declared === null ? metricOf(name) === null && namePattern.test(name) : declared.includes(name);
  const metric = isDeclared ? declaredMetric(name) : metricOf(name);
  if (metric === null) {
    const guess = nearest(name, [...metricNames, ...(declared ?? [])]);
    throw new Wrong(
      `there is no metric "${name}"; ${guess === null ? `there are ${metricNames.join(", ")}` : `did you mean "${guess}"?`}`,
    );
  }
  return { metric, service: serviceOf(found?.[2]), asked: found?.[3] ?? null, take: take ?? metric.take };
}

function serviceOf(text: string | undefined) {
  return text === undefined ? null : serviceName(text);
}

function known(name: string): Metric {
  const metric = metricOf(name);
  if (metric === null) throw new Error(`the catalogue lacks ${name}`);
  return metric;
}

const readers: Record<Unit, (text: string) => number | null> = {
  ratio: parsePercent,
  "share of time": parsePercent,
  ms: parseDuration,
  bytes: parseSize,
  "per second": (text) => plain(text.replace(/\s*\/\s*s$/, "")),
  count: plain,
  days: (text) => {
    const ms = parseDuration(text);
    return ms === null ? plain(text) : ms / 86_400_000;
  },
  cores: plain,
  none: plain,
};

const examples: Record<Unit, string> = {
  ratio: "> 10%",
  "share of time": "< 99%",
  ms: "> 800ms",
  bytes: "> 512MB",
  "per second": "> 100/s",
  count: "> 5",
  days: "< 14d",
  cores: "> 0.7",
  none: "> 5",
};

const exampleOf = (metric: Metric) => `${metric.name} ${examples[metric.unit]}`;

function plain(text: string): number | null {
  return /^-?\d{1,12}(\.\d{1,6})?$/.test(text.trim()) ? Number(text) : null;
}

function thresholdOf(metric: Metric, text: string): number {
  const value = readers[metric.unit](text.trim().replace(/^(\d[\d.]*)\s+(%|[a-zA-Z]+)$/, "$1$2"));
  if (value === null)
    throw new Wrong(`"${text.trim()}" does not fit ${metric.name}; write for example ${exampleOf(metric)}`);
  return value;
}

const verbs: Record<string, Action> = {
  rollback: { do: "rollback" },
  pause: { do: "pause" },
  restart: { do: "restart" },
  page: { do: "page" },
  "suggest scale up": { do: "suggest-scale-up" },
  "suggest scale-up": { do: "suggest-scale-up" },
};

export function parseActions(text: string): { readonly actions: readonly Action[]; readonly severity: Severity } {
  const words = text
    .split(",")
    .map((word) => word.trim().replaceAll(/\s+/g, " "))
    .filter((word) => word !== "");
  let severity: Severity | null = null;
  const actions: Action[] = [];
  for (const word of words) {
    const told = /^notify ([a-z][a-z0-9-]*)$/.exec(word);
    const flag = /^flag off ([a-z][a-z0-9-]*)$/.exec(word)?.[1];
    const action: Action | undefined =
      flag !== undefined ? { do: "flag-off", flag } : told === null ? verbs[word] : { do: "notify", to: told[1] ?? "" };
    const level = severities.find((each) => each === word);
    if (level !== undefined) severity = level;
    else if (action !== undefined) actions.push(action);
    else {
      const guess = nearest(word, [...Object.keys(verbs), ...severities, "notify", "flag off"]);
      const advice =
        guess === null
          ? "use rollback, pause, restart, page, notify <name>, flag off <name>, suggest scale up"
          : `did you mean "${guess}"?`;
      throw new Wrong(`"${word}" is not an action; ${advice}`);
    }
  }
  const isGrave = actions.some((action) => action.do === "rollback" || action.do === "page");
  return { actions, severity: severity ?? (isGrave ? "critical" : "warning") };
}
