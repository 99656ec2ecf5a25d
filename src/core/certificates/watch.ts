import type { EpochMs } from "../ids.ts";
import type { Severity } from "../judge/rule/rule.ts";
import { type CertificateSeen, type CertificateStanding, standingOf } from "./standing.ts";

/** What was told of a certificate last; one of which nothing was ever told is well. */
export type CertificateTold = CertificateStanding["is"];

export type CertificateNews = {
  readonly is: CertificateTold;
  readonly severity: Severity;
  /** For a person: what it is and what to do. */
  readonly reason: string;
};

const severities = {
  well: "info",
  failing: "warning",
  ending: "warning",
  missing: "critical",
  ended: "critical",
} as const satisfies Record<CertificateTold, Severity>;

/**
 * What is news of a certificate, as it is seen now, was seen at the look before (null: never), and was told last.
 *
 * ```text
 *  well ─► failing ─► ending ─► ended ─► well again: each is told once, also when one is left out
 *  well ─► missing ─► well
 * ```
 * One that could not be renewed, or is not there, is so for a moment while it is being got: it is told when two looks in a row see it.
 */
export function certificateNews(
  {
    seen,
    before,
    told,
  }: { readonly seen: CertificateSeen; readonly before: CertificateTold | null; readonly told: CertificateTold },
  now: EpochMs,
): CertificateNews | null {
  const { is, says } = standingOf(seen, now);
  if (is === told) return null;
  if (is === "well") return { is, severity: severities[is], reason: `${says}; it is well again` };
  if ((is === "failing" || is === "missing") && before !== is) return null;
  return { is, severity: severities[is], reason: `${says}; ${remedy}` };
}

const remedy = "renew the files, or see that port 80 reaches the edge and what its CA says: slipway doctor";
