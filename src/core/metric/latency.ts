/** Upper bounds, in ms, of the latency histogram's buckets; the last bucket is everything above. About 26 % a step. */
export const latencyBoundsMs: readonly number[] = [
  1, 1.26, 1.58, 2, 2.51, 3.16, 3.98, 5.01, 6.31, 7.94, 10, 12.6, 15.8, 20, 25.1, 31.6, 39.8, 50.1, 63.1, 79.4, 100,
  126, 158, 200, 251, 316, 398, 501, 631, 794, 1000, 1260, 1580, 2000, 2510, 3160, 3980, 5010, 6310, 7940, 10_000,
  30_000,
];

/**
 * The value that `q` (0 to 1) of what was counted does not exceed, in ms, straight between the bounds of its bucket: off by less
 * than one bucket, which is 26 %. Null when nothing was counted. What lies above the last bound is said to be at it.
 */
export function quantile(
  buckets: readonly number[],
  q: number,
  bounds: readonly number[] = latencyBoundsMs,
): number | null {
  const total = buckets.reduce((sum, count) => sum + count, 0);
  if (total <= 0) return null;
  // Which of the sorted values it is: the nearest rank, but at least the first.
  const rank = Math.max(q * total, Number.MIN_VALUE);
  let below = 0;
  for (const [index, count] of buckets.entries()) {
    if (count <= 0 || below + count < rank) {
      below += count;
      continue;
    }
    const upper = bounds[index];
    const lower = index === 0 ? 0 : (bounds[index - 1] ?? 0);
    return upper === undefined ? lower : lower + ((upper - lower) * (rank - below)) / count;
  }
  return bounds.at(-1) ?? null;
}
