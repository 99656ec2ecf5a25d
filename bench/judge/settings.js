// What is tried. Shares are of bad answers; `split` is the candidate's part of the traffic while stable is beside it.
const past = { recent: 5_000, older: 50_000 };

/** Not worse than allowed, and nearly all of them at the very edge of it, where an alarm is likeliest. */
export const nulls = [
  {
    name: "errors, after the switch: stable 1 %, candidate 3 %, margin 2 %",
    alone: past,
    stable: 0.01,
    candidate: 0.03,
    margin: 0.02,
  },
  {
    name: "errors, after the switch: both 0.1 %, margin 2 %",
    alone: past,
    stable: 0.001,
    candidate: 0.001,
    margin: 0.02,
  },
  { name: "errors, after the switch: both 5 %, no margin", alone: past, stable: 0.05, candidate: 0.05, margin: 0 },
  {
    name: "errors, after the switch: both 5 %, no margin, a past of 40 requests",
    alone: { recent: 40, older: 0 },
    stable: 0.05,
    candidate: 0.05,
    margin: 0,
  },
  { name: "errors, canary of 5 %: both 5 %, no margin", split: 0.05, stable: 0.05, candidate: 0.05, margin: 0 },
  {
    name: "errors, canary of 50 %: stable 1 %, candidate 3 %, margin 2 %",
    split: 0.5,
    stable: 0.01,
    candidate: 0.03,
    margin: 0.02,
  },
  {
    name: "errors, canary of 5 %: both 0.1 %, and 50 % in an outage of both",
    split: 0.05,
    stable: 0.001,
    candidate: 0.001,
    outage: 0.5,
    margin: 0,
  },
  { name: "p95 after the switch: alike", latency: 0.95, alone: past, slower: 1 },
  { name: "p99 after the switch: alike", latency: 0.99, alone: past, slower: 1 },
  { name: "counts without totals, canary of 10 % (the paper's test)", occurrences: 0.1, candidate: 0.1 },
].map((setting) => ({ alpha: 0.01, answers: 500, ...setting }));

const errors = (candidate, more) => ({
  stable: 0.001,
  candidate,
  margin: 0.02,
  answers: 20_000,
  rivals: true,
  ...more,
});

export const effects = [
  ...[1, 0.5, 0.3, 0.1, 0.05, 0.03].map((share) => ({
    name: `${share * 100} % errors after the switch (stable 0.1 %, margin 2 %)`,
    ...errors(share, { alone: past }),
  })),
  {
    name: "30 % errors after the switch, stable known by 100 requests",
    ...errors(0.3, { alone: { recent: 100, older: 0 } }),
  },
  { name: "30 % errors, from answer 5,000 on", ...errors(0.3, { alone: past, after: 5_000 }) },
  ...[1, 0.3, 0.1, 0.05].map((share) => ({
    name: `${share * 100} % errors, canary of 5 %`,
    ...errors(share, { split: 0.05 }),
  })),
  { name: "30 % errors, canary of 50 %", ...errors(0.3, { split: 0.5 }) },
  ...[3, 2.5].flatMap((slower) =>
    [0.5, 0.95, 0.99].map((latency) => ({
      name: `p${latency * 100}: ${slower} times as slow after the switch (factor 2)`,
      latency,
      alone: past,
      slower,
      answers: 20_000,
    })),
  ),
  { name: "counts without totals, canary of 10 %: 3 times as many", occurrences: 0.1, candidate: 0.25, answers: 2_000 },
].map((setting) => ({ alpha: 0.01, ...setting }));
