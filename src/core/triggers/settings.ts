import type { CiRule } from "../ci/access.ts";
import { type EnvironmentName, environmentName } from "../ids.ts";
import { parseListen } from "../product/addresses.ts";
import { ciDefaults, knownIssuers } from "../product/ci-access.ts";
import { reportDefaults } from "../product/forge-report.ts";
import type { ForgeKind } from "../product/forges.ts";
import type { ProductInput } from "../product/input.ts";
import type { PreviewsSpec } from "../product/previews-spec.ts";
import { resolvePreviews } from "../product/resolve-previews.ts";
import { triggerDefaults } from "../product/triggers.ts";
import { parseDuration } from "../product/units.ts";

/** What a push to a ref begins: a run, and when there is an environment, a release that is deployed there. */
export type RefRule = { readonly pattern: string; readonly deploy: EnvironmentName | null };

export type ScheduleRule = {
  readonly name: string;
  readonly cron: string;
  readonly timeZone: string;
  readonly branch: string;
  readonly deploy: EnvironmentName | null;
};

/** The triggers of a product, with their defaults. */
export type TriggerSettings = {
  readonly branches: readonly RefRule[];
  readonly tags: readonly RefRule[];
  readonly schedules: readonly ScheduleRule[];
  readonly remote: string;
  readonly repository: string | null;
  readonly webhook: {
    readonly forge: ForgeKind;
    readonly host: string;
    readonly port: number;
    /** The name of the secret. */
    readonly secret: string;
  } | null;
  readonly pollMs: number | null;
  readonly report: ReportSettings | null;
  /** Where people reach this control plane, without a slash at its end. */
  readonly url: string | null;
  readonly ci: readonly CiRule[];
  /** Where what comes from outside is listened for; null: nowhere. */
  readonly listen: { readonly host: string; readonly port: number } | null;
  readonly pullRequests: { readonly deploy: EnvironmentName; readonly forks: boolean } | null;
  /** What is in force for previews, by template. */
  readonly templates: Readonly<Record<EnvironmentName, PreviewsSpec>>;
};

/** What the forge is told, and where. */
export type ReportSettings = {
  readonly forge: ForgeKind;
  /** Without a slash at its end. */
  readonly api: string;
  readonly repository: string;
  /** The name of the secret. */
  readonly token: string;
  readonly app: string | null;
  readonly deployments: boolean;
  readonly comment: boolean;
};

/** Where the APIs are that everybody has. Gitea is everybody's own. */
const apis: Readonly<Record<ForgeKind, string | null>> = {
  github: "https://api.github.com",
  gitlab: "https://gitlab.com/api/v4",
  gitea: null,
  bitbucket: "https://api.bitbucket.org/2.0",
};

/** As they were kept: those of before have less. */
export function keptTriggers(text: string): TriggerSettings {
  const kept = JSON.parse(text) as Omit<TriggerSettings, keyof typeof without> & Partial<TriggerSettings>;
  return { ...without, ...kept };
}

const without = { report: null, url: null, ci: [], listen: null, pullRequests: null, templates: {} } as const;

/** Null: the config has none. */
export function triggerSettings({
  triggers,
  environments = {},
}: Pick<ProductInput, "triggers" | "environments">): TriggerSettings | null {
  if (triggers === undefined) return null;
  const { branches = {}, tags = {}, schedules = {}, webhook, poll, pullRequests } = triggers;
  const listen = parseListen(webhook?.listen ?? triggerDefaults.listen);
  return {
    branches: refRules(branches),
    tags: refRules(tags),
    schedules: Object.entries(schedules).map(([name, { cron, timeZone, branch, deploy }]) => ({
      name,
      cron,
      timeZone: timeZone ?? triggerDefaults.timeZone,
      branch,
      deploy: place(deploy),
    })),
    remote: triggers.remote ?? triggerDefaults.remote,
    repository: triggers.repository ?? null,
    webhook:
      webhook === undefined || listen === null
        ? null
        : { forge: webhook.forge, ...listen, secret: webhook.secret ?? triggerDefaults.secret },
    pollMs: poll === undefined ? null : parseDuration(poll),
    report: reportOf(triggers),
    url: triggers.url?.replace(/\/+$/, "") ?? null,
    ci: ciRules(triggers),
    listen: listenOf(triggers),
    pullRequests:
      pullRequests === undefined
        ? null
        : { deploy: environmentName(pullRequests.deploy), forks: pullRequests.forks ?? false },
    templates: Object.fromEntries(
      Object.entries(environments).flatMap(([name, { previews }]) =>
        previews === undefined ? [] : [[name, resolvePreviews(previews)] as const],
      ),
    ),
  };
}

/** What is without an audience has been refused. */
function ciRules({ ci = [], url }: NonNullable<ProductInput["triggers"]>): readonly CiRule[] {
  return ci.flatMap(({ issuer, audience = url, claims, environments, verbs }) => {
    if (audience === undefined) return [];
    const known = Object.hasOwn(knownIssuers, issuer) ? knownIssuers[issuer as keyof typeof knownIssuers] : issuer;
    const lists = Object.entries(claims).map(([name, wanted]) => [
      name,
      typeof wanted === "string" ? [wanted] : wanted,
    ]);
    return {
      issuer: known.replace(/\/+$/, ""),
      audience,
      claims: Object.fromEntries(lists),
      environments,
      verbs: verbs ?? ciDefaults.verbs,
    };
  });
}

function listenOf({ listen, webhook, ci, url }: NonNullable<ProductInput["triggers"]>): TriggerSettings["listen"] {
  const isWanted = webhook !== undefined || ci !== undefined || url !== undefined || listen !== undefined;
  return isWanted ? parseListen(listen ?? webhook?.listen ?? triggerDefaults.listen) : null;
}

/** Null where the config has none, or it has been refused: a forge, its API and a repository must be known. */
function reportOf({ report, webhook, repository }: NonNullable<ProductInput["triggers"]>): ReportSettings | null {
  const forge = report?.forge ?? webhook?.forge;
  if (report === undefined || forge === undefined || repository === undefined) return null;
  const api = report.api ?? apis[forge];
  if (api === null) return null;
  return {
    forge,
    api: api.replace(/\/+$/, ""),
    repository,
    token: report.token ?? reportDefaults.token,
    app: report.app ?? null,
    deployments: report.deployments ?? true,
    comment: report.comment ?? true,
  };
}

function refRules(given: Readonly<Record<string, { readonly deploy?: string | undefined }>>): readonly RefRule[] {
  return Object.entries(given).map(([pattern, { deploy }]) => ({ pattern, deploy: place(deploy) }));
}

function place(deploy: string | undefined): EnvironmentName | null {
  return deploy === undefined ? null : environmentName(deploy);
}
