import type { DeploymentId, RevisionId } from "../../core/ids.ts";
import type { ComparisonRules } from "../../core/judge/comparison.ts";
import type { RolloutSpec } from "../../core/product/spec.ts";
import { ServiceJudge } from "./service-judge.ts";

/** As many comparisons as are kept; those of deployments that have ended are the oldest ones. */
const keptJudges = 1_000;

/** What held before a release could say it. */
const falseAlarmsBefore = 0.01;

/** The comparisons under way, by deployment and candidate. In memory: after a restart they begin with what was counted since the mark. */
export class Judges {
  readonly #judges = new Map<string, ServiceJudge>();

  /** The one of this candidate in this deployment. `services` share the false alarms that the rules allow for one deployment. */
  of(
    deployment: DeploymentId,
    revision: RevisionId,
    policy: { readonly rollout: Pick<RolloutSpec, "strategy" | "rules">; readonly services: number },
  ): ServiceJudge {
    const key = `${deployment}/${revision}`;
    const known = this.#judges.get(key);
    if (known !== undefined) return known;
    const { rules, strategy } = policy.rollout;
    const judge = new ServiceJudge(
      {
        alpha: (rules.falseAlarms ?? falseAlarmsBefore) / Math.max(1, policy.services),
        errorRatio: errorRatioOf(rules.errorRatio),
        latency: rules.latency ?? null,
        onAlone: strategy === "blue-green" ? 1 : 0.5,
      },
      { warmUpMs: rules.latency?.warmUpMs ?? 0, coldMs: rules.errorRatio?.cold?.forMs ?? 0 },
    );
    this.#judges.set(key, judge);
    for (const oldest of this.#judges.keys()) {
      if (this.#judges.size <= keptJudges) break;
      this.#judges.delete(oldest);
    }
    return judge;
  }
}

function errorRatioOf(rule: RolloutSpec["rules"]["errorRatio"]): ComparisonRules["errorRatio"] {
  if (rule === null) return null;
  const { margin, minimum, cold } = rule;
  return { margin, minimum, ...(cold === undefined ? {} : { coldMargin: cold.margin }) };
}
