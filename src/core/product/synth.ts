import { z } from "zod";
import { type ArtifactName, artifactMeanings, artifactNames } from "../synth/artifact.ts";
import { named, optional, required } from "./key.ts";
import { checkedText, environmentText, environmentVariable, flag, notA } from "./values.ts";

export const synthDefaults = {
  branch: "main",
  // A version, so that the machine does not change under a workflow by itself.
  runner: "ubuntu-24.04",
  deployRunner: "slipway",
} as const;

const artifactShape = Object.fromEntries(
  artifactNames.map((name) => [
    name,
    optional(flag(), {
      meaning: `Whether slipway synth writes ${artifactMeanings[name]}.`,
      default: false,
      example: true,
    }),
  ]),
) as Record<ArtifactName, ReturnType<typeof optional<ReturnType<typeof flag>>>>;

const noticesSchema = named(
  "SynthNoticesInput",
  "Who is told by the pipeline that synth writes.",
  z.strictObject({
    slack: optional(environmentVariable(), {
      meaning: "The variable, or the credential in Jenkins, with the address of a webhook of Slack.",
      default: "(nobody is told there)",
      example: "SLACK_WEBHOOK",
    }),
    monday: optional(
      named(
        "SynthMondayInput",
        "An item at Monday that gets an update.",
        z.strictObject({
          tokenFrom: required(environmentVariable(), {
            meaning: "The variable, or the credential in Jenkins, with the API's token.",
            example: "MONDAY_TOKEN",
          }),
          item: required(itemId(), { meaning: "The item's number.", example: "1234567890" }),
        }),
      ),
      {
        meaning: "The item that gets an update.",
        default: "(none)",
        example: { tokenFrom: "MONDAY_TOKEN", item: "1234567890" },
      },
    ),
  }),
);

export const synthSchema = named(
  "SynthInput",
  "Which files slipway synth writes, for those who stay with other tools.",
  z.strictObject({
    ...artifactShape,
    environment: optional(environmentText(), {
      meaning: "Whose docker-compose.prod.yml, Caddyfile, template and init-server.sh are written.",
      default: "(production, where there is one, else the last)",
      example: "production",
    }),
    branch: optional(branchText(), {
      meaning: "The branch whose pushes are deployed, where triggers do not say it.",
      default: synthDefaults.branch,
      example: "trunk",
    }),
    runner: optional(label(), {
      meaning: "Where the checks run: a machine of GitHub, or the label of one of yours.",
      default: synthDefaults.runner,
      example: "ubuntu-24.04",
    }),
    deployRunner: optional(label(), {
      meaning:
        "The label of the runner, or of Jenkins' agent, on the machine of the control plane. It needs no key to deploy: it may because of where it is.",
      default: synthDefaults.deployRunner,
      example: "slipway",
    }),
    notices: optional(noticesSchema, {
      meaning: "Who is told how it went.",
      default: {},
      example: { slack: "SLACK_WEBHOOK" },
    }),
  }),
);

export const synthDoc = {
  meaning: "Which files slipway synth writes, for those who stay with other tools; slipway synth --check finds drift.",
  default: "(only what the command names)",
  example: { github: true, compose: true, deployment: true },
} as const;

function label(): z.ZodType<string, string> {
  const allowed = "a label, such as ubuntu-24.04 or slipway";
  const pattern = /^[A-Za-z0-9][\w.-]{0,99}$/;
  return checkedText({ type: "string", allowed, pattern: pattern.source }, (seen) =>
    pattern.test(seen) ? null : notA(seen, "label", allowed),
  );
}

function branchText(): z.ZodType<string, string> {
  const allowed = "the name of a branch, such as main";
  const pattern = /^(?![-/.])(?!.*(?:\.\.|\/\/|@\{|\.lock$))[\w./+@-]{1,200}(?<![./])$/;
  return checkedText({ type: "string", allowed, pattern: pattern.source }, (seen) =>
    pattern.test(seen) ? null : notA(seen, "branch", allowed),
  );
}

function itemId(): z.ZodType<string, string> {
  const allowed = 'the number in the item\'s address, as text: "1234567890"';
  const pattern = /^\d{1,20}$/;
  return checkedText({ type: "string", allowed, pattern: pattern.source }, (seen) =>
    pattern.test(seen) ? null : notA(seen, "item", allowed),
  );
}
