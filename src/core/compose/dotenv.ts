import { type Budget, type Lookup, newBudget, substitute } from "./interpolate.ts";

export type EnvFile = {
  readonly values: Readonly<Record<string, string>>;
  /** The first thing that is wrong, with its line; null when all of it was read. Never a value. */
  readonly fault: string | null;
};

export type EnvFormat = "dotenv" | "raw";

export type EnvOptions = {
  readonly format?: EnvFormat;
  readonly budget?: Budget;
  /** What earlier files have set; part of the answer too. */
  readonly known?: Readonly<Record<string, string>>;
};

/**
 * The variables of a `.env` or `env_file`. `NAME=value`, `export NAME=value`, `NAME: value`; single quotes keep all as it is,
 * double quotes take escapes and variables, a bare value ends at ` #`; a bare `NAME` is taken from `lookup`. Variables are
 * looked up outside first, then in `known` and the lines above. `raw` takes each line as it is. Never throws.
 */
export function parseEnvFile(
  text: string,
  lookup: Lookup,
  { format = "dotenv", budget = newBudget(), known = {} }: EnvOptions = {},
): EnvFile {
  const values = new Map(Object.entries(known));
  budget.characters -= text.length;
  if (budget.characters < 0) return { values: { ...known }, fault: "the env files are too long together" };
  const source = text.startsWith("\uFEFF") ? text.slice(1) : text;
  const fault = format === "raw" ? readRaw(source, values, lookup) : readDotenv(source, values, lookup, budget);
  return { values: Object.fromEntries(values), fault };
}

function readRaw(text: string, values: Map<string, string>, lookup: Lookup): string | null {
  for (const [index, whole] of text.split("\n").entries()) {
    const line = whole.trimStart().replace(/\r$/, "");
    if (line === "" || line.startsWith("#")) continue;
    const [name = ""] = line.split("=", 1);
    if (name === "" || /\s/.test(name)) return `line ${index + 1}: a name is missing or has a space in it`;
    const value = name.length < line.length ? line.slice(name.length + 1) : lookup(name);
    if (value !== undefined) values.set(name, value);
  }
  return null;
}

const space = /[\t\v\f\r \u0085\u00a0]/;
const nameCharacter = /[\p{L}\p{N}_.\-[\]]/u;

function readDotenv(text: string, values: Map<string, string>, lookup: Lookup, budget: Budget): string | null {
  let position = 0;
  const fault = (why: string) => `line ${text.slice(0, position).split("\n").length}: ${why}`;
  for (;;) {
    position = statementFrom(text, position);
    if (position >= text.length) return null;
    const key = nameAt(text, position);
    if (key.unexpected !== null)
      return fault(`${JSON.stringify(key.unexpected)} cannot be in the name of a variable; write NAME=value`);
    if (key.name.includes(" ")) return fault("the name of a variable cannot have a space in it");
    if (key.inherited) {
      const value = lookup(key.name);
      if (value !== undefined) values.set(key.name, value);
      position = key.end;
      continue;
    }
    const found = valueFrom(text, key.end);
    if (found === null) return fault("a quote is opened and not closed");
    position = found.end;
    const { text: value, fault: wrong } = found.literal
      ? { text: found.text, fault: null }
      : substitute(found.text, (name) => lookup(name) ?? values.get(name), budget);
    if (wrong !== null) return fault(wrong);
    values.set(key.name, value);
  }
}

/** Behind white space and comments. */
function statementFrom(text: string, from: number): number {
  const blank = /(?:\s+|#[^\n]*)*/y;
  // A comment begins only where a statement could: the pattern is anchored there.
  blank.lastIndex = from;
  return from + (blank.exec(text)?.[0].length ?? 0);
}

type Key = {
  readonly name: string;
  readonly end: number;
  /** Only a name on its line: its value comes from outside. */
  readonly inherited: boolean;
  readonly unexpected: string | null;
};

function nameAt(text: string, from: number): Key {
  const exported = /export[\t\v\f\r ]+/y;
  exported.lastIndex = from;
  const start = from + (exported.exec(text)?.[0].length ?? 0);
  let index = start;
  for (const character of text.slice(start, start + maxName)) {
    if (character === "=" || character === ":" || character === "\n") {
      const name = text.slice(start, index).trimEnd();
      return { name, end: afterSpaces(text, index + 1), inherited: character === "\n", unexpected: null };
    }
    if (!space.test(character) && !nameCharacter.test(character))
      return { name: "", end: index, inherited: false, unexpected: character };
    index += character.length;
  }
  // The last line, with nothing behind the name.
  return { name: text.slice(start, index).trimEnd(), end: index, inherited: true, unexpected: null };
}

const maxName = 10_000;

function afterSpaces(text: string, from: number): number {
  let index = from;
  while (index < text.length && space.test(text[index]!)) index++;
  return index;
}

type Value = { readonly text: string; readonly literal: boolean; readonly end: number };

function valueFrom(text: string, from: number): Value | null {
  const quote = text[from];
  if (quote === '"' || quote === "'") return quotedFrom(text, from, quote);
  const lineEnd = text.indexOf("\n", from);
  const line = text.slice(from, lineEnd === -1 ? undefined : lineEnd);
  const comment = line.indexOf(" #");
  const value = (comment === -1 ? line : line.slice(0, comment)).trimEnd();
  return { text: value, literal: false, end: lineEnd === -1 ? text.length : lineEnd + 1 };
}

function quotedFrom(text: string, from: number, quote: string): Value | null {
  let out = "";
  for (let index = from + 1; index < text.length; index++) {
    const character = text[index]!;
    if (character === quote) {
      const value = quote === '"' ? unescaped(out) : out;
      return { text: value, literal: quote === "'", end: index + 1 };
    }
    if (character === "\\" && text[index + 1] === quote) {
      out += quote;
      index++;
    } else if (character === "\\" && index + 1 < text.length) {
      out += `\\${text[index + 1]}`;
      index++;
    } else out += character;
  }
  return null;
}

const escapes: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  '"': '"',
  "\\": "\\",
  // What follows is interpolated, where two dollars are one.
  $: "$$",
};

function unescaped(text: string): string {
  return text.replace(/\\([abcfnrtv$"\\]|0\d{0,3})/g, (whole, letters: string) => {
    if (letters.startsWith("0"))
      return /^0[0-3][0-7]{2}$/.test(letters) ? String.fromCharCode(Number.parseInt(letters, 8)) : whole;
    return escapes[letters] ?? whole;
  });
}
