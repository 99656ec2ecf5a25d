import type { EnvironmentSpec } from "../../product/spec.ts";
import { parseRule } from "./parse.ts";
import type { Rule } from "./rule.ts";

/** The rules of a release's environment; a line that this version does not understand is told apart, and is not in force. */
export function rulesOf(spec: Pick<EnvironmentSpec, "rules" | "metrics">): {
  readonly rules: readonly Rule[];
  readonly misunderstood: readonly { readonly name: string; readonly why: string }[];
} {
  const rules: Rule[] = [];
  const misunderstood: { readonly name: string; readonly why: string }[] = [];
  const declared = (spec.metrics ?? []).map(({ name }) => name);
  for (const [name, { when, ...more }] of Object.entries(spec.rules ?? {})) {
    const parsed = parseRule(when, declared);
    if (parsed.is === "wrong") misunderstood.push({ name, why: parsed.why });
    else rules.push({ name, text: when, ...parsed.rule, ...more });
  }
  return { rules, misunderstood };
}
