/**
 * The three units a config is written in. Each `parse…` answers null for a text that is not one (never a guess), and each
 * `format…` gives a text that parses back to the same number.
 */

type Digits = `${number}`;
type DurationUnit = "ms" | "s" | "m" | "h" | "d";

/** `250ms`, `30s`, `5m`, `1h30m`, `2d`. */
export type Duration = `${Digits}${DurationUnit}` | `${Digits}${DurationUnit}${Digits}${DurationUnit}`;
/** `25%`, `2.5%`. */
export type Percent = `${Digits}%`;
/** `512MB` is 512,000,000 bytes; `512MiB` is 536,870,912 bytes. */
export type Size = `${Digits}${"B" | "kB" | "MB" | "GB" | "TB" | "KiB" | "MiB" | "GiB" | "TiB"}`;

const durationUnits: readonly (readonly [DurationUnit, number])[] = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
  ["ms", 1],
];

const sizeUnits: readonly (readonly [string, number])[] = [
  ["TiB", 1024 ** 4],
  ["TB", 1000 ** 4],
  ["GiB", 1024 ** 3],
  ["GB", 1000 ** 3],
  ["MiB", 1024 ** 2],
  ["MB", 1000 ** 2],
  ["KiB", 1024],
  ["kB", 1000],
  ["B", 1],
];

// Nine digits at most, so that no sum of parts leaves the integers that a number can hold exactly.
const number = "\\d{1,9}(?:\\.\\d{1,4})?";

/** Largest unit first, each at most once. */
export const durationPattern = new RegExp(
  `^(?=\\d)${durationUnits.map(([unit]) => `(?:(${number})${unit})?`).join("")}$`,
);
export const percentPattern = new RegExp(`^(${number})%$`);
export const sizePattern = new RegExp(`^(${number})(${sizeUnits.map(([unit]) => unit).join("|")})$`);

/** Milliseconds, rounded to a whole one. */
export function parseDuration(text: string): number | null {
  const match = durationPattern.exec(text);
  if (match === null) return null;
  const ms = durationUnits.reduce((sum, [, factor], index) => sum + Number(match[index + 1] ?? 0) * factor, 0);
  return Math.round(ms);
}

/** The shortest exact text: 5400000 → `1h30m`, 0 → `0s`. Takes whole, non-negative milliseconds. */
export function formatDuration(ms: number): string {
  let rest = ms;
  let text = "";
  for (const [unit, factor] of durationUnits) {
    const count = Math.floor(rest / factor);
    if (count === 0) continue;
    text += `${count}${unit}`;
    rest -= count * factor;
  }
  return text === "" ? "0s" : text;
}

/** A ratio from 0 to 1. */
export function parsePercent(text: string): number | null {
  const match = percentPattern.exec(text);
  const percent = match === null ? Number.NaN : Number(match[1]);
  // Through the decimal text, because 7 / 100 * 100 is not 7 in binary fractions.
  return percent <= 100 ? Number(`${percent}e-2`) : null;
}

/** 0.025 → `2.5%`. Takes a ratio from 0 to 1; exact to four decimals of a percent. */
export function formatPercent(ratio: number): string {
  return `${Number((ratio * 100).toFixed(4))}%`;
}

/** Bytes, rounded to a whole one. `MB` is decimal, `MiB` is binary. */
export function parseSize(text: string): number | null {
  const match = sizePattern.exec(text);
  if (match === null) return null;
  const factor = sizeUnits.find(([unit]) => unit === match[2])![1];
  const bytes = Math.round(Number(match[1]) * factor);
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/** In the largest unit that is exact: 512000000 → `512MB`. Takes whole, non-negative bytes. */
export function formatSize(bytes: number): string {
  const exact = sizeUnits.find(([, factor]) => bytes >= factor && bytes % factor === 0);
  return exact === undefined ? "0B" : `${bytes / exact[1]}${exact[0]}`;
}
