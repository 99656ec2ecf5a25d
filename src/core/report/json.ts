import { UnreadableReport } from "./xml.ts";

/** Deeper, or made of more objects and lists, than any report is. */
const mostDepth = 100;
const mostParts = 1_000_000;
const mostChars = 500;

/** A report's JSON, whoever wrote it. What would make us large is refused before it is read. Errors: UnreadableReport. */
export function parseReport(text: string): unknown {
  // Some tools write a byte order mark.
  const plain = text.replace(/^\uFEFF/, "");
  if (plain.trim() === "") throw new UnreadableReport("it is empty");
  measure(plain);
  try {
    return JSON.parse(plain);
  } catch {
    throw new UnreadableReport("it is no JSON");
  }
}

/** Counts what opens outside of texts, in one pass. */
function measure(text: string): void {
  let [depth, parts] = [0, 0];
  for (let at = 0; at < text.length; at++) {
    const sign = text[at];
    if (sign === '"') {
      at = textEnd(text, at);
      continue;
    }
    if (sign === "}" || sign === "]") depth -= 1;
    if (sign !== "{" && sign !== "[") continue;
    depth += 1;
    parts += 1;
    if (depth > mostDepth) throw new UnreadableReport(`it is nested more than ${mostDepth} deep`);
    if (parts > mostParts) throw new UnreadableReport(`it has more than ${mostParts} objects and lists`);
  }
}

function textEnd(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === "\\") at += 1;
    else if (text[at] === '"') return at;
  }
  return text.length;
}

export function fieldOf(value: unknown, ...names: readonly string[]): unknown {
  return names.reduce<unknown>(
    (inner, name) =>
      typeof inner === "object" && inner !== null && Object.hasOwn(inner, name)
        ? (inner as Record<string, unknown>)[name]
        : undefined,
    value,
  );
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Nothing where it is no list. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** One line without signs to a terminal, cut where it is long; empty where it is no text. */
export function textOf(value: unknown): string {
  if (typeof value !== "string") return "";
  const start = value.slice(0, 4 * mostChars);
  // Control and format characters: they would move a terminal's cursor, or turn the text around.
  return start
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, " ")
    .trim()
    .slice(0, mostChars);
}

export function lineOf(value: unknown): number | null {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : null;
}
