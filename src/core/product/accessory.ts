import { z } from "zod";
import { mountedShape } from "./container.ts";
import { named, optional, overriding } from "./key.ts";
import { imageReference } from "./mount-values.ts";
import { command, decimal, duration, environmentValue, environmentVariable, size, wholeNumber } from "./values.ts";

export const accessoryDefaults = { stopGrace: "30s" } as const;

const accessoryShape = {
  image: optional(imageReference(), {
    meaning: "The image, by tag or, better, by digest. A running accessory is only replaced when that is asked for.",
    default: "(must be given, unless the accessory is one of a Compose file)",
    example: "redis:7.4",
  }),
  command: optional(command(), {
    meaning: "Argument array in place of the image's own command.",
    default: "(the image's)",
    example: ["redis-server", "--maxmemory", "512mb", "--maxmemory-policy", "allkeys-lru"],
  }),
  port: optional(wholeNumber({ min: 1, max: 65_535 }), {
    meaning: "The port it listens on. Services of the environment reach it under its own name and this port.",
    default: "(none)",
    example: 6379,
  }),
  env: optional(z.record(environmentVariable(), environmentValue()), {
    meaning: "Environment variables. Not for secrets, because this file is in git: they have a key of their own.",
    default: {},
    example: { POSTGRES_DB: "shop" },
    allowed: 'names and texts, such as { POSTGRES_DB: "shop" }',
  }),
  secrets: optional(z.array(environmentVariable()).max(100), {
    meaning: "Environment variables whose values are not in git: set them with slipway secret set.",
    default: [],
    example: ["POSTGRES_PASSWORD"],
    allowed: 'a list of names, such as ["POSTGRES_PASSWORD"]',
  }),
  volumes: mountedShape.volumes,
  hostPorts: mountedShape.hostPorts,
  memory: optional(size({ minBytes: 4_000_000 }), {
    meaning: "Memory it may use.",
    default: "(no limit)",
    example: "512MB",
  }),
  cpu: optional(decimal({ min: 0.01, max: 256 }), {
    meaning: "Share of one core it may use; 0.5 is half a core.",
    default: "(no limit)",
    example: 0.5,
  }),
  stopGrace: optional(duration({ max: "1h" }), {
    meaning: "Time between SIGTERM and SIGKILL when it is stopped.",
    default: accessoryDefaults.stopGrace,
    example: "2m",
  }),
};

export const accessorySchema = named(
  "AccessoryInput",
  "Something the services need that is not released: Redis, Postgres.",
  z.strictObject(accessoryShape),
);

export const accessoryOverrideSchema = named(
  "AccessoryOverride",
  "What is different about an accessory in one environment. Null goes back to the default.",
  z.strictObject({
    ...overriding(accessoryShape),
    env: overriding({
      env: optional(z.record(environmentVariable(), environmentValue().nullable()), {
        meaning: "Variables added or changed here; null removes one.",
        example: { POSTGRES_DB: "staging" },
        allowed: 'names and texts, such as { POSTGRES_DB: "shop" }',
      }),
    }).env,
  }),
);
