import { z } from "zod";
import { ciDoc, ciSchema } from "./ci-access.ts";
import { address, reportDoc, reportSchema } from "./forge-report.ts";
import { forges } from "./forges.ts";
import { listenText } from "./http-values.ts";
import { named, optional, required } from "./key.ts";
import {
  checkedText,
  choice,
  duration,
  environmentText,
  environmentVariable,
  name,
  text,
  wholeNumber,
} from "./values.ts";

export const triggerDefaults = {
  remote: "origin",
  listen: "127.0.0.1:9800",
  secret: "WEBHOOK_SECRET",
  timeZone: "UTC",
} as const;

const deployDoc = {
  meaning:
    "The environment that the release is deployed to when the run has passed. Without it the run checks the commit, and no release is made.",
  default: "(none: a run only)",
  example: "production",
} as const;

const refSchema = named(
  "TriggerInput",
  "What a push begins: always a run of the pipeline.",
  z.strictObject({ deploy: optional(environmentText(), deployDoc) }),
);

const pullRequestsSchema = named(
  "PullRequestsInput",
  "What a pull request, or a merge request, gets from the forge's webhooks.",
  z.strictObject({
    deploy: required(environmentText(), {
      meaning: "The template of the preview that each has, from when it is opened until it is closed.",
      example: "preview",
    }),
    forks: optional(z.boolean(), {
      meaning:
        "Whether pull requests from other repositories have one too: then whoever can open one has their code run on the target, with the secrets of the previews.",
      default: false,
      example: true,
    }),
  }),
);

const scheduleSchema = named(
  "TriggerScheduleInput",
  "What is begun again and again, with the newest commit of a branch.",
  z.strictObject({
    cron: required(cronText(), {
      meaning: "When: minute, hour, day of the month, month, day of the week.",
      example: "0 3 * * *",
    }),
    timeZone: optional(text(), {
      meaning: "The time zone of cron.",
      default: triggerDefaults.timeZone,
      example: "Europe/Berlin",
    }),
    branch: required(refText(), { meaning: "Whose newest commit is taken.", example: "main" }),
    deploy: optional(environmentText(), deployDoc),
  }),
);

const webhookSchema = named(
  "WebhookInput",
  "How the forge tells us of pushes.",
  z.strictObject({
    forge: required(choice(forges, { forgejo: 'is "gitea" here: its webhooks are the same' }), {
      meaning: "Whose webhooks they are.",
      example: "github",
    }),
    listen: optional(z.union([listenText(), wholeNumber({ min: 1, max: 65_535 })]), {
      meaning:
        "Where they come in, and nothing else: the API is not reachable there. It speaks HTTP, for a proxy or a tunnel with TLS in front.",
      default: triggerDefaults.listen,
      example: ":9800",
    }),
    secret: optional(environmentVariable(), {
      meaning: "The secret that the forge signs with, or sends as its token: slipway secret set <name> -e triggers.",
      default: triggerDefaults.secret,
      example: "WEBHOOK_SECRET",
    }),
  }),
);

const refsAllowed = 'patterns and what a push begins, such as { main: { deploy: "production" }, "feature/*": {} }';

export const triggersSchema = named(
  "TriggersInput",
  "What begins runs, releases and deployments by itself.",
  z.strictObject({
    branches: optional(z.record(refText(), refSchema), {
      meaning:
        "What a push to a branch begins. * stands for any text; a name without it goes before patterns, and of those the first one that fits. A branch that is not here begins nothing.",
      default: {},
      example: { main: { deploy: "production" }, staging: { deploy: "staging" }, "feature/*": {} },
      allowed: refsAllowed,
    }),
    tags: optional(z.record(refText(), refSchema), {
      meaning: "What a new tag begins, in the same way.",
      default: {},
      example: { "v*": { deploy: "production" } },
      allowed: refsAllowed,
    }),
    schedules: optional(z.record(name("schedule"), scheduleSchema), {
      meaning: "What is begun by the clock, by name.",
      default: {},
      example: { nightly: { cron: "0 3 * * *", branch: "main" } },
      allowed: 'names and schedules, such as { nightly: { cron: "0 3 * * *", branch: "main" } }',
    }),
    pullRequests: optional(pullRequestsSchema, {
      meaning: "What pull requests begin: a preview for each.",
      default: "(nothing)",
      example: { deploy: "preview" },
    }),
    remote: optional(remoteText(), {
      meaning:
        "Where pushed commits are fetched from: a remote of the repository, or an address of git. The control plane's own git, keys and credential helpers are used; it is never asked for a password.",
      default: triggerDefaults.remote,
      example: "git@github.com:acme/shop.git",
    }),
    repository: optional(text(), {
      meaning:
        "The repository's name at the forge; webhooks of others begin nothing, and what is reported is reported there.",
      default: "(whatever has the right secret)",
      example: "acme/shop",
    }),
    webhook: optional(webhookSchema, {
      meaning: "How the forge tells us of pushes.",
      default: "(none)",
      example: { forge: "github", listen: ":9800" },
    }),
    report: optional(reportSchema, reportDoc),
    ci: optional(ciSchema, ciDoc),
    listen: optional(z.union([listenText(), wholeNumber({ min: 1, max: 65_535 })]), {
      meaning:
        "Where jobs of a CI and links that were sent to people come in. Nothing else of the API is reachable there. It speaks HTTP, for a proxy or a tunnel with TLS in front.",
      default: "(where webhooks come in; without a webhook 127.0.0.1:9800 as soon as there is a url)",
      example: ":9800",
    }),
    url: optional(address(), {
      meaning: "Where people reach this control plane, for links in what the forge and people are told.",
      default: "(none: no links)",
      example: "https://slipway.example.com",
    }),
    poll: optional(duration({ min: "1s", max: "1d" }), {
      meaning: "How often the remote is asked for what was pushed; for forges that cannot reach us.",
      default: "(never)",
      example: "1m",
    }),
  }),
);

export const triggersDoc = {
  meaning:
    "What begins runs, releases and deployments by itself: pushes, tags, the clock. In force after slipway triggers apply.",
  default: "(none: everything is begun by hand)",
  example: {
    branches: { main: { deploy: "production" }, "feature/*": {} },
    webhook: { forge: "github", listen: ":9800" },
  },
} as const;

/** A branch or tag, or a pattern of them. What git refuses in a name, and what a command line could take for an option, is refused. */
function refText(): z.ZodType<string, string> {
  const allowed = 'the name of a branch or tag, or a pattern such as "feature/*"';
  const pattern = "^(?![-/])(?!.*(?:\\.\\.|//|@\\{))[^\\s~^:?\\[\\]\\\\]+(?<![./])$";
  return checkedText({ type: "string", allowed, pattern }, (seen) =>
    new RegExp(pattern).test(seen) && seen.length <= 200 ? null : `${JSON.stringify(seen)} is no name; use ${allowed}`,
  );
}

/** Never an option, and never a transport that runs a program. */
function remoteText(): z.ZodType<string, string> {
  const allowed = 'the name of a remote, such as "origin", or an address of git over ssh, https, http, git or a path';
  return checkedText({ type: "string", allowed }, (seen) => {
    const transport = /^([a-z0-9+.-]+):(?::|\/\/)/i.exec(seen)?.[1]?.toLowerCase();
    const known = transport === undefined || ["ssh", "https", "http", "git", "file"].includes(transport);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: an address with one is a mistake or an attack.
    if (known && !seen.includes("::") && !/^-|[\u0000-\u0020]/.test(seen) && seen !== "") return null;
    return `${JSON.stringify(seen)} is no remote that is taken; use ${allowed}`;
  });
}

function cronText(): z.ZodType<string, string> {
  const allowed = 'five fields, such as "0 3 * * *" for every night at three';
  const pattern = "^\\S+( +\\S+){4}$";
  return checkedText({ type: "string", allowed, pattern }, (seen) =>
    new RegExp(pattern).test(seen) ? null : `${JSON.stringify(seen)} is no schedule; use ${allowed}`,
  );
}
