/**
 * The exact interval of a share (C. Clopper, E. Pearson, Biometrika 26, 1934): the shares under which what was seen, or more, and
 * what was seen, or less, have at least half of `1 - confidence`. Never too narrow.
 */
export function clopperPearson(seen: number, of: number, confidence = 0.95): readonly [low: number, high: number] {
  const tail = (1 - confidence) / 2;
  const low = seen === 0 ? 0 : solve((share) => 1 - atMost(seen - 1, of, share) >= tail);
  const high = seen === of ? 1 : solve((share) => atMost(seen, of, share) <= tail);
  return [low, high];
}

/** The smallest share for which it is true; it must be false below and true above. */
function solve(isAbove: (share: number) => boolean): number {
  let [low, high] = [0, 1];
  for (let round = 0; round < 60; round += 1) {
    const middle = (low + high) / 2;
    if (isAbove(middle)) high = middle;
    else low = middle;
  }
  return high;
}

/** P(X <= k) of a binomial, summed in logarithms. */
function atMost(k: number, n: number, share: number): number {
  if (share <= 0) return 1;
  if (share >= 1) return k >= n ? 1 : 0;
  let logTerm = n * Math.log(1 - share);
  let sum = Math.exp(logTerm);
  for (let i = 1; i <= k; i += 1) {
    logTerm += Math.log((n - i + 1) / i) + Math.log(share / (1 - share));
    sum += Math.exp(logTerm);
  }
  return Math.min(1, sum);
}
