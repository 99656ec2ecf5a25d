// How many bad answers users get until the rules fire that are usual: "error ratio above 10 % for 5 minutes", looked at every
// second, and an analysis as Argo Rollouts and Flagger make it by default in their examples: once a minute over the minute
// before, taken back when it was above 10 % in more than 5 of them. Null: within an hour it does not.
const perSecond = 20;
const limit = 0.1;
const mostSeconds = 3_600;

export function rivals({ candidate }, random) {
  let [bad, above, failed, inMinute] = [0, 0, 0, 0];
  const fired = { fiveMinutes: null, interval: null };
  for (let second = 1; second <= mostSeconds && (fired.fiveMinutes === null || fired.interval === null); second += 1) {
    let now = 0;
    for (let request = 0; request < perSecond; request += 1) if (random() < candidate) now += 1;
    bad += now;
    inMinute += now;
    above = now / perSecond > limit ? above + 1 : Math.max(0, above - (candidate > limit ? 0 : above));
    if (fired.fiveMinutes === null && above >= 300) fired.fiveMinutes = bad;
    if (second % 60 !== 0) continue;
    if (inMinute / (60 * perSecond) > limit) failed += 1;
    inMinute = 0;
    if (fired.interval === null && failed > 5) fired.interval = bad;
  }
  return fired;
}
