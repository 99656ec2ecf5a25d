import { z } from "zod";
import { namePlace } from "../previews/name.ts";
import { named, optional, required } from "./key.ts";
import { checkedText, choice, decimal, duration, environmentVariable, text, wholeNumber } from "./values.ts";

export const previewDefaults = {
  host: `${namePlace}.localhost`,
  ttl: "7d",
  limit: 5,
  whenFull: "oldest",
  timeout: "5m",
  secret: "DATABASE_URL",
} as const;

const databaseSchema = named(
  "PreviewDatabaseInput",
  "A PostgreSQL database of its own for each preview, made with psql on the control plane's machine before prepare, and dropped after destroy.",
  z.strictObject({
    template: optional(databaseText(), {
      meaning:
        "The database that it is a copy of. While somebody is connected to that one, PostgreSQL copies it for nobody.",
      default: "(it is empty)",
      example: "shop_template",
    }),
    dump: optional(dumpPath(), {
      meaning: "A file of the commit that it is filled with: of pg_dump, as SQL or as an archive.",
      default: "(nothing)",
      example: "db/seed.dump",
    }),
    secret: optional(environmentVariable(), {
      meaning:
        "The secret that services have as its address. What is set for the template names the server and the role; the database in it is the preview's own.",
      default: previewDefaults.secret,
      example: "POSTGRES_URL",
    }),
    admin: optional(environmentVariable(), {
      meaning:
        "The secret with the address of a role that may make databases, give them to the services' role, and drop them.",
      default: "(the same secret: then that role makes its own)",
      example: "ADMIN_DATABASE_URL",
    }),
  }),
);

const dataSchema = named(
  "PreviewDataInput",
  "A preview's own data, made and removed by commands of the commit. They run in a checkout of it, with SLIPWAY_DATA_DIR, a directory that only this preview has and that its processes are told of too, SLIPWAY_PREVIEW, its name, and SLIPWAY_URL.",
  z.strictObject({
    postgres: optional(databaseSchema, {
      meaning: "Makes a PostgreSQL database for each preview, and drops it when that goes.",
      default: "(none)",
      example: { template: "shop_template", admin: "ADMIN_DATABASE_URL" },
    }),
    prepare: optional(z.array(text()).min(1), {
      meaning: "Makes the data, once, before the first release of the preview starts.",
      default: "(nothing)",
      example: ["node", "scripts/preview-data.js"],
      allowed: 'a command and its arguments, such as ["node", "scripts/preview-data.js"]',
    }),
    seed: optional(z.array(text()).min(1), {
      meaning: "Fills it, once, after prepare.",
      default: "(nothing)",
      example: ["node", "scripts/seed.js"],
      allowed: 'a command and its arguments, such as ["node", "scripts/seed.js"]',
    }),
    destroy: optional(z.array(text()).min(1), {
      meaning:
        "Removes what lies outside the preview's own directory, which is removed in any case, when the preview goes. Of the commit that prepare was of.",
      default: "(nothing)",
      example: ["node", "scripts/drop-database.js"],
      allowed: 'a command and its arguments, such as ["node", "scripts/drop-database.js"]',
    }),
    secrets: optional(z.array(environmentVariable()).max(50), {
      meaning:
        "Environment variables of the commands whose values are not in git, such as who may make a database: slipway secret set <name> -e <template>. They are masked in what is kept of their output.",
      default: [],
      example: ["ADMIN_DATABASE_URL"],
      allowed: 'a list such as ["ADMIN_DATABASE_URL"]',
    }),
    timeout: optional(duration({ min: "1s", max: "1h" }), {
      meaning: "A command that has not ended by then is stopped, with all that it has started, and has failed.",
      default: previewDefaults.timeout,
      example: "10m",
    }),
  }),
);

const costSchema = named(
  "PreviewCostInput",
  "What previews cost, as far as it is known here: their instances, for as long as they run.",
  z.strictObject({
    instanceHour: required(decimal({ min: 0, max: 1_000 }), {
      meaning: "What an instance costs in an hour, in whatever money you reckon in.",
      example: 0.02,
    }),
    perMonth: required(decimal({ min: 0, max: 1_000_000 }), {
      meaning:
        "What all previews of this template may cost in a month of UTC. From then on none is made, and those that run go to sleep.",
      example: 20,
    }),
  }),
);

export const previewsSchema = named(
  "PreviewsInput",
  "Makes the environment a template: nothing is deployed to it, but branches and pull requests get one each of their own like it.",
  z.strictObject({
    host: optional(hostPattern(), {
      meaning:
        "The host of a preview. {name} stands for its own part of its name, such as pr-12. All routes of the template answer there, whatever host they have elsewhere.",
      default: previewDefaults.host,
      example: "{name}.preview.example.org",
    }),
    ttl: optional(duration({ min: "1m", max: "365d" }), {
      meaning: "How long after the last push it is removed.",
      default: previewDefaults.ttl,
      example: "14d",
    }),
    sleep: optional(duration({ min: "1s", max: "30d" }), {
      meaning:
        "How long nobody has asked it anything before it is stopped. The next request waits until it has been started again. Only with the embedded edge.",
      default: "(it never sleeps)",
      example: "30m",
    }),
    limit: optional(wholeNumber({ min: 1, max: 500 }), {
      meaning: "How many there may be at once.",
      default: previewDefaults.limit,
      example: 10,
    }),
    whenFull: optional(choice(["oldest", "refuse"]), {
      meaning:
        "What is done when there would be one more: the one that nobody has asked or pushed to for the longest time is removed, or the new one is refused.",
      default: previewDefaults.whenFull,
      example: "refuse",
    }),
    cost: optional(costSchema, {
      meaning: "What previews may cost.",
      default: "(nobody reckons)",
      example: { instanceHour: 0.02, perMonth: 20 },
    }),
    data: optional(dataSchema, {
      meaning:
        "Commands that make, fill and remove the data of a preview. Containers have accessories and volumes of their own without them.",
      default: "(none)",
      example: { prepare: ["node", "scripts/preview-data.js"] },
    }),
  }),
);

export const previewsDoc = {
  meaning:
    "Makes this environment a template for previews: one for each branch or pull request that triggers deploy to it.",
  default: "(none: it is a place of its own)",
  example: { host: "{name}.preview.example.org", ttl: "7d", limit: 5 },
} as const;

function databaseText(): z.ZodType<string, string> {
  const allowed = "the name of a database, at most 63 letters, digits, _ and -";
  const pattern = "^[A-Za-z_][A-Za-z0-9_-]{0,62}$";
  return checkedText({ type: "string", allowed, pattern }, (seen) =>
    new RegExp(pattern).test(seen) ? null : `${JSON.stringify(seen)} is no ${allowed}`,
  );
}

function dumpPath(): z.ZodType<string, string> {
  const allowed = "a path within the repository, beside the config";
  return checkedText({ type: "string", allowed }, (seen) =>
    seen === "" || seen.startsWith("/") || seen.startsWith("-") || seen.split("/").includes("..")
      ? `${JSON.stringify(seen)} is not ${allowed}`
      : null,
  );
}

/** One label, or a part of one, is the preview's own. */
function hostPattern(): z.ZodType<string, string> {
  const allowed = "a host with {name} in its first label, such as {name}.preview.example.org";
  const pattern = "^(?:[a-z0-9][a-z0-9-]{0,20})?\\{name\\}(?:\\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+$";
  return checkedText({ type: "string", allowed, pattern }, (seen) =>
    new RegExp(pattern).test(seen) && seen.length <= 200
      ? null
      : `${JSON.stringify(seen)} is no host of previews; use ${allowed}`,
  );
}
