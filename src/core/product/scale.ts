import { z } from "zod";
import { parseScaleTarget } from "../scale/target.ts";
import { named, optional } from "./key.ts";
import { checkedText, duration, flag, percent, wholeNumber } from "./values.ts";

export const scaleDefaults = {
  min: 1,
  max: 3,
  // As Kubernetes' examples and most teams have it: room for what comes while another instance starts.
  cpu: "70%",
  upAfter: "30s",
  downAfter: "5m",
  step: 1,
} as const;

const allowed = 'a metric and what is too much, such as "queue delay > 30s", "requests > 50/s" or "in flight > 20"';

/** What is too much, in a line; the grammar is that of rules, in `judge/rule/parse.ts`. */
function targetText(): z.ZodType<string, string> {
  return checkedText({ type: "string", allowed }, (seen) => {
    const parsed = parseScaleTarget(seen, null);
    return parsed.is === "wrong" ? parsed.why : null;
  });
}

export const scaleShape = {
  min: optional(wholeNumber({ min: 1, max: 100 }), {
    meaning: "Never fewer instances than these.",
    default: scaleDefaults.min,
    example: 2,
  }),
  max: optional(wholeNumber({ min: 1, max: 100 }), {
    meaning: "Never more instances than these, unless a person asks for them.",
    default: scaleDefaults.max,
    example: 6,
  }),
  cpu: optional(percent(), {
    meaning:
      "The use of processor time, of what an instance may use, above which another one is wanted; the average of all instances.",
    default: '("70%" where no other target is given)',
    example: "70%",
  }),
  memory: optional(percent(), {
    meaning:
      "The same for memory, of the service's resources.memory, which it needs; of several instances the fullest.",
    default: "(not looked at)",
    example: "80%",
  }),
  when: optional(z.array(targetText()).max(20), {
    meaning:
      "What else is too much, as rules say it. requests, errors and in flight are those of one instance. The service's own, unless it says of another one.",
    default: [],
    example: ["queue delay > 30s"],
    allowed: 'a list of metrics and what is too much, such as ["queue delay > 30s"]',
  }),
  upAfter: optional(duration({ min: "1s", max: "1h" }), {
    meaning: "How long one of the targets must be passed without a break before there is an instance more.",
    default: scaleDefaults.upAfter,
    example: "1m",
  }),
  downAfter: optional(duration({ min: "1s", max: "1d" }), {
    meaning:
      "How long all targets must leave room for an instance less. Twice as long each time that it soon turns out to have been one too few.",
    default: scaleDefaults.downAfter,
    example: "10m",
  }),
  step: optional(wholeNumber({ min: 1, max: 100 }), {
    meaning: "How many instances at most are started or stopped at once.",
    default: scaleDefaults.step,
    example: 2,
  }),
  suggest: optional(flag(), {
    meaning: "Only says what it would do, in the history, and does nothing.",
    default: false,
    example: true,
  }),
};

export const scaleSchema = named(
  "ScaleInput",
  "Within which limits, and by what, instances come and go.",
  z.strictObject(scaleShape),
);
