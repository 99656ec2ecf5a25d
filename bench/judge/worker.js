// Experiments with the judge of `dist/`, looked at after every answer of the candidate.
import { parentPort } from "node:worker_threads";
import { occurrencesPValue } from "../../dist/core/judge/occurrences.js";
import { shareCases } from "../../dist/core/judge/past.js";
import { isProven, leaveAlone, openShare, seeBoth, seeCandidate } from "../../dist/core/judge/share.js";
import { bucketCases } from "../../dist/core/judge/slow.js";
import { latencyBoundsMs } from "../../dist/core/metric/latency.js";
import { rivals } from "./rivals.js";
import { seeded } from "./seeded.js";

parentPort.on("message", ({ job, seed }) => {
  const random = seeded(seed);
  parentPort.postMessage(Array.from({ length: job.runs }, () => experiment(job.setting, random)));
});

function experiment(setting, random) {
  const run =
    setting.occurrences !== undefined
      ? occurrences
      : setting.latency !== undefined
        ? slow
        : setting.split !== undefined
          ? beside
          : alone;
  const result = run(setting, random);
  return setting.rivals ? { ...result, rivals: rivals(setting, random) } : result;
}

const none = { seen: 0, bad: 0 };
const one = (random, share) => ({ seen: 1, bad: random() < share ? 1 : 0 });

/** Many draws at once: a normal approximation where there are enough of both kinds, else one after the other. */
function drawn(random, seen, share) {
  const spread = Math.sqrt(seen * share * (1 - share));
  if (spread > 20) {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    return { seen, bad: Math.max(0, Math.min(seen, Math.round(seen * share + spread * normal))) };
  }
  let bad = 0;
  for (let draw = 0; draw < seen; draw += 1) if (random() < share) bad += 1;
  return { seen, bad };
}

function alone({ alpha, margin, stable, candidate, answers, after = 0, alone: known }, random) {
  const past = { recent: drawn(random, known.recent, stable), older: drawn(random, known.older, stable) };
  const cases = (direction) => shareCases(past, { margin, alpha, direction });
  let test = leaveAlone(openShare({ alpha, margin, onAlone: 1, stable: past.recent }), {
    worse: cases("worse"),
    notWorse: [],
  });
  let bad = 0;
  for (let answer = 1; answer <= answers + after; answer += 1) {
    const tally = one(random, answer <= after ? stable : candidate);
    if (answer > after) bad += tally.bad;
    test = seeCandidate(test, () => tally);
    if (isProven(test, "worse")) return { at: answer - after, bad };
  }
  return { at: null, bad };
}

function beside({ alpha, margin, stable, candidate, answers, split, outage }, random) {
  let test = openShare({ alpha, margin, onAlone: 0, stable: drawn(random, 1_000, stable) });
  let [bad, seen] = [0, 0];
  while (seen < answers) {
    const isOut = outage !== undefined && seen % 200 > 100;
    const isCandidate = random() < split;
    const tally = one(random, isOut ? outage : isCandidate ? candidate : stable);
    if (isCandidate) {
      seen += 1;
      bad += tally.bad;
    }
    test = seeBoth(test, isCandidate ? tally : none, isCandidate ? none : tally);
    if (isProven(test, "worse")) return { at: seen, bad };
  }
  return { at: null, bad };
}

const bucketOfMs = (ms) => {
  const bucket = latencyBoundsMs.findIndex((bound) => bound >= ms);
  return bucket < 0 ? latencyBoundsMs.length : bucket;
};

/** Log-normal around 60 ms, as answers are. */
const timeMs = (random) =>
  60 * Math.exp(0.6 * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()));

const slowness = { factor: 2, floorMs: 25 };

function slow({ alpha, latency: quantile, slower, answers, alone: known }, random) {
  const recent = new Array(latencyBoundsMs.length + 1).fill(0);
  for (let answer = 0; answer < known.recent; answer += 1) recent[bucketOfMs(timeMs(random))] += 1;
  const cases = bucketCases({ recent, older: [] }, latencyBoundsMs, { quantile, slowness, alpha, direction: "worse" });
  let test = leaveAlone(openShare({ alpha, margin: 0, onAlone: 1, stable: none }), { worse: cases, notWorse: [] });
  let bad = 0;
  for (let answer = 1; answer <= answers; answer += 1) {
    const bucket = bucketOfMs(timeMs(random) * slower);
    if (bucket > bucketOfMs(120)) bad += 1;
    test = seeCandidate(test, (index) => ({ seen: 1, bad: bucket > index ? 1 : 0 }));
    if (isProven(test, "worse")) return { at: answer, bad };
  }
  return { at: null, bad };
}

function occurrences({ alpha, occurrences: split, candidate: share, answers }, random) {
  const seen = { candidate: 0, stable: 0 };
  for (let one = 1; one <= answers; one += 1) {
    seen[random() < share ? "candidate" : "stable"] += 1;
    if (occurrencesPValue(seen, split) <= alpha) return { at: one, bad: seen.candidate };
  }
  return { at: null, bad: seen.candidate };
}
