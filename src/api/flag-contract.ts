import { z } from "zod";
import type { FlagInForce } from "../core/flags/flag.ts";
import { name, person, reason } from "./contract.ts";

/** The part of the contract that is about feature flags. */
const ratio = z.number().min(0).max(1);
export const flagQuery = z.object({ product: name, environment: name });
/** Turns a flag; null: as the config says. */
export const flagBody = z.strictObject({
  product: name,
  environment: name,
  flag: name,
  setting: z
    .union([z.strictObject({ is: z.enum(["on", "off"]) }), z.strictObject({ is: z.literal("share"), ratio })])
    .nullable(),
  actor: person,
  reason: reason.min(1),
});

export type FlagView = FlagInForce;
