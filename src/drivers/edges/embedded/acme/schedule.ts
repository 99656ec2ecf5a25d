const awayFirstMs = 5000;
const awayMostMs = 600_000;
const refusedFirstMs = 600_000;
const refusedMostMs = 21_600_000;

/**
 * When a certificate is renewed: with a third of its life left (what Let's Encrypt asks for), and up to a thirtieth of it
 * earlier, so that those that were got together are not renewed together. `random` is 0 to 1.
 */
export function renewAtMs(
  { fromMs, untilMs }: { readonly fromMs: number; readonly untilMs: number },
  random: number,
): number {
  const lifeMs = untilMs - fromMs;
  return untilMs - lifeMs / 3 - (random * lifeMs) / 30;
}

/**
 * The pause after so many failures in a row. A CA that is away is asked again soon; one that said no is not: Let's
 * Encrypt takes five failed proofs an hour (https://letsencrypt.org/docs/rate-limits/). Up to a fifth longer by `random`.
 */
export function pauseMs(
  failure: { readonly kind: "away" | "refused"; readonly failures: number; readonly retryAfterMs: number },
  random: number,
): number {
  const [first, most] = failure.kind === "away" ? [awayFirstMs, awayMostMs] : [refusedFirstMs, refusedMostMs];
  const pause = Math.min(most, first * 2 ** Math.min(20, failure.failures - 1));
  return Math.max(pause, failure.retryAfterMs) * (1 + random / 5);
}
