import { shareInterval } from "./confidence.ts";
import { type Counts, errorRatio, recent } from "./counts.ts";
import { percent } from "./words.ts";

/** What stable was counted for: where its recent past begins, when it took the traffic again, and now. */
export type StableAgain = { readonly mark: Counts; readonly back: Counts; readonly now: Counts };

/** So often at most it is said of a stable that is as it was before that it fails too. */
const alpha = 0.01;

/**
 * What speaks for a release that was taken back: stable, which has the traffic again, surely fails more often than it did before and the
 * margin that the release was held to. What both need may be down then, and nobody can tell whether the release is bad. Null where
 * that is not proven: stable is well, or has answered too little. It may be asked after every answer.
 */
export function stableFailsToo(
  { mark, back, now }: StableAgain,
  rule: { margin: number; minimum: number },
): string | null {
  const since = { requests: now.requests - back.requests, errors: now.errors - back.errors };
  if (since.requests < rule.minimum || since.errors > since.requests) return null;
  const before = recent(back, mark, rule.minimum);
  // Where nothing is known of how it was, nothing can be said of how it has changed.
  if (before.requests < rule.minimum) return null;
  const { low } = shareInterval({ seen: since.requests, bad: since.errors }, alpha);
  if (low <= errorRatio(before) + rule.margin) return null;
  const share = `${since.errors} of ${since.requests} requests (${percent(errorRatio(since))})`;
  return `stable fails too since it has the traffic again, ${share} where it was ${percent(errorRatio(before))}: whether the release is bad cannot be told`;
}
