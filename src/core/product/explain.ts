import { nearest } from "./guess.ts";
import { typeText } from "./input-types.ts";
import { type KeyPath, keyPaths, type Node } from "./tree.ts";
import { defaultText, literal } from "./wording.ts";

/** What is to be known about one key of the config. */
export type Explanation = {
  /** `services.*.health.interval`; `*` is any name, or any place in a list. */
  readonly path: string;
  readonly meaning: string;
  /** As in the types an editor shows: `Duration`, `"web" | "worker" | "job" | "static"`. */
  readonly type: string;
  /** What may be written. */
  readonly allowed: string;
  /** In words where it depends on something; null when the key must be given. */
  readonly default: string | null;
  readonly example: string;
  /** Keys further down. */
  readonly keys: readonly { readonly name: string; readonly meaning: string }[];
  /** Where an environment may set it otherwise; null when it cannot. */
  readonly override: string | null;
};

export type ExplainResult =
  | { readonly found: true; readonly explanation: Explanation }
  | { readonly found: false; readonly path: string; readonly guesses: readonly string[] };

/**
 * Explains a key by its path: `services.web.health.interval`, `services.*.health.interval`, or only its end where that is
 * clear: `health.interval`. Otherwise the keys that were probably meant.
 */
export function explainKey(path: string): ExplainResult {
  const segments = path
    .replaceAll(/\[(\d+|\*)\]/g, ".$1")
    .replaceAll(/\["([^"]*)"\]/g, ".$1")
    .split(".")
    .filter((part) => part !== "");
  const all = uniquePaths();
  const exact = all.find((key) => matches(key.path, segments));
  if (exact !== undefined) return { found: true, explanation: explanationOf(exact, all) };
  const ends = all.filter((key) => segments.length > 0 && matches(key.path.slice(-segments.length), segments));
  // An environment repeats the keys of the product: its own come first to mind.
  const own = ends.filter((key) => key.path[0] !== "environments");
  const candidates = own.length > 0 ? own : ends;
  if (candidates.length === 1) return { found: true, explanation: explanationOf(candidates[0]!, all) };
  if (candidates.length > 1) return { found: false, path, guesses: candidates.map(pathOf) };
  return { found: false, path, guesses: near(segments, all) };
}

/** The explanation as a person reads it in a terminal. */
export function formatExplanation(explanation: Explanation): string {
  const { path, meaning, allowed, default: fallback, example, keys, override } = explanation;
  const lines = [
    ["allowed", allowed],
    ["default", fallback ?? "none; it must be given"],
    ["example", `${path.split(".").at(-1)}: ${example}`],
    ["override", override ?? "no; it is the same in every environment"],
  ];
  const column = Math.max(0, ...keys.map(({ name }) => name.length));
  const inner = keys.map(({ name, meaning: text }) => `  ${name.padEnd(column)}   ${firstSentence(text)}`);
  return [
    path,
    `  ${meaning}`,
    "",
    ...lines.map(([label, text]) => `  ${label!.padEnd(8)}  ${text}`),
    ...(inner.length > 0 ? ["", ...inner] : []),
  ].join("\n");
}

/** What an unknown key gets instead. */
export function formatUnknownKey({ path, guesses }: ExplainResult & { found: false }): string {
  if (guesses.length === 0) return `there is no key "${path}"`;
  if (guesses.length === 1) return `there is no key "${path}"; did you mean ${guesses[0]}?`;
  return [`"${path}" may be one of these:`, ...guesses.map((guess) => `  ${guess}`)].join("\n");
}

export function firstSentence(text: string): string {
  return /^.*?[.](?=\s|$)/.exec(text)?.[0] ?? text;
}

/** What may be written, in words. */
export function allowedText(node: Node): string {
  switch (node.is) {
    case "value":
      return node.allowed;
    case "choice":
      return node.words.map((word) => JSON.stringify(word)).join(", ");
    case "flag":
      return "true, false";
    case "off":
      return "false";
    case "list":
      return `a list of: ${allowedText(node.of)}`;
    case "map":
      return node.of.is === "object"
        ? `a map of names to ${node.of.name}`
        : `a map of names to ${allowedText(node.of)}`;
    case "either":
      return node.of.map(allowedText).join("; or ");
    case "object":
      return `an object with ${node.keys.map(({ name }) => name).join(", ")}`;
  }
}

function explanationOf(key: KeyPath, all: readonly KeyPath[]): Explanation {
  const inner = all.filter((other) => below(other.path, key.path));
  const override = ["environments", "*", ...key.path];
  const overridden = key.path[0] === "environments" || all.some((other) => other.path.join(".") === override.join("."));
  return {
    path: pathOf(key),
    meaning: key.doc.meaning,
    type: typeText(key.node),
    allowed: key.doc.allowed ?? allowedText(key.node),
    default: key.required ? null : defaultText(key.doc),
    example: literal(key.doc.example),
    keys: inner.map((other) => ({
      name: other.path
        .slice(key.path.length)
        .filter((part) => part !== "*")
        .join("."),
      meaning: other.doc.meaning,
    })),
    override: overridden ? (key.path[0] === "environments" ? pathOf(key) : override.join(".")) : null,
  };
}

/** Directly below, or below the names of a map or the places of a list. */
function below(path: readonly string[], outer: readonly string[]): boolean {
  if (path.length <= outer.length || !outer.every((part, index) => part === path[index])) return false;
  return path.slice(outer.length, -1).every((part) => part === "*");
}

function matches(pattern: readonly string[], segments: readonly string[]): boolean {
  return pattern.length === segments.length && pattern.every((part, index) => part === "*" || part === segments[index]);
}

/** The end of the path, or its last key, as somebody may have misspelt it. */
function near(segments: readonly string[], all: readonly KeyPath[]): readonly string[] {
  const paths = all.map(pathOf);
  const whole = nearest(segments.join("."), paths);
  if (whole !== null) return [whole];
  const parents = all.filter((key) => matches(key.path.slice(0, -1), segments.slice(0, -1)));
  const own = all.filter((key) => key.path[0] !== "environments");
  for (const pool of [parents, own]) {
    const last = nearest(segments.at(-1) ?? "", new Set(pool.map((key) => key.path.at(-1)!)));
    if (last !== null) return pool.filter((key) => key.path.at(-1) === last).map(pathOf);
  }
  return [];
}

function pathOf(key: KeyPath): string {
  return key.path.join(".");
}

/** A key that stands in two branches of one union is one key. */
function uniquePaths(): readonly KeyPath[] {
  const seen = new Map<string, KeyPath>();
  for (const key of keyPaths()) if (!seen.has(pathOf(key))) seen.set(pathOf(key), key);
  return [...seen.values()];
}
