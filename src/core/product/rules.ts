import { z } from "zod";
import { parseRule } from "../judge/rule/parse.ts";
import { named, optional, required } from "./key.ts";
import type { RuleLine } from "./rule-line.ts";
import { checkedText, choice, environmentVariable, flag, name, wholeNumber } from "./values.ts";

export const ruleDefaults = { looks: 1, minimum: 1, whenUnknown: "wait", format: "slack" } as const;

const allowed =
  'a rule such as "error ratio > 10% for 5m -> rollback", "health of api failing for 2m -> rollback" or "error budget 99.9% burns -> page"';

/** A rule in a line; the grammar is in `judge/rule/parse.ts`. */
function ruleText(): z.ZodType<RuleLine, RuleLine> {
  return checkedText<RuleLine>({ type: "RuleLine", allowed }, (seen) => {
    const parsed = parseRule(seen, null);
    return parsed.is === "wrong" ? parsed.why : null;
  });
}

const ruleShape = {
  when: required(ruleText(), {
    meaning: "The rule in a line: metric, condition, window, and what is done.",
    example: "error ratio > 10% for 5m -> rollback",
  }),
  minimum: optional(wholeNumber({ min: 1, max: 1_000_000 }), {
    meaning:
      "What a look has to rest on: requests for a ratio or a latency, samples for everything else. With less it says nothing.",
    default: ruleDefaults.minimum,
    example: 50,
  }),
  looks: optional(wholeNumber({ min: 1, max: 1_000 }), {
    meaning: "How many looks in a row, one a second, have to say that it is broken before it fires.",
    default: ruleDefaults.looks,
    example: 3,
  }),
  whenUnknown: optional(choice(["wait", "fire"]), {
    meaning: "What it means that nothing was measured: wait changes nothing, fire counts as broken.",
    default: ruleDefaults.whenUnknown,
    example: "fire",
  }),
  dryRun: optional(flag(), {
    meaning: "Writes down what it would have done, and does nothing.",
    default: false,
    example: true,
  }),
};

export const ruleSchema = z.union([
  ruleText(),
  named("RuleInput", "A rule with what a line does not say.", z.strictObject(ruleShape)),
]);

export const rulesDoc = {
  meaning:
    "What is watched at all times, by name, and what is done about it: taking a release back, holding a deployment, telling somebody. Stays in force after the bake, until the release is superseded.",
  default: {},
  example: {
    errors: "error ratio > 10% for 5m -> rollback",
    "slow-api": "latency p95 of api > 800ms over 5m -> notify team",
    memory: "memory share > 80% during mon-fri 09:00-17:00 Europe/Berlin -> warning, notify team",
  },
  allowed: 'names and rules, such as { errors: "error ratio > 10% for 5m -> rollback" }',
} as const;

export const rulesByName = z.record(name("rule"), ruleSchema);
export const rulesByNameOverride = z.record(name("rule"), ruleSchema.nullable());

const notifierShape = {
  urlFrom: required(environmentVariable(), {
    meaning:
      "Name of the variable that holds the address, in the control plane's environment. The address itself is a secret.",
    example: "SLACK_WEBHOOK",
  }),
  format: optional(choice(["slack", "alertmanager"]), {
    meaning:
      "What is sent: slack is a text, as Slack, Mattermost and Rocket.Chat take it; alertmanager is its version 4 payload.",
    default: ruleDefaults.format,
    example: "alertmanager",
  }),
};

const notifierSchema = named("NotifierInput", "Somebody who is told, by a webhook.", z.strictObject(notifierShape));

export const notifiersDoc = {
  meaning: "Who is told when rules fire, by name.",
  default: {},
  example: { team: { urlFrom: "SLACK_WEBHOOK" } },
  allowed: 'names and webhooks, such as { team: { urlFrom: "SLACK_WEBHOOK" } }',
} as const;

export const notifiersByName = z.record(name("notifier"), notifierSchema);
export const notifiersByNameOverride = z.record(name("notifier"), notifierSchema.nullable());
