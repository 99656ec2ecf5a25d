import { z } from "zod";
import { accessorySchema } from "./accessory.ts";
import type { ComposedEnvironment } from "./composed.ts";
import { edgeSchema } from "./edge.ts";
import { environmentDefaults, environmentSchema, retentionSchema, targetSchema } from "./environment.ts";
import { flagServerDoc, flagServerSchema, flagsByName, flagsDoc } from "./flags.ts";
import { peopleDoc, peopleSchema, teamsDoc, teamsSchema } from "./gates.ts";
import type { ProductInput } from "./input.ts";
import { named, optional, required } from "./key.ts";
import { pipelineDoc, pipelineSchema } from "./pipeline.ts";
import { metricSchema, probeSchema } from "./probes.ts";
import { registrySchema } from "./registry.ts";
import { rolloutSchema } from "./rollout.ts";
import { notifiersByName, notifiersDoc, rulesByName, rulesDoc } from "./rules.ts";
import { serviceSchema } from "./service.ts";
import { synthDoc, synthSchema } from "./synth.ts";
import { triggersDoc, triggersSchema } from "./triggers.ts";
import { environmentText, name, text } from "./values.ts";

/**
 * A product as its file says it, checked. Still in the user's terms; `resolveEnvironment` applies defaults and overrides. `composed`
 * is no key of the file: it is what was read of Compose files, by environment.
 */
export type ProductConfig = ProductInput & { readonly composed?: Readonly<Record<string, ComposedEnvironment>> };

/** The whole of `slipway.config.*`. Unknown keys are refused. It changes nothing: what comes out is what went in. */
export const productSchema = named(
  "ProductInput",
  "How a product is built, shipped, watched and taken back.",
  z.strictObject({
    $schema: optional(text(), {
      meaning: "Where an editor finds the JSON Schema of this file; for JSON and YAML.",
      default: "(none)",
      example: "./node_modules/slipway/schema/slipway.schema.json",
    }),
    name: required(name("product"), { meaning: "The product's name, in every status, log and path.", example: "shop" }),
    services: optional(z.record(name("service"), serviceSchema), {
      meaning:
        "The product's deployable parts, by name. All are released and taken back as one unit. With target compose they come from the Compose file, and what is said here lies over that.",
      default: "(with target compose those of the Compose file; else at least one must be given)",
      example: { web: { kind: "web", command: ["node", "server.js"] } },
      allowed: 'names and services, such as { web: { kind: "web", command: ["node", "server.js"] } }',
    }),
    pipeline: optional(pipelineSchema, pipelineDoc),
    triggers: optional(triggersSchema, triggersDoc),
    rollout: optional(rolloutSchema, {
      meaning: "How a release takes the traffic and when it is taken back.",
      default: {},
      example: { strategy: "blue-green", bake: "10m" },
    }),
    edge: optional(edgeSchema, {
      meaning: "How requests come in.",
      default: {},
      example: { listen: ":8080", redirectWww: true },
    }),
    retention: optional(retentionSchema, { meaning: "What is kept.", default: {}, example: { releases: 10 } }),
    target: optional(targetSchema, {
      meaning: "Where the product runs.",
      default: { driver: environmentDefaults.driver },
      example: { driver: "docker", hosts: ["ssh://deploy@vm1"] },
    }),
    accessories: optional(z.record(name("accessory"), accessorySchema), {
      meaning: "What the services need and what is not released with them, by name. For targets that run containers.",
      default: {},
      example: { redis: { image: "redis:7.4", port: 6379, volumes: ["redis:/data"] } },
      allowed: 'names and accessories, such as { redis: { image: "redis:7.4" } }',
    }),
    registry: optional(registrySchema, {
      meaning: "Where images are pushed to and pulled from. Without one, hosts are sent the layers that they lack.",
      default: "(none)",
      example: { repository: "ghcr.io/acme/shop", user: "deploy-bot", passwordFrom: "REGISTRY_TOKEN" },
    }),
    probes: optional(z.record(name("probe"), probeSchema), {
      meaning: "What is looked at again and again while the product runs, by name. Rules know each by its name.",
      default: {},
      example: { database: { postgres: { urlFrom: "DATABASE_URL" } } },
      allowed: 'names and probes, such as { database: { postgres: { urlFrom: "DATABASE_URL" } } }',
    }),
    metrics: optional(z.record(name("metric"), metricSchema), {
      meaning: "Numbers from elsewhere that are measured while the product runs, by name. Rules know each by its name.",
      default: {},
      example: {
        orders: { prometheus: { url: "http://prometheus.internal:9090", query: "sum(rate(orders_total[5m]))" } },
      },
      allowed:
        'names and metrics, such as { orders: { json: { url: "https://api.example.com/stats", path: "open" } } }',
    }),
    rules: optional(rulesByName, rulesDoc),
    flags: optional(flagsByName, flagsDoc),
    flagServer: optional(flagServerSchema, flagServerDoc),
    notifiers: optional(notifiersByName, notifiersDoc),
    teams: optional(teamsSchema, teamsDoc),
    people: optional(peopleSchema, peopleDoc),
    synth: optional(synthSchema, synthDoc),
    environments: optional(z.record(environmentText(), environmentSchema), {
      meaning: "The named places of the product, each with what is different there.",
      default: { [environmentDefaults.name]: {} },
      example: { staging: { edge: { listen: ":8081" } }, production: { promoteFrom: "staging" } },
      allowed: "names and what is different there, such as { staging: {}, production: {} }",
    }),
  }),
);
