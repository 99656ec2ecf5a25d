import type { ParameterInput } from "../product/input.ts";

/** What may be said when a run is begun by hand. */
export type Parameter = {
  readonly name: string;
  /** Null: the config does not say. */
  readonly meaning: string | null;
  readonly kind: ParameterKind;
  /** As steps have it; null: it must be given. */
  readonly default: string | null;
};

export type ParameterKind =
  /** `allowed`: null is any text. */
  | { readonly is: "text"; readonly allowed: readonly string[] | null }
  | { readonly is: "boolean" }
  | {
      readonly is: "number";
      readonly whole: boolean;
      readonly min: number | null;
      readonly max: number | null;
      readonly allowed: readonly number[] | null;
    };

/** The name of the variable in which steps have it. */
export function parameterVariable({ name }: Pick<Parameter, "name">): string {
  return `SLIPWAY_PARAM_${name.toUpperCase().replaceAll("-", "_")}`;
}

/** A value as the API takes it: a command line has only texts. */
export type ParameterValue = string | number | boolean;

/** A value as steps have it, the same for `3`, `"3"` and `"3.0"`; or what is allowed, when it is none. */
export function readValue(
  kind: ParameterKind,
  said: ParameterValue,
): { readonly value: string } | { readonly allowed: string } {
  const allowed = kindText(kind);
  switch (kind.is) {
    case "text": {
      const value = String(said);
      return kind.allowed === null || kind.allowed.includes(value) ? { value } : { allowed };
    }
    case "boolean":
      return /^(?:true|false)$/.test(String(said)) ? { value: String(said) } : { allowed };
    case "number": {
      // Neither "" nor "0x10" nor "1e3": whoever says these means something else.
      const number = /^-?\d+(?:\.\d+)?$/.test(String(said)) ? Number(said) : Number.NaN;
      const isOne =
        Number.isFinite(number) &&
        (!kind.whole || Number.isSafeInteger(number)) &&
        number >= (kind.min ?? Number.NEGATIVE_INFINITY) &&
        number <= (kind.max ?? Number.POSITIVE_INFINITY) &&
        (kind.allowed === null || kind.allowed.includes(number));
      return isOne ? { value: String(number) } : { allowed };
    }
  }
}

/** `a whole number from 1 to 20`, `quick or full`. */
export function kindText(kind: ParameterKind): string {
  if (kind.is === "boolean") return "true or false";
  if (kind.allowed !== null) return inWords(kind.allowed.map(String));
  if (kind.is === "text") return "any text";
  const what = kind.whole ? "a whole number" : "a number";
  if (kind.min !== null && kind.max !== null) return `${what} from ${kind.min} to ${kind.max}`;
  if (kind.min !== null) return `${what} of at least ${kind.min}`;
  return kind.max === null ? what : `${what} of at most ${kind.max}`;
}

function inWords(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

/** The type that is named, else that of the default or of the values that are allowed, else text. */
export function typeOf({
  type,
  default: value,
  allowed,
  min,
  max,
}: ParameterInput): NonNullable<ParameterInput["type"]> {
  if (type !== undefined) return type;
  const told = typeof (value ?? allowed?.[0] ?? min ?? max);
  return told === "number" || told === "boolean" ? told : "text";
}

export function kindOf(input: ParameterInput): ParameterKind {
  const { allowed, min = null, max = null } = input;
  const type = typeOf(input);
  switch (type) {
    case "boolean":
      return { is: "boolean" };
    case "text":
      return { is: "text", allowed: allowed?.map(String) ?? null };
    case "number":
    case "integer":
      return { is: "number", whole: type === "integer", min, max, allowed: allowed?.map(Number) ?? null };
  }
}
