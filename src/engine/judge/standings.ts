import type { Evidence } from "../../core/errors/error.ts";
import type { EnvironmentName, EpochMs, ReleaseId, ServiceName } from "../../core/ids.ts";
import type { RuleLook } from "../../core/judge/rule/evaluate.ts";
import type { Rule, Severity } from "../../core/judge/rule/rule.ts";
import type { World } from "../world.ts";
import { actionText } from "./actions.ts";
import type { RulePlace } from "./places.ts";
import { plotted, type SeenWindow } from "./windows.ts";

/** How a rule stood at the last look. */
export type RuleStanding = {
  readonly place: RulePlace;
  readonly rule: Rule;
  readonly look: RuleLook;
  /** Of its last firing. */
  readonly firedAt: EpochMs | null;
  /** What its windows said when they were asked last. */
  readonly windows: readonly SeenWindow[];
  /** What it asks for could not be read, which has been recorded. */
  readonly isUnread: boolean;
};

/** Every rule in force, by environment, release and name. Written by whoever looks, read by whoever asks. */
export type RuleStandings = Map<string, RuleStanding>;

/** A rule and how it stands, for whoever asks. */
export type RuleReading = {
  readonly environment: EnvironmentName;
  readonly release: ReleaseId;
  readonly name: string;
  /** As the config says it. */
  readonly text: string;
  readonly service: ServiceName | null;
  readonly is: RuleLook["is"];
  /** What was measured against what, in a sentence. */
  readonly reason: string;
  /** How long it has been broken, or fires; null when it is neither. */
  readonly forMs: number | null;
  /** Of its last firing while this control plane ran. */
  readonly firedAt: EpochMs | null;
  readonly severity: Severity;
  readonly actions: readonly string[];
  readonly dryRun: boolean;
  /** The window as a plot, against the threshold. */
  readonly evidence: readonly Evidence[];
};

/** How the rules stand now, by environment and name. Changes nothing. */
export async function ruleReadings(
  { standings, metrics }: Pick<World, "standings" | "metrics">,
  where: { readonly environment?: EnvironmentName },
): Promise<readonly RuleReading[]> {
  const now = metrics.time.now();
  const there = [...standings.values()].filter(
    ({ place }) => where.environment === undefined || place.environment === where.environment,
  );
  const readings = await Promise.all(
    there.map(async ({ place, rule, look, firedAt }) => {
      const since = look.next.firingSince ?? look.next.brokenSince;
      return {
        environment: place.environment,
        release: place.release,
        name: rule.name,
        text: rule.text,
        service: rule.condition.service,
        is: look.is,
        reason: look.reason,
        forMs: since === null ? null : Math.max(0, now - since),
        firedAt,
        severity: rule.severity,
        actions: rule.actions.map(actionText),
        dryRun: rule.dryRun,
        evidence: await plotted(metrics, rule, place, look.measured),
      };
    }),
  );
  return readings.sort((a, b) => (`${a.environment} ${a.name}` < `${b.environment} ${b.name}` ? -1 : 1));
}
