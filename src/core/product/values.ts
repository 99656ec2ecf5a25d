import { z } from "zod";
import { namePattern } from "../ids.ts";
import { nearest } from "./guess.ts";
import { type ValueKind, valueKinds } from "./key.ts";
import type { JsonShape } from "./spec.ts";
import {
  type Duration,
  durationPattern,
  type Percent,
  parseDuration,
  parsePercent,
  parseSize,
  percentPattern,
  type Size,
  sizePattern,
} from "./units.ts";
import { aKindOf, asArguments, literal, nameGuess, show, sizeGuess, unitGuess } from "./wording.ts";

/** `30s`. The limits are durations too, so that the message can show them as a person writes them. */
export function duration({ min, max }: { min?: Duration; max?: Duration } = {}): z.ZodType<Duration, Duration> {
  const allowed = `a number and a unit (ms, s, m, h, d), such as 30s, 5m or 1h30m${limits(min, max)}`;
  return checkedText<Duration>({ type: "Duration", allowed, pattern: durationPattern.source }, (seen) => {
    const ms = parseDuration(seen);
    if (ms === null) return notA(seen, "duration", allowed, unitGuess(seen, parseDuration, ["s"]));
    const tooShort = min !== undefined && ms < parseDuration(min)!;
    const tooLong = max !== undefined && ms > parseDuration(max)!;
    return tooShort || tooLong ? `${seen} is too ${tooShort ? "short" : "long"}; use ${allowed}` : null;
  });
}

/** `25%`. */
export function percent(): z.ZodType<Percent, Percent> {
  const allowed = "0% to 100%, such as 25%";
  return checkedText<Percent>({ type: "Percent", allowed, pattern: percentPattern.source }, (seen) =>
    parsePercent(seen) === null ? notA(seen, "percentage", allowed, unitGuess(seen, parsePercent, ["%"])) : null,
  );
}

/** `5%`, of the traffic: neither nothing nor all, and not finer than an edge can split. */
export function stepWeight(): z.ZodType<Percent, Percent> {
  const allowed = "more than 0% and less than 100%, at most two decimals, such as 5%";
  return checkedText<Percent>({ type: "Percent", allowed, pattern: percentPattern.source }, (seen) => {
    const ratio = parsePercent(seen);
    if (ratio === null) return notA(seen, "percentage", allowed, unitGuess(seen, parsePercent, ["%"]));
    if (ratio === 1) return `${seen} is all traffic, which comes by itself after the last step; leave it out`;
    return ratio === 0 || !Number.isInteger(Number(`${ratio}e4`)) ? `${seen} is no step; use ${allowed}` : null;
  });
}

/** `512MB`, with a least size in bytes. */
export function size({ minBytes }: { minBytes: number }): z.ZodType<Size, Size> {
  const allowed = "a number and a unit (B, kB, MB, GB, KiB, MiB, GiB), such as 512MB";
  return checkedText<Size>({ type: "Size", allowed, pattern: sizePattern.source }, (seen) => {
    const bytes = parseSize(seen);
    if (bytes === null) return notA(seen, "size", allowed, sizeGuess(seen));
    return bytes < minBytes ? `${seen} is too small; use at least ${minBytes} bytes` : null;
  });
}

export function name(what: string): z.ZodType<string, string> {
  const allowed = "small letters, digits and dashes, a letter first, at most 40";
  return checkedText({ type: "string", allowed, pattern: namePattern.source }, (seen) => {
    if (namePattern.test(seen)) return null;
    return notA(seen, `name for a ${what}`, allowed, nameGuess(seen));
  });
}

/** `production`, or `preview/my-branch`. */
export function environmentText(): z.ZodType<string, string> {
  const allowed = "small letters, digits and dashes, a letter first, at most 40; perhaps two such with a / between";
  const pattern = /^[a-z][a-z0-9-]{0,39}(\/[a-z][a-z0-9-]{0,39})?$/;
  return checkedText({ type: "string", allowed, pattern: pattern.source }, (seen) =>
    pattern.test(seen) ? null : notA(seen, "name for an environment", allowed, nameGuess(seen)),
  );
}

/** As Compose has it: `shop`, `shop-app`, `my_shop`. */
export function projectText(): z.ZodType<string, string> {
  const allowed = "small letters, digits, - and _, a letter or digit first";
  const pattern = /^[a-z0-9][a-z0-9_-]{0,62}$/;
  return checkedText({ type: "string", allowed, pattern: pattern.source }, (seen) =>
    pattern.test(seen) ? null : notA(seen, "name of a Compose project", allowed, nameGuess(seen)),
  );
}

/** Any text that is not empty. */
export function text(): z.ZodType<string, string> {
  const allowed = "a text that is not empty";
  return checkedText({ type: "string", allowed }, (seen) => (seen === "" ? `empty; use ${allowed}` : null));
}

/** `2026-12-31`. */
export function day(): z.ZodType<string, string> {
  const allowed = "a day such as 2026-12-31";
  const pattern = /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/;
  return checkedText({ type: "string", allowed, pattern: pattern.source }, (seen) => {
    const parsed = pattern.test(seen) ? Date.parse(`${seen}T00:00:00Z`) : Number.NaN;
    const isDay = !Number.isNaN(parsed) && new Date(parsed).toISOString().startsWith(seen);
    return isDay ? null : notA(seen, "day", allowed);
  });
}

/** A path inside the repository: relative, with `/`, never up and out. */
export function insidePath(): z.ZodType<string, string> {
  const allowed = 'a path inside the repository, such as "." or "apps/web"';
  return checkedText({ type: "string", allowed }, (seen) => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: a path with one is a mistake or an attack.
    const odd = seen === "" || seen.startsWith("/") || /^[a-zA-Z]:|\\|[\u0000-\u001f]/.test(seen);
    return odd || seen.split("/").includes("..") ? notA(seen, "path inside the repository", allowed) : null;
  });
}

export function environmentVariable(): z.ZodType<string, string> {
  const allowed = "letters, digits and _, not a digit first, such as LOG_LEVEL";
  const pattern = /^[A-Za-z_][A-Za-z0-9_]*$/;
  return checkedText({ type: "string", allowed, pattern: pattern.source }, (seen) => {
    if (pattern.test(seen)) return null;
    const plain = seen.replaceAll(/[^A-Za-z0-9_]+/g, "_");
    return notA(seen, "name of a variable", allowed, pattern.test(plain) ? plain : undefined);
  });
}

/** Never shown when refused: it may be a secret in the wrong place. */
export function environmentValue(): z.ZodType<string, string> {
  const allowed = "text in quotes";
  const schema = z
    .string({ error: ({ input }) => `${aKindOf(input)} is not text; put it in quotes` })
    .check(({ value, issues }) => {
      if (value.includes("\0")) issues.push({ code: "custom", input: value, message: "it has a NUL in it" });
    });
  valueKinds.set(schema, { type: "string", allowed });
  return schema;
}

/** An argument array. A plain string is refused with the array that it probably means. */
export function command(): z.ZodType<string[], string[]> {
  const allowed = 'an array of strings, such as ["node", "server.js"]';
  const schema = z
    .array(z.string({ error: ({ input }) => `${show(input)} is not text; put it in quotes` }), {
      error: ({ input }) =>
        typeof input === "string" && input.trim() !== ""
          ? `${show(input)} is a string; use an array: ${literal(asArguments(input))}`
          : `${show(input)} is not a command; use ${allowed}`,
    })
    .check(({ value, issues }) => {
      const refuse = (message: string) => issues.push({ code: "custom", input: value, message });
      if (value.length === 0) refuse(`the command is empty; use ${allowed}`);
      else if (value[0] === "") refuse(`the program's name is empty; use ${allowed}`);
      else if (value.some((argument) => argument.includes("\0"))) refuse("an argument has a NUL in it");
      else if (value.length === 1 && /\s/.test(value[0]!))
        refuse(`${show(value[0])} is one argument; use ${literal(asArguments(value[0]!))}`);
    });
  valueKinds.set(schema, { type: "string[]", allowed });
  return schema;
}

/** One of a few words. `later` are words that will come, each with what to do until then. */
export function choice<const Words extends readonly string[]>(
  words: Words,
  later: Readonly<Record<string, string>> = {},
): z.ZodType<Words[number], Words[number]> {
  return z.enum(words, {
    error: ({ input }) => {
      if (typeof input === "string" && Object.hasOwn(later, input)) return `${show(input)} ${later[input]}`;
      const guess = typeof input === "string" ? nearest(input, words) : null;
      const advice = guess === null ? `use one of ${words.join(", ")}` : `did you mean "${guess}"?`;
      return `${show(input)} is not known here; ${advice}`;
    },
  }) as unknown as z.ZodType<Words[number], Words[number]>;
}

export function flag(): z.ZodType<boolean, boolean> {
  return z.boolean({ error: ({ input }) => `${show(input)} is not a yes or no; use true or false, without quotes` });
}

/** JSON that an answer must contain. */
export function jsonShape(): z.ZodType<JsonShape, JsonShape> {
  const allowed = 'JSON the answer must contain, such as { "status": "healthy" }';
  const schema = z.record(z.string(), z.unknown()).check(({ value, issues }) => {
    if (!isJsonShape(value, bodyDepth))
      issues.push({ code: "custom", input: value, message: `not JSON that can be compared; use ${allowed}` });
  });
  valueKinds.set(schema, { type: "JsonShape", allowed });
  return schema as unknown as z.ZodType<JsonShape, JsonShape>;
}

export function decimal({ min, max }: { min: number; max: number }): z.ZodType<number, number> {
  const allowed = `a number from ${min} to ${max}`;
  const schema = z
    .number({ error: ({ input }) => `${show(input)} is not ${allowed}` })
    .min(min)
    .max(max);
  valueKinds.set(schema, { type: "number", allowed });
  return schema;
}

export function wholeNumber({ min, max }: { min: number; max: number }): z.ZodType<number, number> {
  const allowed = `a whole number from ${min} to ${max}`;
  const schema = z
    .int({ error: ({ input }) => `${show(input)} is not ${allowed}` })
    .min(min)
    .max(max);
  valueKinds.set(schema, { type: "number", allowed });
  return schema;
}

const bodyDepth = 8;

function isJsonShape(value: unknown, depth: number): boolean {
  if (value === null || typeof value === "string" || typeof value === "boolean") return true;
  if (typeof value === "number") return Number.isFinite(value);
  if (Array.isArray(value))
    return value.every((item) => (item === null || typeof item !== "object") && isJsonShape(item, depth));
  if (typeof value !== "object") return false;
  return depth > 0 && Object.values(value).every((item) => isJsonShape(item, depth - 1));
}

/** A string with a check that may say what is wrong and what was probably meant. */
export function checkedText<T extends string>(
  kind: ValueKind,
  refuse: (seen: string) => string | null,
): z.ZodType<T, T> {
  const schema = z.string({ error: ({ input }) => wrongKind(input, kind, refuse) }).check(({ value, issues }) => {
    const refusal = refuse(value);
    if (refusal !== null) issues.push({ code: "custom", input: value, message: refusal });
  });
  valueKinds.set(schema, kind);
  return schema as unknown as z.ZodType<T, T>;
}

/** A number where a text with a unit belongs is the commonest slip: it is answered as that text would be. */
function wrongKind(input: unknown, kind: ValueKind, refuse: (seen: string) => string | null): string {
  const asText = typeof input === "number" ? refuse(String(input)) : null;
  if (asText !== null) return asText.replace(`"${input}"`, String(input));
  return `${show(input)} is not a text; use ${kind.allowed}`;
}

export function notA(seen: string, what: string, allowed: string, guess?: string): string {
  const quoted = show(seen);
  if (guess === undefined) return `${quoted} is not a ${what}; use ${allowed}`;
  return `${quoted} is not a ${what}; did you mean "${guess}"?`;
}

function limits(min?: Duration, max?: Duration): string {
  if (min !== undefined && max !== undefined) return `, from ${min} to ${max}`;
  if (min !== undefined) return `, at least ${min}`;
  return max === undefined ? "" : `, at most ${max}`;
}
