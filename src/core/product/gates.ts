import { z } from "zod";
import { parseGateCondition } from "../gates/condition.ts";
import { isTimeZone, whyNoCron } from "../gates/cron.ts";
import { named, optional, required } from "./key.ts";
import type { HeldLine } from "./rule-line.ts";
import { type Percent, parsePercent, percentPattern } from "./units.ts";
import { checkedText, duration, environmentText, flag, name, text, wholeNumber } from "./values.ts";
import { show } from "./wording.ts";

export const gatesDefaults = { count: 1, expires: "7d", timeZone: "UTC", checksExpire: "1d", over: "28d" } as const;

const people = () => z.array(text()).min(1).max(200);

export const teamsSchema = z.record(name("team"), people());

export const teamsDoc = {
  meaning:
    "Groups of people, by name, for gates. A person is who the history names: ada is ada at every machine, ada@laptop only there.",
  default: {},
  example: { ops: ["ada", "grace@example.com"] },
  allowed: 'names and people, such as { ops: ["ada", "grace"] }',
} as const;

export const peopleSchema = z.record(name("person"), people());

export const peopleDoc = {
  meaning:
    "What else a person is called, for gates: by git, the forge and machines. Whoever wrote a commit under one of them may not approve it under another. With an @ it is the whole name, without one what stands before it.",
  default: {},
  example: { ada: ["Ada Lovelace", "lovelace@example.com"] },
  allowed: 'people and their other names, such as { ada: ["Ada Lovelace", "lovelace@example.com"] }',
} as const;

const approvalShape = {
  teams: optional(z.array(name("team")).min(1).max(20), {
    meaning: "Whose members may approve. With neither teams nor people it is anybody.",
    default: "(anybody may approve)",
    example: ["ops"],
    allowed: 'a list of teams, such as ["ops"]',
  }),
  people: optional(people(), {
    meaning: "Who may approve, besides the members of teams.",
    default: "(nobody besides the teams)",
    example: ["ada"],
    allowed: 'a list of people, such as ["ada", "grace@example.com"]',
  }),
  count: optional(wholeNumber({ min: 1, max: 20 }), {
    meaning: "How many people must approve.",
    default: gatesDefaults.count,
    example: 2,
  }),
  authorMayApprove: optional(flag(), {
    meaning:
      "Whether it counts when those approve who wrote the commits, made the release or asked for the deployment.",
    default: false,
    example: true,
  }),
  notify: optional(z.array(name("notifier")).min(1).max(20), {
    meaning: "Notifiers that are told when a deployment begins to wait to be approved; steps of a canary tell nobody.",
    default: "(nobody is told)",
    example: ["team"],
    allowed: 'a list of notifiers, such as ["team"]',
  }),
  expires: optional(duration({ min: "1s", max: "90d" }), {
    meaning: "How long a deployment waits to be approved. Then it is called off.",
    default: gatesDefaults.expires,
    example: "12h",
  }),
};

function cron(): z.ZodType<string, string> {
  const allowed = 'five fields such as "0 9 * * mon-thu", or one local time such as "2026-12-20T00:00"';
  return checkedText({ type: "string", allowed }, (seen) => {
    const why = whyNoCron(seen);
    return why === null ? null : `${show(seen)} is not a cron (${why}); use ${allowed}`;
  });
}

function timeZone(): z.ZodType<string, string> {
  const allowed = 'a time zone such as "Europe/Berlin" or "UTC"';
  return checkedText({ type: "string", allowed }, (seen) =>
    isTimeZone(seen) ? null : `${show(seen)} is not a time zone; use ${allowed}`,
  );
}

const windowShape = {
  cron: required(cron(), {
    meaning:
      "When it begins: minute, hour, day, month, weekday; or one local time. A time that the clocks jump over is the instant after, one that comes twice is its first.",
    example: "0 9 * * mon-thu",
  }),
  duration: required(duration({ min: "1m", max: "366d" }), {
    meaning: "How long it lasts, in real time.",
    example: "8h",
  }),
  timeZone: optional(timeZone(), {
    meaning: "Whose clock is meant.",
    default: gatesDefaults.timeZone,
    example: "Europe/Berlin",
  }),
};

const freezeShape = {
  ...windowShape,
  reason: optional(text(), { meaning: "Why, for those who meet it.", default: "(none)", example: "Christmas" }),
};

const windows = () =>
  z
    .array(named("WindowInput", "A time at which deployments may begin.", z.strictObject(windowShape)))
    .min(1)
    .max(50);

const freezes = () =>
  z
    .array(named("FreezeInput", "A time at which none may begin.", z.strictObject(freezeShape)))
    .min(1)
    .max(50);

const approval = () => named("ApprovalInput", "Whose word a deployment needs.", z.strictObject(approvalShape));

function objectiveText(): z.ZodType<Percent, Percent> {
  const allowed = "at least 50% and less than 100%, such as 99.9%";
  return checkedText<Percent>({ type: "Percent", allowed, pattern: percentPattern.source }, (seen) => {
    const share = parsePercent(seen);
    return share !== null && share >= 0.5 && share < 1 ? null : `${show(seen)} is no objective; use ${allowed}`;
  });
}

const budgetShape = {
  objective: required(objectiveText(), {
    meaning: "The share of requests that must succeed. What is left to 100% is the budget.",
    example: "99.9%",
  }),
  over: optional(duration({ min: "1h", max: "30d" }), {
    meaning: "The time, up to now, in which requests are counted.",
    default: gatesDefaults.over,
    example: "7d",
  }),
  service: optional(name("service"), {
    meaning: "Whose requests.",
    default: "(all services together)",
    example: "api",
  }),
  in: optional(environmentText(), {
    meaning: "Where, such as the environment that is promoted from.",
    default: "(the environment itself)",
    example: "staging",
  }),
};

const budget = () =>
  named("BudgetInput", "An error budget of which something must be left.", z.strictObject(budgetShape));

const conditionAllowed =
  'what must hold, in the words of rules, such as "error ratio < 1% over 5m" or "queue delay of mailer < 30s for 2m"';

/** What must hold, in a line; the grammar is that of rules, in `judge/rule/parse.ts`. */
function conditionText(gateOf: "step" | "environment"): z.ZodType<HeldLine, HeldLine> {
  return checkedText<HeldLine>({ type: "HeldLine", allowed: conditionAllowed }, (seen) => {
    const parsed = parseGateCondition(seen, null, gateOf);
    return parsed.is === "wrong" ? parsed.why : null;
  });
}

const gatesShape = {
  wait: optional(duration({ max: "30d" }), {
    meaning: "How long after it was asked for a deployment begins: time to think better of it.",
    default: "(none)",
    example: "10m",
  }),
  baked: optional(duration({ max: "30d" }), {
    meaning:
      "How long the release must have been live in `promoteFrom` after its bake there, without a rule that fired. A rule that fires begins the time anew.",
    default: "(it must have succeeded there, however short ago)",
    example: "4h",
  }),
  loadTest: optional(flag(), {
    meaning:
      "Whether the load tests of `promoteFrom`, the steps with a loadTest there, must have passed with the release: slipway load-test <environment>.",
    default: false,
    example: true,
  }),
  windows: optional(windows(), {
    meaning:
      "When deployments may begin; what has begun may finish. A rollback passes, and so does one that is asked for with --override-window and a reason.",
    default: "(at any time)",
    example: [{ cron: "0 9 * * mon-thu", duration: "8h", timeZone: "Europe/Berlin" }],
    allowed: 'a list such as [{ cron: "0 9 * * mon-thu", duration: "8h", timeZone: "Europe/Berlin" }]',
  }),
  freezes: optional(freezes(), {
    meaning: "When no deployment may begin, also in a window. Rollbacks and --override-window pass.",
    default: "(never)",
    example: [{ cron: "2026-12-20T00:00", duration: "14d", timeZone: "Europe/Berlin", reason: "Christmas" }],
    allowed: 'a list such as [{ cron: "2026-12-20T00:00", duration: "14d", reason: "Christmas" }]',
  }),
  checks: optional(z.array(text()).min(1).max(50), {
    meaning:
      "Checks or statuses that must have succeeded at the forge for the release's commit, by their names there. One that has failed ends the deployment. Needs triggers.report.",
    default: "(none)",
    example: ["ci/build", "lint"],
    allowed: 'a list of names, such as ["ci/build"]',
  }),
  checksExpire: optional(duration({ min: "1s", max: "30d" }), {
    meaning: "How long a deployment waits for its checks. Then it is called off.",
    default: gatesDefaults.checksExpire,
    example: "2h",
  }),
  budget: optional(budget(), {
    meaning:
      "Whether something must be left of an error budget: of the share of requests that may fail. While it is spent no deployment begins; a rollback does, and one that is asked for with --override-budget and a reason.",
    default: "(however much has failed)",
    example: { objective: "99.9%" },
    allowed: 'an object such as { objective: "99.9%", over: "28d" }',
  }),
  when: optional(z.array(conditionText("environment")).min(1).max(20), {
    meaning:
      "What must hold of what is live there, as rules say it; with during only at those times. What cannot be measured does not hold. A rollback passes, and so does a deployment that is asked for with --override-budget and a reason.",
    default: "(nothing)",
    example: ["error ratio < 1% over 10m", "queue delay of mailer < 30s during mon-fri 09:00-17:00 Europe/Berlin"],
    allowed: 'a list of conditions, such as ["error ratio < 1% over 10m"]',
  }),
  approval: optional(approval(), {
    meaning: "People who must approve before a deployment begins. A rollback needs nobody's word.",
    default: "(nobody has to)",
    example: { teams: ["ops"], count: 2 },
    allowed: 'an object such as { teams: ["ops"], count: 2 }',
  }),
};

export const gatesSchema = named(
  "GatesInput",
  "What must be open before a deployment begins.",
  z.strictObject(gatesShape),
);

const stepGatesShape = {
  when: optional(z.array(conditionText("step")).min(1).max(20), {
    meaning:
      "What must hold of the candidate, as rules say it. What cannot be measured does not hold, and a for begins anew with it.",
    default: "(nothing besides what every step is judged by)",
    example: ["latency p95 of api < 300ms over 5m"],
    allowed: 'a list of conditions, such as ["error ratio < 1% over 5m"]',
  }),
  wait: optional(duration({ max: "7d" }), {
    meaning: "How long after the step is over the next one is taken. It is watched for that long too.",
    default: "(none)",
    example: "1h",
  }),
  windows: optional(windows(), {
    meaning: "When the next step may be taken. A deployment that was asked for with --override-window passes.",
    default: "(at any time)",
    example: [{ cron: "0 9 * * mon-thu", duration: "8h", timeZone: "Europe/Berlin" }],
    allowed: 'a list such as [{ cron: "0 9 * * mon-thu", duration: "8h", timeZone: "Europe/Berlin" }]',
  }),
  freezes: optional(freezes(), {
    meaning: "When it may not be taken, also in a window.",
    default: "(never)",
    example: [{ cron: "0 0 * * sat", duration: "48h", timeZone: "Europe/Berlin", reason: "weekend" }],
    allowed: 'a list such as [{ cron: "0 0 * * sat", duration: "48h", reason: "weekend" }]',
  }),
  approval: optional(approval(), {
    meaning:
      "People who must approve, with `slipway approve`, before the next step. When they have not in time, the release is taken back.",
    default: "(nobody has to)",
    example: { teams: ["ops"] },
    allowed: 'an object such as { teams: ["ops"], count: 2 }',
  }),
};

export const stepGatesSchema = named(
  "StepGatesInput",
  "What must be open before a canary takes the step after this one.",
  z.strictObject(stepGatesShape),
);

export const gatesDoc = {
  meaning:
    "What must be open before a deployment begins here. What is live holds with its own gates too, so a release that has fewer must still pass those. A rollback passes all.",
  default: "(nothing: a deployment begins at once)",
  example: { approval: { teams: ["ops"] } },
  allowed: 'an object such as { approval: { teams: ["ops"] } }',
} as const;
