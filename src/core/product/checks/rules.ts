import { contradictions } from "../../judge/rule/contradictions.ts";
import { rulesOf } from "../../judge/rule/of-spec.ts";
import { error, type Finding, type Place, warning } from "./finding.ts";

/** Rules that speak of what is not there, or that undo each other. */
export function checkRules({ spec, where }: Place): readonly Finding[] {
  const known = {
    services: Object.keys(spec.services),
    notifiers: Object.keys(spec.notifiers ?? {}),
    flags: Object.keys(spec.flags ?? {}),
  };
  const { rules, misunderstood } = rulesOf(spec);
  const doubts = contradictions(rules, known).map(({ rule, is, why }) => {
    const say = is === "error" ? error : warning;
    return say(where(["rules", rule]), why, { because: [["services"], ["notifiers"], ["flags"]] });
  });
  return [...misunderstood.map(({ name, why }) => error(where(["rules", name]), why)), ...doubts];
}
