import type { ServiceName } from "../ids.ts";
import { type Counts, errorRatio } from "../judge/counts.ts";
import type { Verdict } from "../judge/verdict.ts";
import { percent } from "../judge/words.ts";

/** What is known of one service of the candidate in a step of a canary. */
export type StepLook = {
  readonly service: ServiceName;
  /** What was judged of it so far; none of it is bad. */
  readonly verdicts: readonly Verdict[];
  readonly healthy: number;
  readonly instances: number;
  /** What both sides answered in this step; null where the service has no share of requests. */
  readonly counts: { readonly candidate: Counts; readonly stable: Counts | null; readonly synthetic: Counts } | null;
};

export type StepVerdict =
  | { readonly is: "watch" }
  | { readonly is: "pass"; readonly note: string }
  | { readonly is: "unclear"; readonly missing: string };

/** What a step has to show: so many requests, and no more errors than stable's share and `margin`; null judges no errors. */
export type StepRule = { readonly minimum: number; readonly margin: number | null };

/**
 * How a step stands in which nothing is bad. It passes when its time is over and everything that it is judged by is there:
 * every instance seen healthy, enough requests, no verdict open, and no errors of which it is only not proven that they are too many.
 * What is missing when the limit is reached too is said.
 */
export function judgeStep(
  looks: readonly StepLook[],
  rule: StepRule,
  time: { readonly isOver: boolean; readonly isSpent: boolean },
): StepVerdict {
  if (!time.isOver) return { is: "watch" };
  const missing = looks.flatMap((look) => missingIn(look, rule));
  if (missing.length === 0) return { is: "pass", note: looks.map(seenOf).join("; ") };
  return time.isSpent ? { is: "unclear", missing: missing.join("; ") } : { is: "watch" };
}

/** Of everything that takes requests it is proven that the candidate is no worse: more time would show no more of that. */
export function isClear(looks: readonly StepLook[]): boolean {
  const compared = looks.filter(({ counts }) => counts !== null);
  return (
    compared.length > 0 &&
    compared.every(({ verdicts }) => verdicts.some((verdict) => verdict.is === "pass" && verdict.clear === true))
  );
}

function missingIn(
  { service, verdicts, healthy, instances, counts }: StepLook,
  { minimum, margin }: StepRule,
): string[] {
  const inconclusive = verdicts.filter(({ is }) => is !== "pass").map(({ why }) => why);
  const sick = healthy >= instances ? [] : [`${service}: ${healthy} of ${instances} instances were seen healthy`];
  if (counts === null) return [...inconclusive, ...sick];
  const requests = counts.candidate.requests + counts.synthetic.requests;
  if (!Number.isFinite(requests)) return [`${service}: its counts are no numbers`, ...sick];
  if (requests >= minimum) return [...inconclusive, ...doubtful(service, counts, margin), ...sick];
  // A verdict that waits for the same says no more.
  const others = inconclusive.filter((why) => !why.endsWith(" requests were seen"));
  return [`${service}: ${requests} of at least ${minimum} requests were seen`, ...others, ...sick];
}

/** One bad answer is nobody's fault. */
const fewErrors = 2;

/** More errors than they should be, of too few answers to prove it: more answers will, or will show otherwise. */
function doubtful(
  service: ServiceName,
  { candidate, stable }: NonNullable<StepLook["counts"]>,
  margin: number | null,
): string[] {
  if (margin === null || candidate.errors < fewErrors) return [];
  const most = (stable === null ? 0 : errorRatio(stable)) + margin;
  if (errorRatio(candidate) <= most) return [];
  const seen = `${candidate.errors} of ${candidate.requests} failed (${percent(errorRatio(candidate))})`;
  return [`${service}: ${seen}, above ${percent(most)}, and too few were seen to say whether that is so`];
}

/** `web 1 of 120 failed (0.8 %), stable 3 of 11880 (0.0 %), 2/2 healthy`. */
function seenOf({ service, healthy, instances, counts }: StepLook): string {
  const parts =
    counts === null
      ? []
      : [
          `${counts.candidate.errors} of ${counts.candidate.requests} failed (${percent(errorRatio(counts.candidate))})`,
          ...(counts.synthetic.requests === 0
            ? []
            : [`${counts.synthetic.errors} of ${counts.synthetic.requests} synthetic ones`]),
          ...(counts.stable === null
            ? []
            : [`stable ${counts.stable.errors} of ${counts.stable.requests} (${percent(errorRatio(counts.stable))})`]),
        ];
  return `${service} ${[...parts, `${healthy}/${instances} healthy`].join(", ")}`;
}
