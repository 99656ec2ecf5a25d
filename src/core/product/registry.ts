import { z } from "zod";
import { named, optional, overriding, required } from "./key.ts";
import { repositoryText } from "./mount-values.ts";
import { environmentVariable, text } from "./values.ts";

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
};

export const registrySchema = named("RegistryInput", "Where images are kept.", z.strictObject(registryShape));

export const registryOverrideSchema = named(
  "RegistryOverride",
  "The registry, as far as it is different here.",
  z.strictObject(overriding(registryShape)),
);
