import { z } from "zod";
import { ciFactsBody, name, parametersBody, reason } from "./contract.ts";

/** The part of the contract that is about jobs of a CI. */
export const sessionBody = z.strictObject({ token: z.string().max(32_768) });
export const ciDeployBody = z.strictObject({
  environment: name,
  facts: ciFactsBody,
  /** The same for one question that is asked again. */
  key: z.string().min(8).max(80),
  parameters: parametersBody.default({}),
});
export const ciPromoteBody = z.strictObject({
  environment: name,
  /** Null: what is live in the environment before. */
  release: z.string().min(1).max(120).nullable(),
  facts: ciFactsBody,
  reason,
  /** The same for one question that is asked again. */
  key: z.string().min(8).max(80),
});
export const ciRollbackBody = z.strictObject({ environment: name, reason });
