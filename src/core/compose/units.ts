/**
 * The units that Compose files are written in; not those of a Slipway config: `k` is 1024 here, and a minute may be `1m0.5s`.
 * Each answers null for a text that is not one.
 */

const durationUnitsMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

const duration = /^(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|ms|s|m|h|d|w))+$/;
// Compose counts nanoseconds in 64 bits: 292 years.
const maxDurationMs = Number(2n ** 63n) / 1e6;
const maxLetters = 100;

/** `1m30s` → 90000. Whole nanoseconds, in milliseconds; may have a fraction. */
export function composeDuration(text: string): number | null {
  if (text === "0") return 0;
  if (text.length > maxLetters || !duration.test(text)) return null;
  const parts = text.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|ms|[smhdw])/g);
  const ms = [...parts].reduce((sum, [, count, unit]) => sum + Number(count) * durationUnitsMs[unit!]!, 0);
  return ms < maxDurationMs ? Math.round(ms * 1e6) / 1e6 : null;
}

const sizePowers: Readonly<Record<string, number>> = { "": 0, k: 1, m: 2, g: 3, t: 4, p: 5 };

/** `512m`, `1.5 GiB`, `1024`, `-1` → bytes. Every unit is a power of 1024. */
export function composeSize(text: string): number | null {
  if (/^-?\d{1,16}$/.test(text)) return Number(text);
  const match = /^(\d{1,16}\.?\d{0,16}|\.\d{1,16}) ?([kmgtp]?)(?:i?b)?$/i.exec(text);
  if (match === null) return null;
  const bytes = Math.trunc(Number(match[1]) * 1024 ** sizePowers[match[2]!.toLowerCase()]!);
  return Number.isSafeInteger(bytes) ? bytes : null;
}
