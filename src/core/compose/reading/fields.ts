import { nearest } from "../../product/guess.ts";
import type { Notes } from "../notes.ts";
import { type At, field, isList, isMap, type Raw, type RawMap, scalarText } from "../tree.ts";
import { composeDuration, composeSize } from "../units.ts";

/** Reads one value; null when it has been refused. */
export type Read<T> = (value: Raw, at: At, notes: Notes) => T | null;

/**
 * The keys of one object of a Compose file. Each is asked for once, by its kind; what nobody has asked for when `end` is
 * called is an unknown key. A key that is there and null is a key that is not there.
 */
export class Fields {
  readonly at: At;
  readonly notes: Notes;
  readonly #map: RawMap;
  readonly #asked = new Set<string>();

  constructor(value: Raw, at: At, notes: Notes) {
    this.at = at;
    this.notes = notes;
    this.#map = isMap(value) ? value : {};
    if (value !== null && !isMap(value)) notes.refuse(at, value, "an object");
  }

  raw(key: string): Raw {
    this.#asked.add(key);
    return field(this.#map, key) ?? null;
  }

  /** Whether the key is there, with or without a value. */
  has(key: string): boolean {
    return Object.hasOwn(this.#map, key);
  }

  read<T>(key: string, read: Read<T>): T | null {
    const value = this.raw(key);
    return value === null ? null : read(value, [...this.at, key], this.notes);
  }

  text(key: string): string | null {
    return this.read(key, text);
  }

  choice<const Word extends string>(key: string, words: readonly Word[]): Word | null {
    return this.read(key, choice(words));
  }

  flag(key: string): boolean | null {
    return this.read(key, flag);
  }

  whole(key: string, limits?: { readonly min: number; readonly max: number }): number | null {
    return this.read(key, whole(limits));
  }

  decimal(key: string): number | null {
    return this.read(key, decimal);
  }

  durationMs(key: string): number | null {
    return this.read(key, durationMs);
  }

  bytes(key: string): number | null {
    return this.read(key, bytes);
  }

  /** A list of texts; never null. */
  texts(key: string): readonly string[] {
    return this.read(key, list(text)) ?? [];
  }

  /** One text, or a list of them. */
  oneOrMore(key: string): readonly string[] {
    return this.read(key, oneOrMore) ?? [];
  }

  /** A list of texts and numbers. */
  scalars(key: string): readonly string[] {
    return this.read(key, list(scalar)) ?? [];
  }

  list<T>(key: string, read: Read<T>): readonly T[] {
    return this.read(key, list(read)) ?? [];
  }

  /** Each under its name; a null stays one. */
  map<T>(key: string, read: Read<T>): Readonly<Record<string, T>> {
    return this.read(key, mapOf(read)) ?? {};
  }

  /** `NAME: value` or `- NAME=value`; without a value it is null. */
  pairs(key: string): Readonly<Record<string, string | null>> {
    return this.read(key, pairs) ?? {};
  }

  /** As `pairs`; without a value it is empty. */
  labels(key: string): Readonly<Record<string, string>> {
    return Object.fromEntries(Object.entries(this.pairs(key)).map(([name, value]) => [name, value ?? ""]));
  }

  /** Keys that are passed on as they are. */
  kept(...keys: readonly string[]): RawMap {
    const found = keys.map((key) => [key, this.raw(key)] as const).filter(([, value]) => value !== null);
    return Object.fromEntries(found);
  }

  /** `x-…`, as written. */
  get extensions(): RawMap {
    return Object.fromEntries(Object.entries(this.#map).filter(([key]) => key.startsWith("x-")));
  }

  /** Says which keys are unknown. */
  end(): void {
    for (const key of Object.keys(this.#map)) {
      if (this.#asked.has(key) || key.startsWith("x-")) continue;
      const guess = nearest(key, this.#asked);
      this.notes.error([...this.at, key], `unknown key${guess === null ? "" : `; did you mean "${guess}"?`}`, {
        allowed: `one of ${[...this.#asked].sort().join(", ")}, or x-…`,
        ...(guess === null ? {} : { guess }),
      });
    }
  }
}

export const text: Read<string> = (value, at, notes) => {
  if (typeof value === "string") return withoutNul(value, at, notes);
  notes.refuse(at, value, "a text; put it in quotes");
  return null;
};

/** A text, or a number as a text. */
export const scalar: Read<string> = (value, at, notes) => {
  if (typeof value === "number" || typeof value === "bigint") return scalarText(value);
  return text(value, at, notes);
};

export const flag: Read<boolean> = (value, at, notes) => {
  if (typeof value === "boolean") return value;
  const word = typeof value === "string" ? value.toLowerCase() : "";
  if (["true", "yes", "y", "on"].includes(word)) return true;
  if (["false", "no", "n", "off"].includes(word)) return false;
  notes.refuse(at, value, "true or false");
  return null;
};

export function choice<const Word extends string>(words: readonly Word[]): Read<Word> {
  return (value, at, notes) => {
    const found = words.find((word) => word === value);
    if (found === undefined) notes.refuse(at, value, `one of ${words.join(", ")}`);
    return found ?? null;
  };
}

const widest = { min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER };

export function whole({ min, max } = widest): Read<number> {
  return (value, at, notes) => {
    const number = typeof value === "string" && /^[-+]?\d{1,16}$/.test(value) ? Number(value) : value;
    if (typeof number === "number" && Number.isInteger(number) && number >= min && number <= max) return number;
    const range = min === widest.min ? "" : max === widest.max ? `, at least ${min}` : ` from ${min} to ${max}`;
    notes.refuse(at, value, `a whole number${range}`);
    return null;
  };
}

export const decimal: Read<number> = (value, at, notes) => {
  const number = typeof value === "string" && /^\d{1,16}(\.\d{1,16})?$/.test(value) ? Number(value) : value;
  if (typeof number === "number" && Number.isFinite(number) && number >= 0) return number;
  notes.refuse(at, value, "a number, such as 0.5");
  return null;
};

export const durationMs: Read<number> = (value, at, notes) => {
  const ms = typeof value === "string" ? composeDuration(value) : null;
  if (ms === null) notes.refuse(at, value, "numbers and units (us, ms, s, m, h, d), such as 10s or 1m30s");
  return ms;
};

export const bytes: Read<number> = (value, at, notes) => {
  const size = typeof value === "string" ? composeSize(value) : value;
  if (typeof size === "number" && Number.isSafeInteger(size) && size >= -1) return size;
  notes.refuse(at, value, "bytes, or a number and a unit (b, k, m, g), such as 512m");
  return null;
};

/** Permission bits: 288, or as a text in octal: "0440". */
export const fileMode: Read<number> = (value, at, notes) => {
  const mode = typeof value === "string" && /^[0-7]{1,5}$/.test(value) ? Number.parseInt(value, 8) : value;
  if (typeof mode === "number" && Number.isInteger(mode) && mode >= 0 && mode <= 0o7777) return mode;
  notes.refuse(at, value, 'permission bits in octal, such as "0440"');
  return null;
};

// Longer lists are no list that people write: a bomb, or a range of ports that was meant otherwise.
export const maxItems = 1_000;

export function list<T>(read: Read<T>): Read<readonly T[]> {
  return (value, at, notes) => {
    if (!isList(value)) {
      notes.refuse(at, value, "a list");
      return null;
    }
    if (value.length > maxItems) {
      notes.error(at, `${value.length} entries; at most ${maxItems} are read`);
      return null;
    }
    return value.flatMap((item, index) => {
      const one = read(item, [...at, index], notes);
      return one === null ? [] : [one];
    });
  };
}

export const oneOrMore: Read<readonly string[]> = (value, at, notes) => {
  if (typeof value === "string") return [value];
  return list(text)(value, at, notes);
};

export function mapOf<T>(read: Read<T>): Read<Readonly<Record<string, T>>> {
  return (value, at, notes) => {
    if (!isMap(value)) {
      notes.refuse(at, value, "an object");
      return null;
    }
    if (Object.keys(value).length > maxItems) {
      notes.error(at, `${Object.keys(value).length} entries; at most ${maxItems} are read`);
      return null;
    }
    const read1 = Object.entries(value).flatMap(([key, item]) => {
      const one = read(item, [...at, key], notes);
      return one === null ? [] : [[key, one] as const];
    });
    return Object.fromEntries(read1);
  };
}

export const pairs: Read<Readonly<Record<string, string | null>>> = (value, at, notes) => {
  if (isList(value)) {
    const lines = list(text)(value, at, notes) ?? [];
    return Object.fromEntries(lines.map((line) => pair(line)));
  }
  if (!isMap(value)) {
    notes.refuse(at, value, "an object, or a list of NAME=value");
    return null;
  }
  const entries = Object.entries(value).flatMap(([name, item]) => {
    if (!isMap(item) && !isList(item)) {
      const shown = item === null ? null : scalarText(item);
      return [[name, shown === null ? null : withoutNul(shown, [...at, name], notes)] as const];
    }
    notes.refuse([...at, name], item, "a text, a number, true or false");
    return [];
  });
  return Object.fromEntries(entries);
};

function pair(line: string): readonly [string, string | null] {
  const equals = line.indexOf("=");
  return equals === -1 ? [line, null] : [line.slice(0, equals), line.slice(equals + 1)];
}

/** No variable, argument or path of a system can have one; it would end the text where it is. */
function withoutNul(value: string, at: At, notes: Notes): string | null {
  if (!value.includes("\0")) return value;
  notes.error(at, "it has a NUL in it");
  return null;
}
