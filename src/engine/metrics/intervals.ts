/** How long a sample holds that is taken at this interval: two missed ones are no news yet. */
export function tooOld(intervalMs: number): number {
  return Math.max(2_000, Math.round(intervalMs * 2.5));
}
