import { z } from "zod";
import { named, optional, overriding, required } from "./key.ts";
import { repositoryText } from "./mount-values.ts";
import { command, duration, environmentVariable, text, wholeNumber } from "./values.ts";

export const registryRetentionDefaults = { images: 20, age: "30d" } as const;

const registryRetentionShape = {
  images: optional(wholeNumber({ min: 1, max: 10_000 }), {
    meaning: "So many of the newest images of each service stay, whatever their age.",
    default: registryRetentionDefaults.images,
    example: 50,
  }),
  age: optional(duration({ min: "0s", max: "3650d" }), {
    meaning: "Younger images stay, however many there are.",
    default: registryRetentionDefaults.age,
    example: "90d",
  }),
};

const registryShape = {
  repository: required(repositoryText(), {
    meaning: "Where images are pushed to and pulled from; each service has its own below it.",
    example: "ghcr.io/acme/shop",
  }),
  user: optional(text(), {
    meaning: "Who logs in.",
    default: "(nobody: the registry is open)",
    example: "deploy-bot",
  }),
  passwordFrom: optional(environmentVariable(), {
    meaning: "The variable of the control plane's environment that holds the password or token.",
    default: "(none)",
    example: "REGISTRY_TOKEN",
  }),
  passwordCommand: optional(command(), {
    meaning:
      "Argument array that prints the password, for a registry whose passwords end (ECR's after 12 hours). The control plane runs it, in its own environment, when it needs the password: at most every ten minutes, and when the registry refuses the last one. It is given 30 seconds, and prints one line. In place of passwordFrom.",
    default: "(none)",
    example: ["aws", "ecr", "get-login-password", "--region", "eu-central-1"],
  }),
  retention: optional(
    named("RegistryRetentionInput", "What stays in the registry.", z.strictObject(registryRetentionShape)),
    {
      meaning:
        "After a deployment, images of releases that nobody needs are removed from the registry, when they are neither among the newest nor young. Images that this control plane did not make, or that others have given a tag, are never touched.",
      default: "(nothing is ever removed there)",
      example: { images: 50, age: "90d" },
    },
  ),
};

export const registrySchema = named("RegistryInput", "Where images are kept.", z.strictObject(registryShape));

export const registryOverrideSchema = named(
  "RegistryOverride",
  "The registry, as far as it is different here.",
  z.strictObject(
    overriding({
      ...registryShape,
      retention: optional(
        named("RegistryRetentionOverride", "What stays there.", z.strictObject(overriding(registryRetentionShape))),
        { meaning: "What stays in the registry of this environment.", example: { images: 100 } },
      ),
    }),
  ),
);
