import type { EpochMs } from "../ids.ts";
import type { RuleLook } from "../judge/rule/evaluate.ts";
import { parseRule } from "../judge/rule/parse.ts";
import type { Rule } from "../judge/rule/rule.ts";
import { passedBy } from "./override.ts";
import type { GateReading } from "./reading.ts";

export type ParsedCondition =
  | { readonly is: "condition"; readonly rule: Rule }
  | { readonly is: "wrong"; readonly why: string };

/**
 * What must hold for a gate to be open, in a line such as `error ratio < 1% over 5m` or `uptime of api > 99.9% for 2m`: the
 * language of rules without what is done. `declared` as in `parseRule`. The gate of an environment may hold at certain times only, as a
 * step's may not, whose windows say that; and it looks once, so there is no `for`.
 */
export function parseGateCondition(
  text: string,
  declared: readonly string[] | null,
  gateOf: "step" | "environment" = "step",
): ParsedCondition {
  const wrong = (why: string): ParsedCondition => ({ is: "wrong", why });
  if (text.includes("->"))
    return wrong(`"->" is for rules; here the ${gateOf === "step" ? "step" : "deployment"} is what is done`);
  const parsed = parseRule(text, declared);
  if (parsed.is === "wrong") return parsed;
  const { condition, during, forMs } = parsed.rule;
  if (condition.is === "burn" || !/[<>]/.test(text))
    return wrong("it must say what holds when all is well, such as error ratio < 1% over 5m or uptime > 99.9%");
  if (gateOf === "environment" && forMs > 0)
    return wrong(
      `nobody looks at it before somebody waits, so there is no "for"; say how far back it looks with "over"`,
    );
  if (gateOf === "step" && during !== null)
    return wrong(`times are said by windows and freezes; leave out "during ${during.text}"`);
  const rule = { ...parsed.rule, name: text, text, looks: 1, minimum: 1, whenUnknown: "wait", dryRun: true } as const;
  return { is: "condition", rule };
}

/** A condition, and how it stood at the last look; null before the first. */
export type ConditionLook = { readonly text: string; readonly look: Pick<RuleLook, "is" | "reason"> | null };

/** One that an environment asks of what is live there, as it stood at a moment. */
export type EnvironmentCondition = ConditionLook & { readonly at: EpochMs };

/** What was looked at longer ago than this, or before the deployment was asked for, is not known any more. */
export const freshMs = 60_000;

/**
 * Open while it holds of what is live, and outside of the times at which it is asked. What makes it better must get through, so whoever
 * passes a budget by passes this too.
 */
export function readEnvironmentCondition(
  text: string,
  looks: readonly EnvironmentCondition[],
  {
    askedAt,
    now,
    override,
  }: { readonly askedAt: EpochMs; readonly now: EpochMs; readonly override: Parameters<typeof passedBy>[1] },
): GateReading {
  const found = looks.find((look) => look.text === text);
  const isKnown = found !== undefined && found.at >= askedAt && now - found.at <= freshMs;
  if (isKnown && found.look?.is === "off")
    return { gate: "condition", open: true, says: `${text}: ${found.look.reason}`, opensAt: null };
  return passedBy(readCondition({ text, look: isKnown ? found.look : null }), override);
}

/** Open only while it is known to hold: what cannot be measured opens nothing. */
export function readCondition({ text, look }: ConditionLook): GateReading {
  const says = look === null ? `${text}: not looked at yet` : `${text}: ${look.reason}`;
  return { gate: "condition", open: look?.is === "firing", says, opensAt: null };
}
