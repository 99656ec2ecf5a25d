import { z } from "zod";
import type { FlagSpec } from "../flags/flag.ts";
import { parseListen } from "./addresses.ts";
import { listenText } from "./http-values.ts";
import type { FlagInput, FlagServerInput } from "./input.ts";
import { named, optional, required } from "./key.ts";
import { ratio, valid } from "./resolve-values.ts";
import type { EnvironmentSpec } from "./spec.ts";
import { checkedText, decimal, flag, name, percent, text, wholeNumber } from "./values.ts";
import { show } from "./wording.ts";

export const flagDefaults = {
  off: false,
  on: true,
  percentage: "0%",
  rulePercentage: "100%",
  listen: "127.0.0.1:9810",
} as const;

const flagValue = () => z.union([flag(), text(), decimal({ min: -1e12, max: 1e12 })]);

const ruleSchema = named(
  "FlagRuleInput",
  "Who is decided apart from the others.",
  z.strictObject({
    when: required(z.record(text(), z.array(text()).min(1).max(1_000)), {
      meaning:
        "Attributes and the texts of which each must have one; * stands for any text. All must match. key is who asks.",
      example: { plan: ["pro", "team"], key: ["*@example.com"] },
      allowed: 'attributes and texts, such as { plan: ["pro"] }',
    }),
    percentage: optional(percent(), {
      meaning: "How many of them have it on.",
      default: flagDefaults.rulePercentage,
      example: "50%",
    }),
  }),
);

export const flagSchema = named(
  "FlagInput",
  "A switch in the code that may be turned without a release.",
  z.strictObject({
    off: optional(flagValue(), {
      meaning: "The value of those who have it off: a boolean, a text or a number.",
      default: flagDefaults.off,
      example: "blue",
      allowed: "true, false, a text or a number",
    }),
    on: optional(flagValue(), {
      meaning: "The value of those who have it on, of the same type.",
      default: flagDefaults.on,
      example: "green",
      allowed: "true, false, a text or a number",
    }),
    percentage: optional(percent(), {
      meaning: "How many have it on, where no rule matches. A percentage that grows takes nobody out.",
      default: flagDefaults.percentage,
      example: "25%",
    }),
    rules: optional(z.array(ruleSchema).max(50), {
      meaning: "Who is decided apart from the others; the first that matches decides.",
      default: [],
      example: [{ when: { plan: ["pro"] }, percentage: "100%" }],
      allowed: 'a list such as [{ when: { plan: ["pro"] } }]',
    }),
  }),
);

export const flagsByName = z.record(name("flag"), flagSchema);
export const flagsByNameOverride = z.record(name("flag"), flagSchema.nullable());

export const flagsDoc = {
  meaning:
    "Feature flags, by name. Services ask for them by OpenFeature (slipway/openfeature); slipway flag set turns one without a release, and a rule may switch one off: -> flag off <name>.",
  default: {},
  example: { "new-checkout": { percentage: "10%", rules: [{ when: { plan: ["staff"] } }] } },
  allowed: 'names and flags, such as { "new-checkout": { percentage: "10%" } }',
} as const;

function serverUrl(): z.ZodType<string, string> {
  const allowed = "an address such as http://10.0.0.9:9810";
  return checkedText({ type: "string", allowed, pattern: "^https?://" }, (seen) =>
    /^https?:\/\/[^\s/?#@]+$/.test(seen) ? null : `${show(seen)} is not an address; use ${allowed}`,
  );
}

export const flagServerSchema = named(
  "FlagServerInput",
  "Where services ask for their flags.",
  z.strictObject({
    listen: optional(z.union([listenText(), wholeNumber({ min: 1, max: 65_535 })]), {
      meaning: "Where the control plane answers them, and nothing else: the API is not reachable there.",
      default: flagDefaults.listen,
      example: ":9810",
    }),
    url: optional(serverUrl(), {
      meaning: "How services reach that, where it is not the same: from containers, from other machines.",
      default: "(http:// and what it listens at)",
      example: "http://10.0.0.9:9810",
    }),
  }),
);

export const flagServerDoc = {
  meaning:
    "Where services ask for their flags. They find it, and a token that only reads, in SLIPWAY_FLAGS_URL and SLIPWAY_FLAGS_TOKEN.",
  default: "(nowhere: flags keep the values that the code gives them)",
  example: { listen: "127.0.0.1:9810" },
} as const;

export function resolveFlagServer({
  listen = flagDefaults.listen,
  url,
}: FlagServerInput): NonNullable<EnvironmentSpec["flagServer"]> {
  const { host, port } = valid(parseListen(listen), listen);
  const isAnywhere = host === "0.0.0.0" || host === "::";
  const near = isAnywhere ? "127.0.0.1" : host.includes(":") ? `[${host}]` : host;
  return { host, port, url: url ?? `http://${near}:${port}` };
}

export function resolveFlag(input: FlagInput): FlagSpec {
  return {
    off: input.off ?? flagDefaults.off,
    on: input.on ?? flagDefaults.on,
    ratio: ratio(input.percentage ?? flagDefaults.percentage),
    rules: (input.rules ?? []).map(({ when, percentage }) => ({
      when,
      ratio: ratio(percentage ?? flagDefaults.rulePercentage),
    })),
  };
}
