import { z } from "zod";
import { accessoryOverrideSchema } from "./accessory.ts";
import { edgeOverrideSchema } from "./edge.ts";
import { flagsByNameOverride, flagsDoc } from "./flags.ts";
import { gatesDoc, gatesSchema } from "./gates.ts";
import { named, optional, overriding, required } from "./key.ts";
import { hostUrl } from "./mount-values.ts";
import { previewsDoc, previewsSchema } from "./previews.ts";
import { metricSchema, probeSchema } from "./probes.ts";
import { registryOverrideSchema } from "./registry.ts";
import { rolloutOverrideSchema } from "./rollout.ts";
import { notifiersByNameOverride, notifiersDoc, rulesByNameOverride, rulesDoc } from "./rules.ts";
import { serviceOverrideSchema } from "./service.ts";
import {
  choice,
  duration,
  environmentText,
  environmentValue,
  environmentVariable,
  insidePath,
  name,
  projectText,
  text,
  wholeNumber,
} from "./values.ts";

export const environmentDefaults = {
  name: "production",
  releases: 3,
  driver: "process",
  whenAway: "stop",
  waitAtMost: "15m",
  whenLost: "wait",
  lostAfter: "2m",
  promotion: "manual",
} as const;

/** How long a host is waited for where the config does not say. */
export const defaultWaitAtMostMs = 15 * 60_000;

const later = 'is not there yet; use "docker", "compose" or "process"';

const hostSchema = named(
  "HostInput",
  "A container engine.",
  z.strictObject({
    url: required(hostUrl(), { meaning: "Where the engine is.", example: "ssh://deploy@vm1" }),
    name: optional(name("host"), {
      meaning: "What it is called in status, plan and logs.",
      default: "(made of the url)",
      example: "vm1",
    }),
    tls: optional(
      named(
        "HostTlsInput",
        "Who we are to an engine, and whom we believe to be it.",
        z.strictObject({
          ca: required(text(), {
            meaning: "PEM file of the CA that the engine's certificate is signed by.",
            example: "/etc/docker/ca.pem",
          }),
          cert: optional(text(), {
            meaning: "PEM file of our certificate, which an engine with --tlsverify wants to see.",
            default: "(none is shown)",
            example: "/etc/docker/cert.pem",
          }),
          key: optional(text(), {
            meaning: "PEM file of its key, readable only by us.",
            default: "(none)",
            example: "/etc/docker/key.pem",
          }),
        }),
      ),
      {
        meaning:
          "For tcp: the files of the connection's TLS, read anew for each connection, so a renewal needs no restart. An engine is only spoken to without on this machine.",
        default: "(none)",
        example: { ca: "/etc/docker/ca.pem", cert: "/etc/docker/cert.pem", key: "/etc/docker/key.pem" },
      },
    ),
    address: optional(text(), {
      meaning: "The address at which the edge reaches its containers.",
      default: "(the host of the url; for a socket none, and only an edge on that machine reaches them)",
      example: "10.0.0.5",
    }),
  }),
);

const targetShape = {
  driver: required(
    choice(["process", "docker", "compose"], {
      swarm: later,
      kubernetes: later,
      ecs: later,
      "docker-compose": 'is called "compose"',
      ssh: 'is "docker" with hosts such as ssh://deploy@vm1',
    }),
    {
      meaning:
        "Where revisions live: process runs them as supervised processes of this machine, docker as containers of one or more engines, compose does the same with the services of a Compose file.",
      example: "docker",
    },
  ),
  hosts: optional(
    z
      .array(z.union([hostUrl(), hostSchema]))
      .min(1)
      .max(50),
    {
      meaning:
        "For docker and compose: the engines, over a socket, SSH or TLS. Instances are spread over them. SSH is the system's own, so ~/.ssh/config, agents and jump hosts work; host keys are checked.",
      default: ["unix:///var/run/docker.sock"],
      example: ["ssh://deploy@vm1", { url: "ssh://deploy@vm2", address: "10.0.0.5" }],
      allowed: 'a list such as ["ssh://deploy@vm1"]',
    },
  ),
  builder: optional(hostUrl(), {
    meaning: "For docker and compose: the engine that builds images.",
    default: "(the first of the hosts)",
    example: "ssh://build@builder1",
  }),
  whenAway: optional(choice(["stop", "wait", "skip"]), {
    meaning:
      "For docker and compose, when a host does not answer while something is deployed: stop and take nothing on anywhere, wait for it (`waitAtMost`), or skip it and say so. What a skipped host still runs of an older release is stopped when it is back; new instances it gets with the next deployment.",
    default: environmentDefaults.whenAway,
    example: "wait",
  }),
  waitAtMost: optional(duration({ min: "1s", max: "1d" }), {
    meaning:
      'For docker and compose with `whenAway: "wait"`: how long a host is waited for. After that the deployment fails.',
    default: environmentDefaults.waitAtMost,
    example: "1h",
  }),
  whenLost: optional(choice(["wait", "replace"]), {
    meaning:
      "For docker and compose with several hosts, about the instances of a host that does not answer for `lostAfter`: wait for it, or replace them on the others. Never what writes a volume, nor accessories, nor while a deployment is under way, nor when most hosts are away.",
    default: environmentDefaults.whenLost,
    example: "replace",
  }),
  lostAfter: optional(duration({ min: "1s", max: "1d" }), {
    meaning:
      "For docker and compose: how long a host does not answer before its instances are replaced, if they are. What is cut off from here may go on working there, so it should be longer than what a network or a reboot takes.",
    default: environmentDefaults.lostAfter,
    example: "10m",
  }),
  file: optional(z.union([insidePath(), z.array(insidePath()).min(1).max(20)]), {
    meaning:
      "For compose: the Compose file, or several that are laid over each other, from this config's directory. Read from the commit that is released.",
    default: "(compose.yaml or docker-compose.yml, with its override file where there is one; or COMPOSE_FILE in .env)",
    example: ["docker-compose.yml", "docker-compose.prod.yml"],
    allowed: 'a path such as "docker-compose.yml", or a list of them',
  }),
  project: optional(projectText(), {
    meaning:
      "For compose: the name of the Compose project, which is part of the names of its volumes, networks and containers. What docker compose runs under this name is taken over.",
    default: "(COMPOSE_PROJECT_NAME in .env, the name in the Compose file, else the product's name)",
    example: "shop",
  }),
  profiles: optional(z.array(text()).max(50), {
    meaning: "For compose: the profiles that are switched on.",
    default: "(COMPOSE_PROFILES in .env, else none)",
    example: ["prod"],
    allowed: 'a list such as ["prod"]',
  }),
  envFile: optional(z.union([insidePath(), z.array(insidePath()).min(1).max(20)]), {
    meaning:
      "For compose: files with variables for the Compose file, instead of .env beside it. One that is not in git is read beside this config when a release is made, and its values are kept sealed.",
    default: "(.env beside the Compose file, where there is one)",
    example: ".env.production",
    allowed: 'a path such as ".env", or a list of them',
  }),
  variables: optional(z.record(environmentVariable(), environmentValue()), {
    meaning:
      "For compose: variables for the Compose file, over those of envFile. Not for secrets: this file is in git.",
    default: {},
    example: { TAG: "1.4" },
    allowed: 'names and texts, such as { TAG: "1.4" }',
  }),
  variablesFrom: optional(z.array(environmentVariable()).max(100), {
    meaning:
      "For compose: variables for the Compose file that are taken from the environment of the control plane when a release is made. Their values are kept sealed.",
    default: [],
    example: ["POSTGRES_PASSWORD"],
    allowed: 'a list such as ["POSTGRES_PASSWORD"]',
  }),
};

export const targetSchema = named("TargetInput", "Where a product runs.", z.strictObject(targetShape));

const retentionShape = {
  releases: optional(wholeNumber({ min: 1, max: 1000 }), {
    meaning:
      "How many of the newest good releases are kept in each environment, the live one among them. What is warm, pinned or needed to go back is kept besides.",
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
    promotion: optional(choice(["manual", "automatic"]), {
      meaning:
        "Who takes a release here that has succeeded in `promoteFrom`: a person or a CI's job, or the control plane by itself, through the same gates. It begins the load tests that they ask for, too.",
      default: environmentDefaults.promotion,
      example: "automatic",
    }),
    gates: optional(gatesSchema, gatesDoc),
    previews: optional(previewsSchema, previewsDoc),
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
      accessories: optional(z.record(name("accessory"), accessoryOverrideSchema.nullable()), {
        meaning: "What is different about accessories here; null leaves one out.",
        example: { redis: { memory: "1GB" } },
        allowed: 'accessories and what is different about them, such as { redis: { memory: "1GB" } }',
      }),
      probes: optional(z.record(name("probe"), probeSchema.nullable()), {
        meaning:
          "Probes of this environment: one of the same name takes the place of the product's, null leaves it out.",
        example: { database: { postgres: { urlFrom: "STAGING_DATABASE_URL" } } },
        allowed: 'names and probes, such as { database: { postgres: { urlFrom: "DATABASE_URL" } } }',
      }),
      metrics: optional(z.record(name("metric"), metricSchema.nullable()), {
        meaning:
          "Metrics of this environment: one of the same name takes the place of the product's, null leaves it out.",
        example: { orders: null },
        allowed:
          'names and metrics, such as { orders: { json: { url: "https://api.example.com/stats", path: "open" } } }',
      }),
      rules: optional(rulesByNameOverride, {
        meaning: "Rules that are different here, by name; null takes one away.",
        example: { errors: null },
        allowed: rulesDoc.allowed,
      }),
      flags: optional(flagsByNameOverride, {
        meaning: "Flags that are different here, by name; null takes one away.",
        example: { "new-checkout": { percentage: "100%" } },
        allowed: flagsDoc.allowed,
      }),
      notifiers: optional(notifiersByNameOverride, {
        meaning: "Who is told here, by name; null takes one away.",
        example: { team: { urlFrom: "SLACK_STAGING" } },
        allowed: notifiersDoc.allowed,
      }),
      registry: optional(registryOverrideSchema, {
        meaning: "Where images are kept for this environment.",
        example: { repository: "ghcr.io/acme/shop-staging" },
      }),
      target: optional(named("TargetOverride", "Where it runs here.", z.strictObject(overriding(targetShape))), {
        meaning: "Where the product runs here.",
        example: { driver: "process" },
      }),
    }),
  }),
);
