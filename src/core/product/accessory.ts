import { z } from "zod";
import { mountedShape } from "./container.ts";
import { named, optional, overriding } from "./key.ts";
import { imageReference } from "./mount-values.ts";
import { command, decimal, duration, environmentValue, environmentVariable, size, wholeNumber } from "./values.ts";

export const accessoryDefaults = {
  stopGrace: "30s",
  /** A database may have a log to go through before it takes connections. */
  healthDeadline: "1m",
  healthInterval: "1s",
  healthTimeout: "5s",
} as const;

const accessoryHealthShape = {
  command: optional(command(), {
    meaning: "Argument array that is run in its container; exit code 0 says that it is well.",
    default: "(none)",
    example: ["pg_isready", "-h", "127.0.0.1", "-U", "postgres"],
  }),
  interval: optional(duration({ min: "100ms", max: "1m" }), {
    meaning: "Time from one look to the next.",
    default: accessoryDefaults.healthInterval,
    example: "2s",
  }),
  timeout: optional(duration({ min: "50ms", max: "1m" }), {
    meaning: "A connection or a command that takes longer has failed.",
    default: accessoryDefaults.healthTimeout,
    example: "10s",
  }),
  deadline: optional(duration({ min: "1s", max: "1h" }), {
    meaning: "It must be well by then, or the deployment fails before any service has started.",
    default: accessoryDefaults.healthDeadline,
    example: "5m",
  }),
};

const accessoryHealth = {
  meaning: "How one knows that it is well.",
  allowed: 'an object such as { command: ["pg_isready"] }, or false',
};

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
  health: optional(
    z.union([
      named("AccessoryHealthInput", accessoryHealth.meaning, z.strictObject(accessoryHealthShape)),
      z.literal(false),
    ]),
    {
      meaning:
        "How one knows that it is well. A deployment waits for that before services start: it has run for 2 seconds, its image's own HEALTHCHECK says so where there is one, its port takes connections, and the command here ends with 0. False takes it as it is.",
      default: {},
      example: { command: ["pg_isready", "-h", "127.0.0.1", "-U", "postgres"], deadline: "2m" },
      allowed: accessoryHealth.allowed,
    },
  ),
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
    ...overriding({
      ...accessoryShape,
      health: optional(
        z.union([
          named("AccessoryHealthOverride", accessoryHealth.meaning, z.strictObject(overriding(accessoryHealthShape))),
          z.literal(false),
        ]),
        {
          meaning: "How one knows that it is well; false takes it as it is.",
          example: { deadline: "5m" },
          allowed: accessoryHealth.allowed,
        },
      ),
    }),
    env: overriding({
      env: optional(z.record(environmentVariable(), environmentValue().nullable()), {
        meaning: "Variables added or changed here; null removes one.",
        example: { POSTGRES_DB: "staging" },
        allowed: 'names and texts, such as { POSTGRES_DB: "shop" }',
      }),
    }).env,
  }),
);
