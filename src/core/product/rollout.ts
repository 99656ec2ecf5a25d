import { z } from "zod";
import { stepGatesSchema } from "./gates.ts";
import { urlPath } from "./http-values.ts";
import { named, optional, overriding, required } from "./key.ts";
import { rulesOverrideSchema, rulesSchema } from "./rollout-rules.ts";
import { choice, decimal, duration, percent, stepWeight, wholeNumber } from "./values.ts";

export const rolloutDefaults = {
  strategy: "blue-green",
  bake: "5m",
  batch: "25%",
  steps: ["1%", "5%", "25%", "50%"],
  stepBake: "2m",
  stepMinimum: 20,
  stepLimit: "30m",
  stepInstances: "share",
  promotion: "automatic",
  endEarly: "never",
  drain: "30s",
  streamLimit: "10m",
  whenBusy: "queue",
} as const;

const stepShape = {
  weight: required(stepWeight(), {
    meaning: "The candidate's share of the requests in this step.",
    example: "5%",
  }),
  bake: optional(duration({ max: "7d" }), {
    meaning: "How long this step is watched, instead of `stepBake`.",
    default: "(stepBake)",
    example: "10m",
  }),
  promotion: optional(choice(["automatic", "manual"]), {
    meaning: "Whether the step after this one is taken by itself or by a person, instead of `promotion`.",
    default: "(promotion)",
    example: "manual",
  }),
  gates: optional(stepGatesSchema, {
    meaning:
      "What must be open, when this step is over, before the next one (after the last: before all traffic). All are looked at together, the candidate is watched meanwhile, and `slipway promote-step` does not pass them.",
    default: "(nothing)",
    example: { approval: { teams: ["ops"] } },
    allowed: 'an object such as { approval: { teams: ["ops"] } } or { when: ["error ratio < 1% over 5m"] }',
  }),
};

const syntheticShape = {
  path: required(urlPath(), {
    meaning: "Asked by GET, of the candidate's instances directly, past the edge. It must be safe to ask.",
    example: "/products",
  }),
  perSecond: required(decimal({ min: 0.1, max: 100 }), {
    meaning: "Requests a second at most, for each service.",
    example: 5,
  }),
};

const rolloutShape = {
  strategy: optional(choice(["blue-green", "rolling", "canary"]), {
    meaning:
      "How traffic moves: blue-green starts all instances of the candidate and switches at once; rolling replaces a batch of instances at a time; canary gives the candidate a small share of the requests, compares it with stable, and goes on step by step.",
    default: rolloutDefaults.strategy,
    example: "canary",
  }),
  bake: optional(duration({ max: "7d" }), {
    meaning:
      "The watch after all traffic is on the candidate. Nothing is called succeeded before it has passed, and a rule that fires in it takes the release back.",
    default: rolloutDefaults.bake,
    example: "10m",
  }),
  batch: optional(z.union([percent(), wholeNumber({ min: 1, max: 1_000 })]), {
    meaning: "For rolling: how many instances are replaced at once, as a share of them (at least one) or as a number.",
    default: rolloutDefaults.batch,
    example: "50%",
  }),
  steps: optional(
    z
      .array(z.union([stepWeight(), named("StepInput", "One step of a canary.", z.strictObject(stepShape))]))
      .min(1)
      .max(20),
    {
      meaning:
        "For canary: the shares of the requests that the candidate gets one after the other, rising. All traffic comes after the last one, by itself.",
      default: [...rolloutDefaults.steps],
      example: ["1%", { weight: "10%", bake: "10m", promotion: "manual" }, "50%"],
      allowed: 'a rising list such as ["1%", "5%", "25%", "50%"], or of objects such as { weight: "5%", bake: "10m" }',
    },
  ),
  stepBake: optional(duration({ max: "7d" }), {
    meaning:
      "For canary: how long each step is watched at least. It goes on when nothing speaks against the candidate, and is taken back at once when something does.",
    default: rolloutDefaults.stepBake,
    example: "10m",
  }),
  stepMinimum: optional(wholeNumber({ min: 0, max: 1_000_000 }), {
    meaning:
      "For canary: requests that each service of the candidate must have answered in a step before the next one. With fewer the step waits.",
    default: rolloutDefaults.stepMinimum,
    example: 100,
  }),
  stepLimit: optional(duration({ max: "7d" }), {
    meaning:
      "For canary: how long a step, beyond its own time, waits for what it is judged by (requests, counts, health). Then it asks a person: `slipway resume`, `slipway promote-step` or `slipway cancel`. It never goes on without.",
    default: rolloutDefaults.stepLimit,
    example: "2h",
  }),
  stepInstances: optional(choice(["share", "all"]), {
    meaning:
      "For canary: how many instances of the candidate run in a step: as many as its share of the requests needs, at least one; or all from the first step on.",
    default: rolloutDefaults.stepInstances,
    example: "all",
  }),
  promotion: optional(choice(["automatic", "manual"]), {
    meaning:
      "For canary: whether the next step is taken by itself when one has passed, or by a person with `slipway promote-step`.",
    default: rolloutDefaults.promotion,
    example: "manual",
  }),
  synthetic: optional(
    z.union([
      named("SyntheticInput", "Requests that stand in for users'.", z.strictObject(syntheticShape)),
      z.literal(false),
    ]),
    {
      meaning:
        "For canary: requests that Slipway sends to the candidate itself, as long as users have sent fewer than `stepMinimum` in a step. They count towards it and are judged like users'. false sends none.",
      default: false,
      example: { path: "/products", perSecond: 5 },
      allowed: 'an object such as { path: "/products", perSecond: 5 }, or false',
    },
  ),
  endEarly: optional(choice(["never", "steps", "always"]), {
    meaning:
      "Whether a watch ends before its time once it is proven, at the rate of `rules.falseAlarms`, that the candidate is no worse: never, in the steps of a canary, or also in the bake. What begins later, such as a leak, is then not seen. A bad candidate is always taken back at once.",
    default: rolloutDefaults.endEarly,
    example: "steps",
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
  rules: optional(rulesSchema, {
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

export const rolloutOverrideSchema = named(
  "RolloutOverride",
  "The rollout, as far as it is different here.",
  z.strictObject({
    ...overriding(rolloutShape),
    synthetic: overriding({
      synthetic: optional(
        z.union([
          named(
            "SyntheticOverride",
            "The requests, as far as they are different here.",
            z.strictObject(overriding(syntheticShape)),
          ),
          z.literal(false),
        ]),
        {
          meaning: "Requests that stand in for users' while those are few. false sends none.",
          example: { path: "/products", perSecond: 1 },
          allowed: 'an object such as { path: "/products", perSecond: 5 }, or false',
        },
      ),
    }).synthetic,
    rules: overriding({
      rules: optional(rulesOverrideSchema, {
        meaning: "What takes a release back while it is watched.",
        example: { errorRatio: false },
      }),
    }).rules,
  }),
);
