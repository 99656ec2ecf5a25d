import type { RuleLook } from "../judge/rule/evaluate.ts";
import { parseRule } from "../judge/rule/parse.ts";
import type { Rule } from "../judge/rule/rule.ts";
import type { GateReading } from "./reading.ts";

export type ParsedCondition =
  | { readonly is: "condition"; readonly rule: Rule }
  | { readonly is: "wrong"; readonly why: string };

/**
 * What must hold for a gate to be open, in a line such as `error ratio < 1% over 5m` or `uptime of api > 99.9% for 2m`: the
 * language of rules without what is done. `declared` as in `parseRule`.
 */
export function parseGateCondition(text: string, declared: readonly string[] | null): ParsedCondition {
  const wrong = (why: string): ParsedCondition => ({ is: "wrong", why });
  if (text.includes("->")) return wrong(`"->" is for rules; here the step is what is done`);
  const parsed = parseRule(text, declared);
  if (parsed.is === "wrong") return parsed;
  const { condition, during } = parsed.rule;
  if (condition.is === "burn" || !/[<>]/.test(text))
    return wrong("it must say what holds when all is well, such as error ratio < 1% over 5m or uptime > 99.9%");
  if (during !== null) return wrong(`times are said by windows and freezes; leave out "during ${during.text}"`);
  const rule = { ...parsed.rule, name: text, text, looks: 1, minimum: 1, whenUnknown: "wait", dryRun: true } as const;
  return { is: "condition", rule };
}

/** A condition, and how it stood at the last look; null before the first. */
export type ConditionLook = { readonly text: string; readonly look: Pick<RuleLook, "is" | "reason"> | null };

/** Open only while it is known to hold: what cannot be measured opens nothing. */
export function readCondition({ text, look }: ConditionLook): GateReading {
  const says = look === null ? `${text}: not looked at yet` : `${text}: ${look.reason}`;
  return { gate: "condition", open: look?.is === "firing", says, opensAt: null };
}
