import { type Counts, errorRatio } from "./counts.ts";
import type { Verdict } from "./verdict.ts";
import { percent } from "./words.ts";

/**
 * One-sided 99.9 %: with no true difference, one look in a thousand is above it. The bound is looked at many times in a
 * bake, so this is a guard, not the always-valid test that the judge brings; `margin` is what keeps good releases safe.
 */
const z = 3.09;

/**
 * Is the candidate's error ratio above stable's by more than `margin`? Fails only when the lower bound of its Wilson score
 * interval (E. B. Wilson, JASA 22, 1927) is, so a few errors among a few requests are not enough.
 */
export function judgeErrorRatio(
  candidate: Counts,
  stable: Counts,
  rule: { readonly margin: number; readonly minimum: number },
): Verdict {
  if (candidate.requests < rule.minimum) {
    return { is: "inconclusive", why: `${candidate.requests} of at least ${rule.minimum} requests were seen` };
  }
  const limit = errorRatio(stable) + rule.margin;
  const seen = `${candidate.errors} of ${candidate.requests} requests failed (${percent(errorRatio(candidate))})`;
  if (wilsonLower(candidate) <= limit) return { is: "pass", why: seen };
  return {
    is: "fail",
    code: "ERROR_RATIO",
    why: `${seen}; stable has ${percent(errorRatio(stable))}`,
    evidence: [
      ["stable", `${stable.errors} of ${stable.requests} (${percent(errorRatio(stable))})`],
      ["rule", `error ratio above stable's by more than ${percent(rule.margin)}, at least ${rule.minimum} requests`],
    ],
  };
}

/** The lowest true ratio that still explains the counts, at `z`. */
export function wilsonLower({ requests, errors }: Counts): number {
  // Exactly nothing, which the formula only nearly gives: at a margin of 0 the rest would be an error too many.
  if (errors === 0) return 0;
  const ratio = errors / requests;
  const z2 = z * z;
  const centre = ratio + z2 / (2 * requests);
  const spread = z * Math.sqrt((ratio * (1 - ratio) + z2 / (4 * requests)) / requests);
  return Math.max(0, (centre - spread) / (1 + z2 / requests));
}
