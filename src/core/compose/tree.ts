/**
 * A Compose file after YAML and before meaning. Numbers that a double cannot hold exactly (ids of 18 digits in an
 * environment) are bigints, so that they are printed as they were written.
 */
export type Raw = null | boolean | number | bigint | string | readonly Raw[] | RawMap;
export type RawMap = { readonly [key: string]: Raw };

/** Where a value is: keys and, in lists, indexes. */
export type At = readonly (string | number)[];

/** One YAML document, and the places in it that say `!reset` or `!override`: what an earlier file says there is dropped. */
export type ComposeDocument = { readonly value: Raw; readonly replaced: readonly At[] };

export function isMap(value: Raw | undefined): value is RawMap {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isList(value: Raw | undefined): value is readonly Raw[] {
  return Array.isArray(value);
}

/** What is under a key that the map itself has; never what every object inherits. */
export function field<T>(map: { readonly [key: string]: T }, key: string): T | undefined {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}

/** `services.*.ports` fits `services.web.ports`; a star is one key or one index. */
export function fits(pattern: readonly string[], at: At): boolean {
  return pattern.length === at.length && pattern.every((part, index) => part === "*" || part === String(at[index]));
}

/** A number or a flag as Compose prints it into a text: `2.50` is `2.5`, `1e21` is `1e+21`. */
export function scalarText(value: boolean | number | bigint | string): string {
  if (typeof value !== "number") return String(value);
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  const small = value !== 0 && Math.abs(value) < 1e-4;
  return (small ? value.toExponential() : String(value)).replace(/e([+-])(\d)$/, "e$10$2");
}

/** How many values there are in a tree. */
export function sizeOf(value: Raw): number {
  if (isList(value)) return value.reduce<number>((sum, item) => sum + sizeOf(item), 1);
  return isMap(value) ? Object.values(value).reduce<number>((sum, item) => sum + sizeOf(item), 1) : 1;
}
