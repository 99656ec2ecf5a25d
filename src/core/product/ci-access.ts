import { z } from "zod";
import { type CiVerb, ciVerbs } from "../ci/access.ts";
import { address } from "./forge-report.ts";
import { named, optional, required } from "./key.ts";
import { checkedText, choice, environmentText, text } from "./values.ts";

/** Issuers with a name of their own. */
export const knownIssuers = {
  github: "https://token.actions.githubusercontent.com",
  gitlab: "https://gitlab.com",
} as const;

export const ciDefaults = { verbs: ["deploy"] as readonly CiVerb[] } as const;

function issuerText(): z.ZodType<string, string> {
  const allowed = '"github", "gitlab", or the address of an issuer, such as https://oidc.circleci.com/org/<id>';
  const isAddress = (seen: string): boolean => address().safeParse(seen).success;
  return checkedText({ type: "string", allowed }, (seen) =>
    Object.hasOwn(knownIssuers, seen) || isAddress(seen)
      ? null
      : `${JSON.stringify(seen)} is no issuer; use ${allowed}`,
  );
}

const claimText = () => z.union([text(), z.array(text()).min(1).max(50)]);

const ruleSchema = named(
  "CiAccessInput",
  "Which jobs of a CI may do what.",
  z.strictObject({
    issuer: required(issuerText(), { meaning: "Who signs the job's ID token.", example: "github" }),
    audience: optional(text(), {
      meaning: "For whom the token must be: something that is only ours.",
      default: "(triggers.url)",
      example: "https://slipway.example.com",
    }),
    claims: required(z.record(text(), claimText()), {
      meaning:
        "What the token must say, by claim; * stands for any text, and of a list one must fit. One of them must name the repository.",
      example: { repository: "acme/shop", ref: "refs/heads/main" },
      allowed: 'claims and what they must say, such as { repository: "acme/shop", ref: "refs/heads/main" }',
    }),
    environments: required(z.array(environmentText()).min(1).max(50), {
      meaning: "Where such a job may do it.",
      example: ["production"],
      allowed: 'a list of environments, such as ["production"]',
    }),
    verbs: optional(z.array(choice(ciVerbs)).min(1), {
      meaning: "What it may do; to follow what it has begun is always allowed.",
      default: [...ciDefaults.verbs],
      example: ["deploy", "rollback"],
    }),
  }),
);

export const ciSchema = z.array(ruleSchema).min(1).max(50);

export const ciDoc = {
  meaning:
    "Jobs of a CI that may deploy without a stored secret: they prove themselves with an ID token (OpenID Connect).",
  default: "(none)",
  example: [
    { issuer: "github", claims: { repository: "acme/shop", ref: "refs/heads/main" }, environments: ["production"] },
  ],
  allowed: 'a list such as [{ issuer: "github", claims: { repository: "acme/shop" }, environments: ["production"] }]',
} as const;
