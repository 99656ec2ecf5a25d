import { kindOf, kindText, readValue, typeOf } from "../../pipeline/parameter.ts";
import type { ParameterInput, ProductInput } from "../input.ts";
import { error, type Finding, warning } from "./finding.ts";

/** What a parameter says of its values goes together, and its default is one of them. */
export function checkParameters({ pipeline, triggers }: ProductInput): readonly Finding[] {
  return Object.entries(pipeline?.parameters ?? {}).flatMap(([name, input]) => {
    const at = ["pipeline", "parameters", name];
    const wrong = problemsOf(input).map(([key, message]) => error([...at, key], message));
    return wrong.length > 0 ? wrong : missedBy(triggers, input).map((message) => warning(at, message));
  });
}

/** What begins without a person says nothing, so a parameter without a default ends it before its first step. */
function missedBy(triggers: ProductInput["triggers"], input: ParameterInput): readonly string[] {
  const { branches, tags, pullRequests, schedules } = triggers ?? {};
  const begins = [branches, tags, schedules].some((rules) => Object.keys(rules ?? {}).length > 0);
  if (input.default !== undefined || !(begins || pullRequests !== undefined)) return [];
  return [
    "nobody gives it where a push, a pull request or a schedule begins the run, so those all fail; give it a default",
  ];
}

type Problem = readonly [key: string, message: string];

function problemsOf(input: ParameterInput): readonly Problem[] {
  const { default: value, allowed, min, max } = input;
  const type = typeOf(input);
  const isNumber = type === "number" || type === "integer";
  const bounds = Object.entries({ min, max }).filter(([, bound]) => bound !== undefined);
  const notBounded = isNumber
    ? []
    : bounds.map(([key]): Problem => [key, `it is a ${type}, which has none; leave it out, or say type: "number"`]);
  if (notBounded.length > 0) return notBounded;
  if (min !== undefined && max !== undefined && min > max) return [["min", `${min} is more than max, ${max}`]];
  if (type === "boolean" && allowed !== undefined) return [["allowed", "a boolean is true or false; leave it out"]];
  const wanted = isNumber ? "number" : "string";
  const odd = (allowed ?? []).filter(
    (one) => typeof one !== wanted || (type === "integer" && !Number.isSafeInteger(one)),
  );
  if (odd.length > 0) return odd.map((one) => ["allowed", `${JSON.stringify(one)} is no ${type}`]);
  if (value === undefined) return [];
  const kind = kindOf(input);
  const isOfType = typeof value === (type === "boolean" ? "boolean" : wanted);
  if (isOfType && "value" in readValue(kind, value)) return [];
  return [["default", `${JSON.stringify(value)} is not one of those allowed: ${kindText(kind)}`]];
}
