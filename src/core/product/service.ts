import { z } from "zod";
import { tiers } from "../recover/restore.ts";
import { containerOverride, imageSchema, mountedShape } from "./container.ts";
import { healthSchema, healthShape } from "./health.ts";
import { hostName, routeText, urlPath } from "./http-values.ts";
import { named, optional, overriding, required } from "./key.ts";
import { servicePipelineDoc, servicePipelineSchema } from "./pipeline.ts";
import { scaleSchema, scaleShape } from "./scale.ts";
import {
  choice,
  command,
  decimal,
  duration,
  environmentValue,
  environmentVariable,
  flag,
  insidePath,
  name,
  size,
  wholeNumber,
} from "./values.ts";

export const serviceDefaults = {
  path: ".",
  buildOutput: ".",
  buildTimeout: "10m",
  // As Kubernetes, Heroku and Kamal: long enough for a worker to finish what it holds.
  stopGrace: "30s",
  instances: 1,
  routes: ["/"],
  routePath: "/",
  routeStrip: false,
} as const;

const serviceName = name("service");

const buildSchema = named(
  "BuildInput",
  "How a service's files are made.",
  z.strictObject({
    command: required(command(), {
      meaning: "Argument array, run in a clean checkout of the commit, in the service's path. Never a shell string.",
      example: ["npm", "run", "build"],
    }),
    output: optional(insidePath(), {
      meaning: "Directory that is packed afterwards, relative to the service's path.",
      default: serviceDefaults.buildOutput,
      example: "dist",
    }),
    timeout: optional(duration({ min: "1s", max: "1d" }), {
      meaning: "A build that has not ended by then is stopped and has failed.",
      default: serviceDefaults.buildTimeout,
      example: "20m",
    }),
  }),
);

const routeSchema = named(
  "RouteInput",
  "Which requests a service answers.",
  z.strictObject({
    host: optional(hostName(), {
      meaning: "Exact host name of the request.",
      default: "(any host)",
      example: "example.org",
    }),
    path: optional(urlPath(), {
      meaning: "Prefix of the request's path; the longest wins. /api takes /api and /api/…, not /apiary.",
      default: serviceDefaults.routePath,
      example: "/api",
    }),
    strip: optional(flag(), {
      meaning: "Whether the prefix is removed before the request is passed on.",
      default: serviceDefaults.routeStrip,
      example: true,
    }),
  }),
);

const routesSchema = z.union([routeText(), z.array(z.union([routeText(), routeSchema])).max(100)]);

const resourcesShape = {
  memory: optional(size({ minBytes: 4_000_000 }), {
    meaning: "Memory an instance may use. MB is 1,000,000 bytes, MiB is 1,048,576.",
    default: "(no limit)",
    example: "512MB",
  }),
  cpu: optional(decimal({ min: 0.01, max: 256 }), {
    meaning: "Share of one core an instance may use; 0.5 is half a core.",
    default: "(no limit)",
    example: 0.5,
  }),
};

/** What may differ from one environment to the next. The rest makes the artifact, and the same artifact is promoted. */
const placedShape = {
  command: optional(command(), {
    meaning:
      "Argument array, run in the unpacked artifact; the first is looked up on PATH. Never a shell string. Every service but a static one has one, unless its image has. A web service listens on the port it is given in PORT.",
    default: "(the image's own; must be given for a process unless kind is static)",
    example: ["node", "server.js"],
  }),
  health: optional(healthSchema, {
    meaning: "How one knows that an instance is healthy.",
    default: {},
    example: { path: "/up", deadline: "2m" },
  }),
  tier: optional(choice(tiers), {
    meaning:
      "How soon users have to be off a bad release once it is known to be bad: frontend 2m, backend 5m, database 15m. Measured at each automatic rollback; nothing else depends on it.",
    default: "(frontend for web and static, else backend)",
    example: "backend",
  }),
  restoreWithin: optional(duration({ min: "1s", max: "1d" }), {
    meaning: "That time, where the tier's does not fit.",
    default: "(by tier: 2m, 5m, 15m)",
    example: "1m",
  }),
  stopGrace: optional(duration({ max: "1h" }), {
    meaning: "Time between SIGTERM and SIGKILL when an instance is stopped.",
    default: serviceDefaults.stopGrace,
    example: "2m",
  }),
  instances: optional(wholeNumber({ min: 1, max: 100 }), {
    meaning:
      "How many instances run; with scale, how many the first release begins with. A job runs once and has none.",
    default: "(1; with scale its min)",
    example: 3,
  }),
  scale: optional(scaleSchema, {
    meaning:
      "Within which limits the number of instances follows the load, and by what. Without it there are as many as instances says.",
    default: "(none)",
    example: { min: 1, max: 3, cpu: "70%", memory: "80%", when: ["queue delay > 30s"] },
  }),
  env: optional(z.record(environmentVariable(), environmentValue()), {
    meaning:
      "Environment variables of the instances. Values are text. PORT and names that begin with SLIPWAY_ are set by Slipway. Not for secrets, because this file is in git: they have a key of their own.",
    default: {},
    example: { LOG_LEVEL: "info" },
    allowed: 'names and texts, such as { LOG_LEVEL: "info" }',
  }),
  secrets: optional(z.array(environmentVariable()).max(100), {
    meaning:
      "Environment variables whose values are not in git: set them for each environment with slipway secret set. A release is made with the values of its day, and a rollback brings those back.",
    default: [],
    example: ["DATABASE_URL"],
    allowed: 'a list of names, such as ["DATABASE_URL"]',
  }),
  routes: optional(routesSchema, {
    meaning:
      'Which requests reach a web or static service: "/api", "example.org", "example.org/api", or a list of such texts and of objects. An empty list keeps the service private.',
    default: '("/" of every host, for web and static)',
    example: ["/api", { host: "api.example.org", path: "/v1", strip: true }],
    allowed: 'a route such as "/api" or "example.org/api", or a list of them',
  }),
  fallback: optional(insidePath(), {
    meaning:
      "For a static service: the file, relative to what is packed, that answers unknown paths, as single-page apps need it.",
    default: "(none: unknown paths are 404)",
    example: "index.html",
  }),
  resources: optional(named("ResourcesInput", "What an instance may use.", z.strictObject(resourcesShape)), {
    meaning: "Limits of an instance, where the target can hold them.",
    default: {},
    example: { memory: "512MB", cpu: 0.5 },
  }),
  ...mountedShape,
};

export const serviceKinds = ["web", "worker", "job", "static"] as const;

export const serviceSchema = named(
  "ServiceInput",
  "One deployable part of a product.",
  z.strictObject({
    kind: optional(choice(serviceKinds), {
      meaning:
        "What it is: web listens for HTTP, worker runs for ever without listening, job runs once in each deployment, static is files that Slipway serves.",
      default: "(must be given, unless the service is one of a Compose file)",
      example: "web",
    }),
    path: optional(insidePath(), {
      meaning: "Directory in the repository that is built and packed; nothing outside it is.",
      default: serviceDefaults.path,
      example: "apps/web",
    }),
    build: optional(buildSchema, {
      meaning: "How its files are made before they are packed; without it they are packed as committed.",
      default: "(none)",
      example: { command: ["npm", "run", "build"], output: "dist" },
    }),
    image: optional(imageSchema, {
      meaning:
        "For containers: how the image is made, or an image that is there already. Environments that run processes do not look at it.",
      default: "(made by the Dockerfile in the service's path, or by one that fits what is there)",
      example: { dockerfile: "Dockerfile", secrets: ["NPM_TOKEN"] },
      allowed: 'an image such as "ghcr.io/acme/web:1.4", or { dockerfile: "Dockerfile" }',
    }),
    needs: optional(z.array(serviceName), {
      meaning: "Services that must be healthy, or jobs that must have succeeded, before this one starts.",
      default: [],
      example: ["api", "migrate"],
      allowed: 'a list of services, such as ["api"]',
    }),
    pipeline: optional(servicePipelineSchema, servicePipelineDoc),
    ...placedShape,
  }),
);

/** Keys of a service that are the same in every environment. */
export const artifactKeys: readonly string[] = ["kind", "path", "build", "image", "needs", "pipeline"];

export const serviceOverrideSchema = named(
  "ServiceOverride",
  "What is different about a service in one environment. Null goes back to the default.",
  z.strictObject({
    ...overriding(placedShape),
    ...containerOverride,
    health: overriding({
      health: optional(
        named("HealthOverride", "Health, as far as it is different here.", z.strictObject(overriding(healthShape))),
        { meaning: "How one knows that an instance is healthy.", example: { deadline: "2m" } },
      ),
    }).health,
    env: overriding({
      env: optional(z.record(environmentVariable(), environmentValue().nullable()), {
        meaning: "Variables added or changed here; null removes one.",
        example: { LOG_LEVEL: "debug", TRACE: null },
        allowed: 'names and texts, such as { LOG_LEVEL: "info" }',
      }),
    }).env,
    scale: overriding({
      scale: optional(
        named("ScaleOverride", "Scaling, as far as it is different here.", z.strictObject(overriding(scaleShape))),
        { meaning: "How the number of instances follows the load.", example: { max: 6 } },
      ),
    }).scale,
    resources: overriding({
      resources: optional(
        named(
          "ResourcesOverride",
          "Limits, as far as they are different here.",
          z.strictObject(overriding(resourcesShape)),
        ),
        { meaning: "Limits of an instance, where the target can hold them.", example: { memory: "1GB" } },
      ),
    }).resources,
  }),
);
