/** What was answered in one second by the version that is watched. */
export type Second = { readonly requests: number; readonly failed: number };

/** The second after which a rule takes the version back; null when it never does. */
export type Rule = (seconds: readonly Second[]) => number | null;

/**
 * (a) "error ratio > 10 % for 5 min", as an alert of Prometheus: the ratio over the last minute, looked at every 15 s, above the
 * limit at every look of five minutes. A minute without a request has no ratio, and begins the five minutes anew.
 */
export const tenPercentForFiveMinutes: Rule = (seconds) => {
  let aboveSince: number | null = null;
  for (let at = lookS; at <= seconds.length; at += lookS) {
    const ratio = ratioOf(seconds.slice(Math.max(0, at - 60), at));
    if (ratio === null || ratio <= 0.1) aboveSince = null;
    else aboveSince ??= at;
    if (aboveSince !== null && at - aboveSince >= 300) return at;
  }
  return null;
};

const lookS = 15;

/**
 * (b) The analysis of Argo Rollouts and Flagger, as their examples have it: once a minute the success rate of that minute, which
 * must be 99 % (Flagger's example; Argo's has 95 %), and five failed measurements, not in a row, take the version back.
 * https://docs.flagger.app/usage/metrics and https://argo-rollouts.readthedocs.io/en/stable/features/analysis, 2026-11. A minute
 * without a request is no measurement.
 */
export const fiveFailedMinutes: Rule = (seconds) => {
  let failures = 0;
  for (let at = 60; at <= seconds.length; at += 60) {
    const ratio = ratioOf(seconds.slice(at - 60, at));
    if (ratio !== null && ratio > 0.01) failures += 1;
    if (failures >= 5) return at;
  }
  return null;
};

function ratioOf(seconds: readonly Second[]): number | null {
  const requests = seconds.reduce((sum, each) => sum + each.requests, 0);
  return requests === 0 ? null : seconds.reduce((sum, each) => sum + each.failed, 0) / requests;
}
