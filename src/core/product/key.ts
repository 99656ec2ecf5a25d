import { z } from "zod";
import type { Json } from "../ids.ts";

/**
 * Everything a person reads about one key, written once, beside its schema. From it come `slipway explain`, the reference
 * page (`docs/config.md`), the descriptions in the JSON Schema, and the doc comments of the types in `input.ts` that an
 * editor shows. It cannot come the other way round: TypeScript drops doc comments in zod's inferred types (its mapped
 * types rename keys), measured with the language server of TypeScript 7.0.2 on zod 4.6.
 */
export type KeyDoc = {
  /** What it is for, in whole sentences; the first one stands alone. */
  readonly meaning: string;
  /** What holds when the key is left out; a text in brackets, such as `(the directory's name)`, when it depends. */
  readonly default?: Json;
  readonly example: Json;
  /** What may be written, when the schema alone does not say it well: completes "use …". */
  readonly allowed?: string;
};

/** A kind of value with a name of its own in the types, the reference page and the problems. */
export type ValueKind = {
  /** The name of its type in `units.ts` or `input.ts`. */
  readonly type: string;
  /** Completes "use …": `a number and a unit, such as 30s, 5m or 1h30m`. */
  readonly allowed: string;
  /** For the JSON Schema. */
  readonly pattern?: string;
};

export type TypeName = { readonly name: string; readonly meaning: string };

export const keyDocs = new WeakMap<z.core.$ZodType, KeyDoc>();
export const valueKinds = new WeakMap<z.core.$ZodType, ValueKind>();
/** The names of the interfaces that `input.ts` gives to object schemas. */
export const typeNames = new WeakMap<z.core.$ZodType, TypeName>();

/** A key that must be there. */
export function required<S extends z.ZodType>(schema: S, doc: KeyDoc): S {
  // A clone, so that one schema used for two keys does not end up with one doc.
  const own = schema.clone() as S;
  const kind = valueKinds.get(schema);
  if (kind !== undefined) valueKinds.set(own, kind);
  const named = typeNames.get(schema);
  if (named !== undefined) typeNames.set(own, named);
  keyDocs.set(own, doc);
  return own;
}

/** A key that may be left out. */
export function optional<S extends z.ZodType>(schema: S, doc: KeyDoc): z.ZodOptional<S> {
  const own = schema.optional();
  keyDocs.set(own, doc);
  return own;
}

type Overriding<Shape extends z.ZodRawShape> = {
  [Key in keyof Shape]: z.ZodOptional<z.ZodNullable<Shape[Key] extends z.ZodOptional<infer S> ? S : Shape[Key]>>;
};

/**
 * The same keys for an environment: each may be left out, which keeps the product's value, or be null, which goes back to
 * the default. Their docs are the same, without the default, because leaving one out means something else here.
 */
export function overriding<Shape extends z.ZodRawShape>(shape: Shape): Overriding<Shape> {
  const entries = Object.entries(shape).map(([name, schema]) => {
    const inner = schema instanceof z.ZodOptional ? schema.unwrap() : schema;
    const own = (inner as z.ZodType).nullable().optional();
    const doc = keyDocs.get(schema);
    if (doc !== undefined) keyDocs.set(own, { ...doc, default: "(the product's value)" });
    return [name, own];
  });
  return Object.fromEntries(entries) as Overriding<Shape>;
}

/** Gives an object schema the name of its interface. */
export function named<S extends z.ZodType>(name: string, meaning: string, schema: S): S {
  typeNames.set(schema, { name, meaning });
  return schema;
}
