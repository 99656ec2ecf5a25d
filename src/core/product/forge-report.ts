import { z } from "zod";
import { forges } from "./forges.ts";
import { named, optional } from "./key.ts";
import { checkedText, choice, environmentVariable, flag, notA, text } from "./values.ts";

/** `https://slipway.example.com`: where something is reached, without a query. */
export function address(): z.ZodType<string, string> {
  const allowed = "an address that begins with https:// or http://, such as https://slipway.example.com";
  return checkedText({ type: "string", allowed, pattern: "^https?://" }, (seen) => {
    const url = URL.canParse(seen) ? new URL(seen) : null;
    const fits = url !== null && /^https?:$/.test(url.protocol) && url.search === "" && url.hash === "";
    return fits && url.username === "" && url.password === "" ? null : notA(seen, "address", allowed);
  });
}

export const reportDefaults = { token: "FORGE_TOKEN" } as const;

export const reportSchema = named(
  "ReportInput",
  "What the forge is told of runs and deployments.",
  z.strictObject({
    forge: optional(choice(forges, { forgejo: 'is "gitea" here: its API is the same' }), {
      meaning: "Whose API it is.",
      default: "(that of the webhook)",
      example: "github",
    }),
    api: optional(address(), {
      meaning: "Where its API is; of a forge of one's own.",
      default: "(that of github.com, gitlab.com or bitbucket.org; Gitea's must be given)",
      example: "https://git.example.com/api/v1",
    }),
    token: optional(environmentVariable(), {
      meaning:
        "The secret with the token that may write statuses and comments: slipway secret set <name> -e triggers. With app it is the app's private key.",
      default: reportDefaults.token,
      example: "FORGE_TOKEN",
    }),
    app: optional(text(), {
      meaning:
        "The id of a GitHub App that is installed for the repository. Runs and deployments are checks then, instead of statuses.",
      default: "(none: the token is a person's or a repository's)",
      example: "123456",
    }),
    deployments: optional(flag(), {
      meaning: "Whether GitHub or GitLab is told of deployments as such, beside the status of their commit.",
      default: true,
      example: false,
    }),
    comment: optional(flag(), {
      meaning: "Whether the pull request of a commit gets one comment that is kept up to date.",
      default: true,
      example: false,
    }),
  }),
);

export const reportDoc = {
  meaning:
    "What is written back to the forge: statuses of commits, GitHub's checks and deployments, a comment. A forge that is away delays nothing.",
  default: "(nothing is told)",
  example: { forge: "github", token: "FORGE_TOKEN" },
} as const;
