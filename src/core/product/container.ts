import { z } from "zod";
import { named, optional, overriding } from "./key.ts";
import { capability, hostPortText, imageReference, platformText, userText, volumeText } from "./mount-values.ts";
import {
  choice,
  duration,
  environmentValue,
  environmentVariable,
  flag,
  insidePath,
  name,
  size,
  wholeNumber,
} from "./values.ts";

export const containerDefaults = {
  port: 8080,
  init: true,
  rootUser: "warn",
  readOnlyRoot: false,
  // As Docker's own guide to json-file rotation advises: bounded, and enough for a bad night.
  logSize: "10MB",
  logKeep: 3,
  imageTimeout: "20m",
} as const;

export const imageSchema = z.union([
  imageReference(),
  named(
    "ImageInput",
    "How a service's container image is made.",
    z.strictObject({
      dockerfile: optional(insidePath(), {
        meaning: "The Dockerfile, relative to the service's path.",
        default: "(Dockerfile where there is one, else one is made for what is found there)",
        example: "docker/web.Dockerfile",
      }),
      stage: optional(name("stage"), {
        meaning: "The stage of the Dockerfile that is built.",
        default: "(the last)",
        example: "runtime",
      }),
      args: optional(z.record(environmentVariable(), environmentValue()), {
        meaning: "Build arguments. They can be read in the image's history: not for secrets.",
        default: {},
        example: { NODE_ENV: "production" },
        allowed: 'names and texts, such as { NODE_ENV: "production" }',
      }),
      secrets: optional(z.array(environmentVariable()), {
        meaning:
          "Variables of the environment that builds, each mounted as a secret of that name for the instructions that ask for it. In no layer, no history and no log.",
        default: [],
        example: ["NPM_TOKEN"],
        allowed: 'a list of names, such as ["NPM_TOKEN"]',
      }),
      platforms: optional(z.array(platformText()).max(8), {
        meaning:
          "Platform it is built for, where the builder can: its own, one that its engine emulates, and by BuildKit any other where the Dockerfile runs nothing on it. Several in one image are refused.",
        default: "(the builder's own)",
        example: ["linux/arm64"],
        allowed: 'a list such as ["linux/amd64"]',
      }),
      timeout: optional(duration({ min: "1s", max: "1d" }), {
        meaning: "A build that has not ended by then is stopped and has failed.",
        default: containerDefaults.imageTimeout,
        example: "30m",
      }),
    }),
  ),
]);

const logsShape = {
  maxSize: optional(size({ minBytes: 10_000 }), {
    meaning: "A log file of a container is put aside when it is larger.",
    default: containerDefaults.logSize,
    example: "50MB",
  }),
  keep: optional(wholeNumber({ min: 1, max: 100 }), {
    meaning: "How many files of a container's log are kept.",
    default: containerDefaults.logKeep,
    example: 5,
  }),
};

const containerShape = {
  readOnlyRoot: optional(flag(), {
    meaning: "Whether the container's own file system is read-only; volumes and /tmp stay writable.",
    default: containerDefaults.readOnlyRoot,
    example: true,
  }),
  dropCapabilities: optional(z.array(capability()), {
    meaning: "Capabilities taken from the container.",
    default: [],
    example: ["ALL"],
    allowed: 'a list such as ["ALL"]',
  }),
  addCapabilities: optional(z.array(capability()), {
    meaning: "Capabilities given to the container.",
    default: [],
    example: ["NET_BIND_SERVICE"],
    allowed: 'a list such as ["NET_BIND_SERVICE"]',
  }),
  user: optional(userText(), {
    meaning: "The user the container runs as.",
    default: "(the image's)",
    example: "1000:1000",
  }),
  init: optional(flag(), {
    meaning: "Whether a small init is process 1, that reaps children and passes signals on.",
    default: containerDefaults.init,
    example: false,
  }),
  rootUser: optional(choice(["allow", "warn", "refuse"]), {
    meaning:
      "What an image meets that would run as root: warn says so in the plan and in the history of each deployment, refuse blocks the plan and starts nothing.",
    default: containerDefaults.rootUser,
    example: "refuse",
  }),
  logs: optional(named("LogsInput", "How a container's log is kept.", z.strictObject(logsShape)), {
    meaning: "How a container's log is kept on its host.",
    default: {},
    example: { maxSize: "50MB", keep: 5 },
  }),
};

/** Where a container differs from one environment to the next. */
export const mountedShape = {
  port: optional(wholeNumber({ min: 1, max: 65_535 }), {
    meaning:
      "The port a web service listens on in its container; it is told in PORT too. A process is given a free one instead.",
    default: containerDefaults.port,
    example: 3000,
  }),
  volumes: optional(z.array(volumeText()).max(50), {
    meaning:
      "What outlives a container: a volume of the environment, or a directory of the host. A service that has one cannot run beside its successor: it is stopped first, and plan says so.",
    default: [],
    example: ["uploads:/app/uploads", "/etc/ssl/company:/certs:ro"],
    allowed: 'a list such as ["uploads:/app/uploads"]',
  }),
  hostPorts: optional(z.array(hostPortText()).max(50), {
    meaning:
      "Ports of the host that lead to the container, past the edge. A service that has one cannot run beside its successor: it is stopped first.",
    default: [],
    example: ["8125:8125"],
    allowed: 'a list such as ["8125:8125"]',
  }),
  container: optional(named("ContainerInput", "What a container may do.", z.strictObject(containerShape)), {
    meaning: "What a service's container may do.",
    default: {},
    example: { readOnlyRoot: true, dropCapabilities: ["ALL"] },
  }),
};

export const containerOverride = overriding({
  container: optional(
    named(
      "ContainerOverride",
      "What a container may do, as far as it is different here.",
      z.strictObject(overriding(containerShape)),
    ),
    { meaning: "What a service's container may do.", example: { rootUser: "refuse" } },
  ),
});
