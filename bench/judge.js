// The statistics of the judge, as it is built: how often it is wrong where nothing is, how soon it finds what is, against rules
// that people have today; and what judging costs, by itself and beside a real edge. `--quick` makes a tenth of the experiments.
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { besideEdge } from "./judge/beside-edge.js";
import { costOfJudging } from "./judge/cost.js";
import { effects, nulls } from "./judge/settings.js";
import { floor, median, percentile, printTable } from "./parts/figures.js";

const nullRuns = 10_000;
const effectRuns = 400;

export async function judgeBench({ quick, seed = 1 }) {
  const part = quick ? 0.1 : 1;
  const jobs = [
    ...nulls.map((setting) => ({ kind: "null", setting, runs: nullRuns * part })),
    ...effects.map((setting) => ({ kind: "effect", setting, runs: effectRuns * part })),
  ];
  const results = await spread(jobs, seed);
  const nothing = results.filter(({ job }) => job.kind === "null");
  printNulls(nothing);
  printEffects(results.filter(({ job }) => job.kind === "effect"));
  const cost = costOfJudging(quick);
  console.log(
    `\n  one look at one service: ${cost.lookUs.toFixed(1)} µs beside stable, ${cost.aloneUs.toFixed(1)} µs alone`,
  );
  const beside = await besideEdge(quick);
  const worst = nothing.map(({ job, runs }) => ({ job, ...rateOf(runs) })).toSorted((a, b) => b.low - a.low)[0];
  return [
    floor(
      `judge: share of ${nullRuns * part} runs without a difference that ever alarm, the worst of ${nothing.length} settings`,
      "not proven above alpha",
      `${text(worst.rate)} (${text(worst.low)} to ${text(worst.high)}), alpha ${text(worst.job.setting.alpha)}`,
      nothing.every(({ job, runs }) => rateOf(runs).low <= job.setting.alpha),
    ),
    floor(
      "judge: CPU of judging at 5,000 requests/s, of a core",
      "under 2 %",
      `${(cost.shareOfCore * 100).toFixed(3)} %`,
      cost.shareOfCore < 0.02,
    ),
    floor(
      `judge: what the control plane uses for it in a bake, beside a real edge with ${beside.rate.toFixed(0)} requests/s, of the edge's CPU`,
      "under 2 %",
      `${(beside.share * 100).toFixed(2)} %`,
      beside.share < 0.02 && beside.failures === 0,
    ),
  ];
}

/** Over the cores; each experiment has a seed of its own, so that the result does not depend on how many there are. */
async function spread(jobs, seed) {
  const waiting = jobs.map((job, index) => ({ job, seed: seed * 1_000 + index }));
  const results = new Map();
  const work = async () => {
    const worker = new Worker(fileURLToPath(new URL("judge/worker.js", import.meta.url)));
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const answered = once(worker, "message");
      worker.postMessage(next);
      const [runs] = await answered;
      results.set(next.job, runs);
    }
    await worker.terminate();
  };
  await Promise.all(Array.from({ length: Math.min(4, availableParallelism()) }, work));
  return jobs.map((job) => ({ job, runs: results.get(job) }));
}

function printNulls(results) {
  console.log("\n  Nothing is worse than allowed: the share of runs that ever alarm, looked at after every answer");
  const rows = results.map(({ job: { setting }, runs }) => {
    const { rate, low, high } = rateOf(runs);
    return [setting.name, text(setting.alpha), `${runs.length}`, text(rate), `${text(low)} to ${text(high)}`];
  });
  printTable([["", "alpha", "runs", "alarms", "99 % interval"], ...rows]);
}

function printEffects(results) {
  console.log(
    "\n  Something is worse: how often it is found, after how many answers of the candidate, how many of them bad (median, 90 %)",
  );
  const rows = results.map(({ job: { setting }, runs }) => {
    const found = runs.filter(({ at }) => at !== null);
    const rivals =
      runs[0].rivals === undefined ? ["", ""] : ["fiveMinutes", "interval"].map((rule) => rivalText(runs, rule));
    return [
      setting.name,
      `${((100 * found.length) / runs.length).toFixed(1)} %`,
      spreadOf(found, "at"),
      spreadOf(found, "bad"),
      ...rivals,
    ];
  });
  printTable([["", "found", "answers", "bad ones", "10 % for 5 min", "5 failed intervals"], ...rows]);
  console.log("  (the last two: bad answers given before those rules fire, at 20 requests/s to the candidate)");
}

function spreadOf(runs, key) {
  if (runs.length === 0) return "-";
  const numbers = runs.map((run) => run[key]);
  return `${median(numbers)}, ${percentile(numbers, 90)}`;
}

function rivalText(runs, rule) {
  const fired = runs.map(({ rivals }) => rivals[rule]).filter((bad) => bad !== null);
  return fired.length < runs.length / 2 ? "never" : `${median(fired)}`;
}

/** With the interval that 99 of 100 such experiments have the truth in (Wilson's). */
function rateOf(runs) {
  const alarms = runs.filter(({ at }) => at !== null).length;
  const rate = alarms / runs.length;
  const z2 = 2.576 ** 2;
  const centre = rate + z2 / (2 * runs.length);
  const spread = 2.576 * Math.sqrt((rate * (1 - rate) + z2 / (4 * runs.length)) / runs.length);
  const scale = 1 + z2 / runs.length;
  return { rate, low: Math.max(0, (centre - spread) / scale), high: (centre + spread) / scale };
}

const text = (ratio) => `${(ratio * 100).toFixed(2)} %`;
