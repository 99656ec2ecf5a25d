import type { Tally } from "./tally.ts";

/** The three functions of probability that the tests need and JavaScript does not have. */

/** Stirling's series with its argument shifted to 8 or more: right to 13 digits (Abramowitz and Stegun 6.1.41). */
export function lnGamma(x: number): number {
  let shift = 0;
  let z = x;
  for (; z < 8; z += 1) shift += Math.log(z);
  const inverse = 1 / (z * z);
  const series = (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse / 1680))) / z;
  return (z - 0.5) * Math.log(z) - z + 0.5 * Math.log(2 * Math.PI) + series - shift;
}

export function lnBeta(a: number, b: number): number {
  return lnGamma(a) + lnGamma(b) - lnGamma(a + b);
}

/** The logarithm of the chance of these very draws, in their order, where each is bad with this share. */
export function lnLikelihood({ seen, bad }: Tally, share: number): number {
  const good = seen - bad;
  // 0 · ln 0 is 0 here: what was never seen says nothing against a share of nothing.
  return (bad === 0 ? 0 : bad * Math.log(share)) + (good === 0 ? 0 : good * Math.log1p(-share));
}
