// What judging costs while a service takes 5,000 requests a second: the edge gives a sample every 250 ms, and a watch looks at
// least every 100 ms, so that ten looks a second are made, four of which bring something new.

import { verdictOf } from "../../dist/core/judge/compared.js";
import { look, openComparison } from "../../dist/core/judge/comparison.js";
import { latencyBoundsMs } from "../../dist/core/metric/latency.js";

const looksPerSecond = 10;
const rules = {
  alpha: 0.01,
  errorRatio: { margin: 0.02, minimum: 10 },
  latency: { factor: 2, floorMs: 25, quantiles: [0.5, 0.95, 0.99], minimum: 50 },
  onAlone: 0.5,
};

export function costOfJudging(quick) {
  const looks = quick ? 2_000 : 20_000;
  const lookUs = timed(looks, true);
  const aloneUs = timed(looks, false);
  return { lookUs, aloneUs, shareOfCore: (Math.max(lookUs, aloneUs) * looksPerSecond) / 1e6 };
}

function timed(looks, serves) {
  const stable = counted(100_000);
  const at = (answers, others) => ({
    candidate: counted(answers),
    stable: { now: counted(100_000 + others), before: counted(0), serves },
    isWarm: true,
  });
  let comparison = openComparison(rules, latencyBoundsMs, {
    ...at(0, 0),
    stable: { now: stable, before: counted(0), serves },
  });
  const run = (from, to) => {
    const started = process.cpuUsage();
    for (let each = from; each < to; each += 1) {
      comparison = look(comparison, at(each * 625, each * 625));
      verdictOf(comparison);
    }
    const { user, system } = process.cpuUsage(started);
    return (user + system) / (to - from);
  };
  run(1, 500);
  return run(500, 500 + looks);
}

/** Counts of so many answers, one in a thousand failed, around 60 ms. */
function counted(answers) {
  const latency = latencyBoundsMs.map((bound) =>
    Math.floor(answers * Math.exp(-((Math.log(bound / 60) / 0.6) ** 2)) * 0.2),
  );
  return { counts: { requests: answers, errors: Math.floor(answers / 1_000) }, latency: [...latency, 0] };
}
