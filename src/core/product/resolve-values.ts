import { parseCidr } from "./addresses.ts";
import { type Duration, type Percent, parseDuration, parsePercent, parseSize, type Size } from "./units.ts";

/** `./apps/web/` → `apps/web`. */
export function inside(path: string): string {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  return parts.length === 0 ? "." : parts.join("/");
}

export const ms = (text: Duration): number => valid(parseDuration(text), text);
export const ratio = (text: Percent): number => valid(parsePercent(text), text);
export const bytes = (text: Size): number => valid(parseSize(text), text);
export const range = (text: string): string => valid(parseCidr(text), text);

/** What a validated config cannot fail at; if it does, a config has come here past `validateProduct`, which is a bug. */
export function valid<T>(value: T | null, seen: unknown): T {
  if (value === null) throw new Error(`an unchecked value was resolved: ${JSON.stringify(seen)}`);
  return value;
}
