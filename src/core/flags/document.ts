import { z } from "zod";
import type { FlagInForce } from "./flag.ts";

/** Of what a service is told of its flags. */
export const mostFlags = 200;
export const mostDocumentBytes = 1024 * 1024;

const value = z.union([z.boolean(), z.string().max(4_096), z.number()]);
const ratio = z.number().min(0).max(1);

const inForce = z.object({
  off: value,
  on: value,
  ratio,
  rules: z.array(z.object({ when: z.record(z.string(), z.array(z.string())), ratio })).max(50),
  setting: z.union([z.object({ is: z.enum(["on", "off"]) }), z.object({ is: z.literal("share"), ratio })]).nullable(),
});

/** All flags of an environment, as they are in force: what a control plane answers, and what is kept of it beside a service. */
export const flagDocument = z.object({
  product: z.string(),
  environment: z.string(),
  flags: z.record(z.string(), inForce).refine((flags) => Object.keys(flags).length <= mostFlags),
});
export type FlagDocument = {
  readonly product: string;
  readonly environment: string;
  readonly flags: Readonly<Record<string, FlagInForce>>;
};
