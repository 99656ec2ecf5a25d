import { z } from "zod";
import { edgeOverrideSchema } from "./edge.ts";
import { named, optional, overriding, required } from "./key.ts";
import { rolloutOverrideSchema } from "./rollout.ts";
import { serviceOverrideSchema } from "./service.ts";
import { choice, environmentText, name, wholeNumber } from "./values.ts";

export const environmentDefaults = { name: "production", releases: 3, driver: "process" } as const;

const later = 'is not there yet; use "process"';

const targetShape = {
  driver: required(
    choice(["process"], { docker: later, swarm: later, kubernetes: later, ecs: later, ssh: later, compose: later }),
    { meaning: "Where revisions live: process runs them as supervised processes of this machine.", example: "process" },
  ),
};

export const targetSchema = named("TargetInput", "Where a product runs.", z.strictObject(targetShape));

const retentionShape = {
  releases: optional(wholeNumber({ min: 1, max: 1000 }), {
    meaning:
      "How many releases of each service are kept in each environment, besides what is live, warm, pinned or needed to go back.",
    default: environmentDefaults.releases,
    example: 10,
  }),
};

export const retentionSchema = named("RetentionInput", "What is kept.", z.strictObject(retentionShape));

export const environmentSchema = named(
  "EnvironmentInput",
  "A named place: what is different there. Maps are merged key by key; texts, numbers and lists replace; null goes back to the default.",
  z.strictObject({
    promoteFrom: optional(environmentText(), {
      meaning: "A release is only let in after it has succeeded in this environment.",
      default: "(none: every release is let in)",
      example: "staging",
    }),
    services: optional(z.record(name("service"), serviceOverrideSchema.nullable()), {
      meaning: "What is different about services here; null leaves a service out.",
      default: {},
      example: { web: { instances: 3 }, "mail-catcher": null },
      allowed: "services and what is different about them, such as { web: { instances: 3 } }",
    }),
    ...overriding({
      rollout: optional(rolloutOverrideSchema, {
        meaning: "How a release takes the traffic here and when it is taken back.",
        example: { bake: "30s" },
      }),
      edge: optional(edgeOverrideSchema, {
        meaning: "How requests come in here.",
        example: { listen: ":8081" },
      }),
      retention: optional(
        named("RetentionOverride", "What is kept here.", z.strictObject(overriding(retentionShape))),
        { meaning: "What is kept here.", example: { releases: 10 } },
      ),
      target: optional(named("TargetOverride", "Where it runs here.", z.strictObject(overriding(targetShape))), {
        meaning: "Where the product runs here.",
        example: { driver: "process" },
      }),
    }),
  }),
);
