import type { Raw } from "./tree.ts";

/**
 * What a plain (unquoted) YAML scalar means to Compose: YAML 1.2, with the octals (`0777`), binaries and underscores of 1.1,
 * and without its `yes` and `no`. A date is a text, as it was written.
 */
export function plainScalar(text: string): Raw {
  if (text === "" || text === "~" || text === "null" || text === "Null" || text === "NULL") return null;
  if (text === "true" || text === "True" || text === "TRUE") return true;
  if (text === "false" || text === "False" || text === "FALSE") return false;
  if (!/^[-+.\d]/.test(text)) return text;
  if (/^[-+]?\.(inf|Inf|INF)$/.test(text)) return text.startsWith("-") ? -Infinity : Infinity;
  if (/^\.(nan|NaN|NAN)$/.test(text)) return Number.NaN;
  return numberIn(text.replaceAll("_", "")) ?? text;
}

// Longer digits are no number of anybody's; it also keeps BigInt from working for long.
const maxDigits = 400;

function numberIn(digits: string): number | bigint | null {
  if (digits.length > maxDigits) return null;
  const sign = digits.startsWith("-") ? -1n : 1n;
  const unsigned = digits.replace(/^[-+]/, "");
  const whole = wholeIn(unsigned);
  if (whole !== null) return fitted(sign * whole);
  return /^[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?$/.test(digits) ? Number(digits) : null;
}

function wholeIn(unsigned: string): bigint | null {
  if (/^(0|[1-9]\d*)$/.test(unsigned)) return BigInt(unsigned);
  if (/^0[0-7]+$/.test(unsigned)) return BigInt(`0o${unsigned.slice(1)}`);
  return /^0(x[\da-fA-F]+|o[0-7]+|b[01]+)$/.test(unsigned) ? BigInt(unsigned) : null;
}

/** Beyond 64 bits Compose has only a floating number. */
function fitted(value: bigint): number | bigint {
  if (value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
  return value >= -(2n ** 63n) && value < 2n ** 64n ? value : Number(value);
}
