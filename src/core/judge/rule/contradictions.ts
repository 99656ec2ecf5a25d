import { noSuch } from "../../product/guess.ts";
import type { Action, Condition, Rule } from "./rule.ts";

/** What cannot be meant, or does nothing: one sentence each, with the rule that it is about. */
export type RuleDoubt = { readonly rule: string; readonly is: "error" | "warning"; readonly why: string };

/** Names that rules may speak of. */
export type Known = {
  readonly services: readonly string[];
  readonly notifiers: readonly string[];
  readonly flags?: readonly string[];
};

/** Rules that say the same twice, that undo each other, or that never end. */
export function contradictions(rules: readonly Rule[], known: Known): readonly RuleDoubt[] {
  return [...rules.flatMap((rule) => alone(rule, known)), ...pairs(rules)];
}

function alone(rule: Rule, known: Known): RuleDoubt[] {
  const doubts: RuleDoubt[] = [];
  const say = (is: RuleDoubt["is"], why: string) => doubts.push({ rule: rule.name, is, why });
  const { service } = rule.condition;
  if (service !== null && !known.services.includes(service)) say("error", noSuch("service", service, known.services));
  for (const action of rule.actions) {
    if (action.do === "notify" && !known.notifiers.includes(action.to))
      say("error", noSuch("notifier", action.to, known.notifiers));
    if ((action.do === "suggest-scale-up" || action.do === "restart") && service === null)
      say("error", `${action.do} needs a service: write "… of api"`);
    if (action.do === "flag-off" && !(known.flags ?? []).includes(action.flag))
      say("error", noSuch("flag", action.flag, known.flags ?? []));
    if (action.do === "page" && known.notifiers.length === 0)
      say("warning", "there is no notifier, so a page is only written to the history");
  }
  const doing = (what: Action["do"]) => rule.actions.some((action) => action.do === what);
  if (doing("rollback") && doing("restart"))
    say("error", "what is taken away by a rollback is not restarted as well; make two rules of it");
  if (doing("rollback") && doing("pause")) say("error", "a deployment cannot be held and taken back at once");
  if (isAlways(rule.condition)) say("error", "it is always broken");
  if (isNever(rule.condition)) say("warning", "it can never be broken");
  return doubts;
}

function isAlways(condition: Condition): boolean {
  if (condition.is === "burn" || condition.metric.worse === null) return false;
  const { compare, threshold } = condition;
  return compare === ">=" && threshold <= 0;
}

function isNever(condition: Condition): boolean {
  if (condition.is === "burn") return false;
  const { metric, compare, threshold } = condition;
  const isShare = metric.unit === "ratio" || metric.unit === "share of time";
  return (compare === ">" && isShare && threshold >= 1 && metric.name !== "cpu") || (compare === "<" && threshold <= 0);
}

/** Two rules of one thing that ask for opposite actions at the same value. */
function pairs(rules: readonly Rule[]): RuleDoubt[] {
  const doubts: RuleDoubt[] = [];
  rules.forEach((one, index) => {
    for (const other of rules.slice(index + 1)) {
      if (!isSame(one.condition, other.condition)) continue;
      const doing = (rule: Rule, what: Action["do"]) => rule.actions.some((action) => action.do === what);
      const isOpposed =
        (doing(one, "rollback") && doing(other, "pause")) || (doing(one, "pause") && doing(other, "rollback"));
      if (isOpposed)
        doubts.push({
          rule: other.name,
          is: "error",
          why: `it and ${one.name} ask for a pause and for a rollback, of the same`,
        });
      else if (one.text === other.text)
        doubts.push({ rule: other.name, is: "warning", why: `it says the same as ${one.name}` });
    }
  });
  return doubts;
}

function isSame(one: Condition, other: Condition): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
