import { expect, it } from "vitest";
import { parseGateCondition } from "../gates/condition.ts";
import { parseRule } from "../judge/rule/parse.ts";
import { metricNames } from "../metric/catalogue.ts";
import { heldConditions, ruleActions, ruleConditions } from "./rule-line.ts";

it("every line that an editor offers is understood, and there is one for each metric that a rule may watch", () => {
  const wrong = ruleConditions.flatMap((condition) =>
    ruleActions.flatMap((action) => {
      const parsed = parseRule(`${condition} -> ${action}`, null);
      return parsed.is === "wrong" ? [parsed.why] : [];
    }),
  );
  const held = heldConditions.flatMap((condition) =>
    (["step", "environment"] as const).flatMap((gateOf) => {
      const parsed = parseGateCondition(condition, [], gateOf);
      return parsed.is === "wrong" ? [parsed.why] : [];
    }),
  );
  expect([...wrong, ...held]).toEqual([]);
  const offered = ruleConditions.join("\n");
  const seldom = ["client errors", "client aborts", "in flight", "latency p50", "latency p90"];
  expect(metricNames.filter((name) => !offered.includes(name) && !seldom.includes(name))).toEqual([]);
});
