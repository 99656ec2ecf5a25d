import { z } from "zod";
import { named, optional, overriding } from "./key.ts";
import { choice, decimal, duration, flag, percent, wholeNumber } from "./values.ts";

export const rulesDefaults = {
  margin: "2%",
  minimum: 10,
  factor: 2,
  floor: "25ms",
  quantiles: ["p50", "p95", "p99"],
  latencyMinimum: 50,
  coldMargin: "10%",
  warmUp: "30s",
  falseAlarms: "1%",
  healthLost: true,
} as const;

const errorRatioShape = {
  margin: optional(percent(), {
    meaning:
      "How far the candidate's share of 5xx answers may be above the stable release's. A smaller one finds bad releases earlier.",
    default: rulesDefaults.margin,
    example: "5%",
  }),
  minimum: optional(wholeNumber({ min: 1, max: 1_000_000 }), {
    meaning:
      "Requests the candidate must have answered before its ratio is judged. The comparison needs none; it is for the first answers after a start.",
    default: rulesDefaults.minimum,
    example: 100,
  }),
  warmUp: optional(duration({ max: "1h" }), {
    meaning:
      "For how long the errors of fresh instances are held against coldMargin instead, for a cache that is cold fails at first and heals. What is bad within the two margins is found only after it.",
    default: "(no such time)",
    example: "30s",
  }),
  coldMargin: optional(percent(), {
    meaning: "How far the candidate's share of 5xx answers may be above the stable release's within warmUp.",
    default: rulesDefaults.coldMargin,
    example: "20%",
  }),
};

const latencyShape = {
  factor: optional(decimal({ min: 1, max: 100 }), {
    meaning: "How many times as long as the stable release's the candidate's answers may take.",
    default: rulesDefaults.factor,
    example: 1.5,
  }),
  floor: optional(duration({ max: "1m" }), {
    meaning: "How much longer they may take in any case: between 2 and 4 ms nobody sees a difference.",
    default: rulesDefaults.floor,
    example: "100ms",
  }),
  quantiles: optional(z.array(choice(["p50", "p95", "p99"])).min(1), {
    meaning: "What is compared: the time within which half of the answers began, 95 % of them, 99 % of them.",
    default: [...rulesDefaults.quantiles],
    example: ["p95"],
    allowed: 'a list of p50, p95, p99, such as ["p95", "p99"]',
  }),
  minimum: optional(wholeNumber({ min: 1, max: 1_000_000 }), {
    meaning: "Answers that both releases must have given before they are compared.",
    default: rulesDefaults.latencyMinimum,
    example: 500,
  }),
  warmUp: optional(duration({ max: "1h" }), {
    meaning:
      "How long after its first request the candidate may be slow without being judged for it, and again after each step that brings new instances.",
    default: rulesDefaults.warmUp,
    example: "2m",
  }),
};

const allowedErrorRatio = 'an object such as { margin: "2%", minimum: 10 }, or false';
const allowedLatency = 'an object such as { factor: 2, floor: "25ms" }, or false';

const rulesShape = {
  errorRatio: optional(
    z.union([
      named("ErrorRatioInput", "When errors take a release back.", z.strictObject(errorRatioShape)),
      z.literal(false),
    ]),
    {
      meaning:
        "Takes a release back when its share of 5xx answers is above the stable release's by more than a margin, compared after every answer. false turns the rule off.",
      default: { margin: rulesDefaults.margin, minimum: rulesDefaults.minimum },
      example: { margin: "5%", minimum: 100 },
      allowed: allowedErrorRatio,
    },
  ),
  latency: optional(
    z.union([
      named("LatencyInput", "When slowness takes a release back.", z.strictObject(latencyShape)),
      z.literal(false),
    ]),
    {
      meaning:
        "Takes a release back when its answers begin later than the stable release's by more than a factor. false turns the rule off.",
      default: { factor: rulesDefaults.factor, floor: rulesDefaults.floor },
      example: { factor: 1.5, quantiles: ["p95"] },
      allowed: allowedLatency,
    },
  ),
  falseAlarms: optional(percent(), {
    meaning:
      "How many of the deployments whose release is no worse than allowed may be taken back nevertheless, by errorRatio and latency together over all services. Holds however often it is looked at.",
    default: rulesDefaults.falseAlarms,
    example: "0.1%",
  }),
  healthLost: optional(flag(), {
    meaning: "Takes a release back when an instance becomes unhealthy or exits by itself.",
    default: rulesDefaults.healthLost,
    example: false,
  }),
};

export const rulesSchema = named(
  "RulesInput",
  "What takes a release back while it is watched.",
  z.strictObject(rulesShape),
);

export const rulesOverrideSchema = named(
  "RulesOverride",
  "Rules, as far as they are different here.",
  z.strictObject({
    ...overriding(rulesShape),
    ...overriding({
      errorRatio: optional(
        z.union([
          named(
            "ErrorRatioOverride",
            "The rule, as far as it is different here.",
            z.strictObject(overriding(errorRatioShape)),
          ),
          z.literal(false),
        ]),
        {
          meaning: "Takes a release back when it answers more errors than the stable one. false turns the rule off.",
          example: { margin: "10%" },
          allowed: allowedErrorRatio,
        },
      ),
      latency: optional(
        z.union([
          named(
            "LatencyOverride",
            "The rule, as far as it is different here.",
            z.strictObject(overriding(latencyShape)),
          ),
          z.literal(false),
        ]),
        {
          meaning: "Takes a release back when it answers more slowly than the stable one. false turns the rule off.",
          example: { factor: 3 },
          allowed: allowedLatency,
        },
      ),
    }),
  }),
);
