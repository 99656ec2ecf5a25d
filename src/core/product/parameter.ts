import { z } from "zod";
import { named, optional } from "./key.ts";
import { choice, decimal, environmentValue, flag, text } from "./values.ts";

const parameterTypes = ["text", "number", "integer", "boolean"] as const;

const parameterNumber = () => decimal({ min: -1e12, max: 1e12 });

/** What may be said when a run is begun by hand. */
export const parameterSchema = named(
  "ParameterInput",
  "Something that may be said when a run is begun by hand; steps have it as SLIPWAY_PARAM_<NAME>.",
  z.strictObject({
    meaning: optional(text(), { meaning: "What it is for.", default: "(none)", example: "how much is tested" }),
    type: optional(choice(parameterTypes), {
      meaning: "What its value is; steps have it as text, a boolean as true or false.",
      default: "(that of its default or of what is allowed; else text)",
      example: "integer",
    }),
    default: optional(z.union([flag(), environmentValue(), parameterNumber()]), {
      meaning: "What it is when nothing is said. Without one it must be given.",
      default: "(must be given)",
      example: "quick",
      allowed: "a text, a number, true or false, as its type is",
    }),
    allowed: optional(
      z
        .array(z.union([environmentValue(), parameterNumber()]))
        .min(1)
        .max(50),
      {
        meaning: "The values that it may have.",
        default: "(any of its type)",
        example: ["quick", "full"],
        allowed: 'a list of texts or numbers, such as ["quick", "full"]',
      },
    ),
    min: optional(parameterNumber(), {
      meaning: "For a number: the least that it may be.",
      default: "(none)",
      example: 1,
    }),
    max: optional(parameterNumber(), {
      meaning: "For a number: the most that it may be.",
      default: "(none)",
      example: 20,
    }),
  }),
);
