import { z } from "zod";
import { named, optional, overriding } from "./key.ts";
import { rulesOverrideSchema, rulesSchema } from "./rollout-rules.ts";
import { choice, duration, percent } from "./values.ts";

export const rolloutDefaults = {
  strategy: "blue-green",
  bake: "5m",
  batch: "25%",
  drain: "30s",
  streamLimit: "10m",
  whenBusy: "queue",
} as const;

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
    rules: overriding({
      rules: optional(rulesOverrideSchema, {
        meaning: "What takes a release back while it is watched.",
        example: { errorRatio: false },
      }),
    }).rules,
  }),
);
