import type { Notes } from "./notes.ts";
import { type At, isList, isMap, type Raw } from "./tree.ts";

/** The value of a variable; undefined when it is not set. */
export type Lookup = (name: string) => string | undefined;

/**
 * What reading may still do, over all files. Without a limit a line of `$A$A$A…`, or a thousand services that extend a
 * large one, make gigabytes of a small file.
 */
export type Budget = {
  /** That variables are replaced with, and of env files. */
  characters: number;
  /** Values of files, and of services that are extended. */
  nodes: number;
};

/** Ten times the largest file that is read, and three times the largest tree that one may have. */
export const newBudget = (): Budget => ({ characters: 10_000_000, nodes: 300_000 });

const maxNesting = 50;

export type Substituted = {
  readonly text: string;
  /** Names that were used and are not set, with no default. */
  readonly unset: readonly string[];
  /** Why it cannot be read; `text` is what came before. */
  readonly fault: string | null;
};

/**
 * A text with its variables filled in: `$VAR`, `${VAR}`, `${VAR:-default}`, `${VAR-default}`, `${VAR:?message}`,
 * `${VAR?message}`, `${VAR:+other}`, `${VAR+other}`, nested in each other, and `$$` for a dollar. Never throws.
 */
export function substitute(text: string, lookup: Lookup, budget: Budget = newBudget()): Substituted {
  const unset: string[] = [];
  try {
    return { text: filled(text, { lookup, budget, unset, nesting: 0 }), unset, fault: null };
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault;
    return { text: "", unset, fault: fault.message };
  }
}

/** Every text in a tree substituted; keys stay. What is wrong is noted at its place. */
export function interpolate(value: Raw, at: At, lookup: Lookup, budget: Budget, notes: Notes): Raw {
  if (typeof value === "string") {
    if (!value.includes("$")) return value;
    const { text, unset, fault } = substitute(value, lookup, budget);
    for (const name of unset) notes.warn(at, `the variable ${name} is not set; nothing is put in its place`);
    if (fault !== null) notes.error(at, fault);
    return fault === null ? text : value;
  }
  if (isList(value)) return value.map((item, index) => interpolate(item, [...at, index], lookup, budget, notes));
  if (!isMap(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, interpolate(item, [...at, key], lookup, budget, notes)]),
  );
}

class Fault extends Error {}

type Filling = {
  readonly lookup: Lookup;
  readonly budget: Budget;
  readonly unset: string[];
  readonly nesting: number;
};

const named = /^\$([A-Za-z_][A-Za-z0-9_]*)/;
// The braces end at the last `}` of the line: which of them is ours is counted afterwards.
const braced = /^\$\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-+?])(.*))?\}/;
const bracedAlone = /^\$\{([A-Za-z_][A-Za-z0-9_]*)\}/;

function filled(text: string, filling: Filling): string {
  if (filling.nesting > maxNesting) throw new Fault(`variables are nested more than ${maxNesting} deep`);
  let out = "";
  let position = 0;
  for (;;) {
    const dollar = text.indexOf("$", position);
    if (dollar === -1) return out + spend(text.slice(position), filling);
    out += text.slice(position, dollar);
    const { value, length } = oneVariable(text, dollar, filling);
    out += spend(value, filling);
    position = dollar + length;
  }
}

function oneVariable(
  text: string,
  from: number,
  filling: Filling,
): { readonly value: string; readonly length: number } {
  const next = text[from + 1];
  if (next === "$") return { value: "$", length: 2 };
  if (next !== "{") {
    const name = named.exec(text.slice(from, from + maxName))?.[1];
    // A dollar before anything else is a dollar: `$1` of a regular expression stays.
    return name === undefined ? { value: "$", length: 1 } : { value: variable(name, filling), length: name.length + 1 };
  }
  const lineEnd = text.indexOf("\n", from);
  const line = text.slice(from, lineEnd === -1 ? undefined : lineEnd);
  const alone = bracedAlone.exec(line)?.[1];
  if (alone !== undefined) return { value: variable(alone, filling), length: alone.length + 3 };
  const whole = braced.exec(line)?.[0];
  if (whole === undefined)
    throw new Fault(`"\${" begins no variable that can be read; write $$ for a dollar, or \${NAME} on one line`);
  const own = whole.slice(0, closing(whole) ?? whole.length);
  const [, name = "", operator = "", word = ""] = braced.exec(own) ?? [];
  return { value: withOperator(name, operator, word, filling), length: own.length };
}

const maxName = 1_000;

/** Where the braces that the text begins with are closed: behind it, or null where they are not balanced. */
function closing(text: string): number | null {
  let open = 0;
  for (let index = 0; index < text.length; index++) {
    if (text[index] === "}" && --open === 0) return index + 1;
    // The letter after an opening brace is not looked at, as Compose does not: `{}` opens and does not close.
    if (text[index] === "{") {
      open++;
      index++;
    }
  }
  return null;
}

function withOperator(name: string, operator: string, word: string, filling: Filling): string {
  const value = filling.lookup(name);
  const missing = value === undefined || (operator.startsWith(":") && value === "");
  const deeper = { ...filling, nesting: filling.nesting + 1 };
  switch (operator.at(-1)) {
    case "-":
      return missing ? filled(word, deeper) : value;
    case "+":
      return missing ? (value ?? "") : filled(word, deeper);
    default: {
      if (!missing) return value;
      const why = filled(word, deeper);
      throw new Fault(`the variable ${name} must be set${why === "" ? "" : `: ${why}`}`);
    }
  }
}

function variable(name: string, { lookup, unset }: Filling): string {
  const value = lookup(name);
  if (value === undefined) unset.push(name);
  return value ?? "";
}

function spend(text: string, { budget }: Filling): string {
  budget.characters -= text.length;
  if (budget.characters < 0)
    throw new Fault("the variables make more text than can be read; is one used again and again?");
  return text;
}
