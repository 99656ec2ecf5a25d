import { type EnvironmentName, environmentName } from "../ids.ts";
import { parseListen } from "../product/addresses.ts";
import type { ProductInput } from "../product/input.ts";
import { type Forge, triggerDefaults } from "../product/triggers.ts";
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
    readonly forge: Forge;
    readonly host: string;
    readonly port: number;
    /** The name of the secret. */
    readonly secret: string;
  } | null;
  readonly pollMs: number | null;
};

/** Null: the config has none. */
export function triggerSettings({ triggers }: Pick<ProductInput, "triggers">): TriggerSettings | null {
  if (triggers === undefined) return null;
  const { branches = {}, tags = {}, schedules = {}, webhook, poll } = triggers;
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
  };
}

function refRules(given: Readonly<Record<string, { readonly deploy?: string | undefined }>>): readonly RefRule[] {
  return Object.entries(given).map(([pattern, { deploy }]) => ({ pattern, deploy: place(deploy) }));
}

function place(deploy: string | undefined): EnvironmentName | null {
  return deploy === undefined ? null : environmentName(deploy);
}
