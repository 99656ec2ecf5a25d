import { z } from "zod";
import { named, optional, overriding } from "./key.ts";
import { choice, duration, flag, percent, wholeNumber } from "./values.ts";

export const rolloutDefaults = {
  strategy: "blue-green",
  bake: "5m",
  batch: "25%",
  drain: "30s",
  streamLimit: "10m",
  margin: "5%",
  minimum: 20,
  healthLost: true,
  whenBusy: "queue",
} as const;

const errorRatioShape = {
  margin: optional(percent(), {
    meaning: "How far the candidate's share of 5xx answers may be above the stable release's.",
    default: rolloutDefaults.margin,
    example: "2%",
  }),
  minimum: optional(wholeNumber({ min: 1, max: 1_000_000 }), {
    meaning: "Requests the candidate must have answered before its ratio is judged.",
    default: rolloutDefaults.minimum,
    example: 100,
  }),
};

const rulesShape = {
  errorRatio: optional(
    z.union([
      named("ErrorRatioInput", "When errors take a release back.", z.strictObject(errorRatioShape)),
      z.literal(false),
    ]),
    {
      meaning:
        "Takes a release back when its share of 5xx answers is above the stable release's by more than a margin. false turns the rule off.",
      default: { margin: rolloutDefaults.margin, minimum: rolloutDefaults.minimum },
      example: { margin: "2%", minimum: 100 },
      allowed: 'an object such as { margin: "5%", minimum: 20 }, or false',
    },
  ),
  healthLost: optional(flag(), {
    meaning: "Takes a release back when an instance becomes unhealthy or exits by itself.",
    default: rolloutDefaults.healthLost,
    example: false,
  }),
};

const rolloutShape = {
  strategy: optional(
    choice(["blue-green", "rolling"], { canary: 'comes with the judge and is not there yet; use "blue-green"' }),
    {
      meaning:
        "How traffic moves: blue-green starts all instances of the candidate and switches at once; rolling replaces a batch of instances at a time.",
      default: rolloutDefaults.strategy,
      example: "rolling",
    },
  ),
  bake: optional(duration({ max: "7d" }), {
    meaning:
      "The watch after all traffic is on the candidate. Nothing is called succeeded before it has passed, and a rule that fires in it takes the release back.",
    default: rolloutDefaults.bake,
    example: "10m",
  }),
  batch: optional(percent(), {
    meaning: "For rolling: the share of instances that is replaced at once; at least one instance.",
    default: rolloutDefaults.batch,
    example: "50%",
  }),
  drain: optional(duration({ max: "1h" }), {
    meaning: "How long requests in flight may go on at a revision that gets no new ones.",
    default: rolloutDefaults.drain,
    example: "1m",
  }),
  streamLimit: optional(duration({ max: "7d" }), {
    meaning: "How long WebSockets and event streams may stay on a revision that gets no new requests.",
    default: rolloutDefaults.streamLimit,
    example: "1h",
  }),
  rules: optional(named("RulesInput", "What takes a release back while it is watched.", z.strictObject(rulesShape)), {
    meaning: "What takes a release back while it is watched.",
    default: {},
    example: { errorRatio: { margin: "2%", minimum: 100 }, healthLost: true },
  }),
  whenBusy: optional(choice(["queue", "replace", "refuse"]), {
    meaning:
      "What a deployment does that comes while another is under way in the same environment: wait its turn, replace it, or be refused.",
    default: rolloutDefaults.whenBusy,
    example: "replace",
  }),
};

export const rolloutSchema = named(
  "RolloutInput",
  "How a release takes the traffic and when it is taken back.",
  z.strictObject(rolloutShape),
);

const rulesOverrideSchema = named(
  "RulesOverride",
  "Rules, as far as they are different here.",
  z.strictObject({
    ...overriding(rulesShape),
    errorRatio: overriding({
      errorRatio: optional(
        z.union([
          named(
            "ErrorRatioOverride",
            "The rule, as far as it is different here.",
            z.strictObject(overriding(errorRatioShape)),
          ),
          z.literal(false),
        ]),
        {
          meaning: "Takes a release back when it answers more errors than the stable one. false turns the rule off.",
          example: { margin: "10%" },
          allowed: 'an object such as { margin: "5%", minimum: 20 }, or false',
        },
      ),
    }).errorRatio,
  }),
);

export const rolloutOverrideSchema = named(
  "RolloutOverride",
  "The rollout, as far as it is different here.",
  z.strictObject({
    ...overriding(rolloutShape),
    rules: overriding({
      rules: optional(rulesOverrideSchema, {
        meaning: "What takes a release back while it is watched.",
        example: { errorRatio: false },
      }),
    }).rules,
  }),
);
