import { lnBeta } from "./special.ts";

/**
 * Things that were counted without knowing out of how many: log errors, restarts, exceptions. Under "the candidate has no more
 * of them than its traffic", each next one is the candidate's with the chance of its share of the traffic, whatever the rate
 * is and however it changes. Bernoulli case of the sequential multinomial test with a Dirichlet mixture: M. Lindon, A. Malek,
 * "Anytime-valid inference for multinomial count data", arXiv:2011.03567, used for counts of errors in M. Lindon, C. Sanden,
 * V. Shirikian, "Rapid regression detection in software deployments through sequential testing", KDD 2022, arXiv:2205.14762.
 */
export type Occurrences = { readonly candidate: number; readonly stable: number };

/** What prior counts the mixture is worth: one, spread as the traffic is. Smaller is sharper far from the share. */
const concentration = 1;

/** The logarithm of a fair bet against "its share is `share`", both sides of it. Reject at `1/alpha`. */
export function lnOdds({ candidate, stable }: Occurrences, share: number): number {
  const [a, b] = [concentration * share, concentration * (1 - share)];
  return lnBeta(a + candidate, b + stable) - lnBeta(a, b) - candidate * Math.log(share) - stable * Math.log1p(-share);
}

/** Its best p-value so far is the smallest of those looked at. */
export function occurrencesPValue(seen: Occurrences, share: number): number {
  return Math.min(1, Math.exp(-lnOdds(seen, share)));
}
