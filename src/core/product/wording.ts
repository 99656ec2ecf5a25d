import { type Json, namePattern } from "../ids.ts";
import { parseSize } from "./units.ts";

/** How a value is shown in a problem: short, on one line. */
export function show(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value === "function" || typeof value === "symbol" || typeof value === "bigint") return aKindOf(value);
  if (typeof value === "object" && value !== null) return aKindOf(value);
  const shown = typeof value === "string" ? JSON.stringify(value) : String(value);
  return shown.length <= 60 ? shown : `${shown.slice(0, 56)}…${shown.endsWith('"') ? '"' : ""}`;
}

/** JSON as a person writes it in a TypeScript file: `{ path: "/up", "x-a": [1, 2] }`. */
export function literal(value: Json | undefined): string {
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).map(([key, item]) => {
    return `${/^[A-Za-z_$][\w$]*$/.test(key) ? key : JSON.stringify(key)}: ${literal(item)}`;
  });
  return entries.length === 0 ? "{}" : `{ ${entries.join(", ")} }`;
}

/** The value that holds when a key is left out, or the words in brackets that say on what it depends. */
export function defaultText({ default: value }: { readonly default?: Json }): string {
  return typeof value === "string" && value.startsWith("(") ? value.slice(1, -1) : literal(value);
}

export function aKindOf(value: unknown): string {
  if (value === null) return "null";
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "string") return value === "" ? "an empty text" : "a text";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/** The array a person who wrote one string most likely means; a shell only when the string needs one. */
export function asArguments(line: string): string[] {
  if (/[&|;<>$`*?(){}]|^\s*[A-Za-z_]\w*=/.test(line)) return ["sh", "-c", line.trim()];
  const words = line.match(/"[^"]*"|'[^']*'|\S+/g) ?? [];
  return words.map((word) => word.replace(/^(["'])(.*)\1$/, "$2"));
}

/** `30` → `30s`, `5M` → `5m`, `30 s` → `30s`, `90sec` → `90s`. */
export function unitGuess(
  seen: string,
  parse: (text: string) => number | null,
  units: readonly string[],
): string | undefined {
  const plain = seen.toLowerCase().replaceAll(/\s+/g, "");
  const words = plain
    .replace(/(?<=\d)(sec|secs|second|seconds)$/, "s")
    .replace(/(?<=\d)(min|mins|minute|minutes)$/, "m")
    .replace(/(?<=\d)(hour|hours|hr|hrs)$/, "h")
    .replace(/(?<=\d)(percent)$/, "%");
  return [words, ...units.map((unit) => `${plain}${unit}`)].find((text) => parse(text) !== null);
}

/** `512mb` → `512MB`, `512M` → `512MB`, `512Mi` → `512MiB`, `1024` → `1024B`. */
export function sizeGuess(seen: string): string | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(seen);
  if (match === null) return undefined;
  const unit = match[2]!.toLowerCase();
  const known = ["B", "kB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB"];
  const meant = known.find((item) => [unit, `${unit}b`].includes(item.toLowerCase()));
  const guess = meant === undefined ? undefined : `${match[1]}${meant}`;
  return guess !== undefined && parseSize(guess) !== null ? guess : undefined;
}

export function nameGuess(seen: string): string | undefined {
  const plain = seen
    .replaceAll(/(?<=[a-z0-9])(?=[A-Z])/g, "-")
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^[^a-z]+|-+$/g, "")
    .slice(0, 40);
  return namePattern.test(plain) ? plain : undefined;
}
