import type { EpochMs } from "../ids.ts";
import { type Finding, type Findings, placeOf, type Severity, severities } from "../report/finding.ts";
import { globMatcher } from "./glob.ts";

/** What a scan step lets pass. */
export type ScanPolicy = {
  /** A finding of this severity or a worse one fails it. */
  readonly failOn: Severity;
  /** Only what the release that is live there has not; null: everything. */
  readonly newSince: string | null;
  readonly waivers: readonly Waiver[];
};

/** Somebody's word that a finding may stay, until a day. */
export type Waiver = {
  /** The rule or advisory, or the fingerprint. */
  readonly finding: string;
  /** Only in this package, or in files that match; null: wherever it is. */
  readonly in: string | null;
  readonly owner: string;
  readonly reason: string;
  /** Its last instant is over: it counts no more. */
  readonly until: EpochMs;
};

/** What is known of the release that is live; null where there is none, or it was never scanned by this step. */
export type ScanBase = { readonly release: string; readonly fingerprints: ReadonlySet<string> } | null;

export type ScanVerdict = {
  readonly passed: boolean;
  /** In one sentence. */
  readonly says: string;
  /** Why it has not passed; the first of them, the worst before the others. */
  readonly blocking: readonly Finding[];
  readonly waived: readonly { readonly finding: Finding; readonly waiver: Waiver }[];
  /** Waivers that would have held, and are over. */
  readonly expired: readonly Waiver[];
  /** Of everything that was found, for the releases to come. */
  readonly fingerprints: readonly string[];
};

const mostNamed = 3;
const mostBlocking = 20;

/** Whether what was found may become a release, and why. What could not be told (`cut`, no release to compare with) is not well. */
export function judgeScan(
  findings: Findings,
  policy: ScanPolicy,
  { base, now }: { readonly base: ScanBase; readonly now: EpochMs },
): ScanVerdict {
  const { all } = findings;
  const counted = all.filter(({ severity }) => isAsBad(severity, policy.failOn));
  const fresh = counted.filter(({ fingerprint }) => base === null || !base.fingerprints.has(fingerprint));
  const judged = fresh.map((finding) => {
    const waivers = policy.waivers.filter((waiver) => isWaived(finding, waiver));
    return { finding, waivers, waiver: waivers.find(({ until }) => now < until) };
  });
  const waived = judged.flatMap(({ finding, waiver }) => (waiver === undefined ? [] : [{ finding, waiver }]));
  const blocked = judged.filter(({ waiver }) => waiver === undefined);
  const expired = [...new Set(blocked.flatMap(({ waivers }) => waivers))];
  const blocking = blocked.map(({ finding }) => finding);
  const passed = blocking.length === 0 && !findings.cut;
  return {
    passed,
    says: saying({ findings, policy, base, blocking, waived: waived.length, expired }),
    blocking: blocking.slice(0, mostBlocking),
    waived: waived.slice(0, mostBlocking),
    expired,
    fingerprints: all.map(({ fingerprint }) => fingerprint),
  };
}

/** Unknown is as bad as any. */
function isAsBad(severity: Severity, least: Severity): boolean {
  return severity === "unknown" || severities.indexOf(severity) <= severities.indexOf(least);
}

function isWaived(finding: Finding, { finding: named, in: where }: Waiver): boolean {
  if (named !== finding.rule && named !== finding.fingerprint) return false;
  if (where === null) return true;
  if (finding.package !== null) return finding.package.split(" ")[0] === where;
  return finding.file !== null && globMatcher([where])(finding.file);
}

function saying(of: {
  readonly findings: Findings;
  readonly policy: ScanPolicy;
  readonly base: ScanBase;
  readonly blocking: readonly Finding[];
  readonly waived: number;
  readonly expired: readonly Waiver[];
}): string {
  const { findings, policy, base, blocking, waived, expired } = of;
  const count = findings.all.length;
  const since =
    policy.newSince === null
      ? ""
      : base === null
        ? `, all taken as new: nothing that this step has looked at is live in ${policy.newSince}`
        : `, new since ${base.release}, which is live in ${policy.newSince}`;
  const least = policy.failOn === "critical" ? "critical" : `${policy.failOn} or worse`;
  const parts = [
    count === 0 ? "no findings" : `${count}${findings.cut ? " and more" : ""} ${count === 1 ? "finding" : "findings"}`,
    ...(count === 0 ? [] : [`${blocking.length === 0 ? "none" : blocking.length} ${least}${since}${named(blocking)}`]),
    ...(waived === 0 ? [] : [`${waived} waived`]),
    ...expired.map((waiver) => `${waiverText(waiver)} is over and counts no more`),
    ...(findings.cut ? ["more were found than are taken"] : []),
  ];
  return parts.join("; ");
}

function named(blocking: readonly Finding[]): string {
  if (blocking.length === 0) return "";
  const names = blocking.slice(0, mostNamed).map((finding) => `${finding.rule} ${placeOf(finding)}`.trim());
  const more = blocking.length - names.length;
  return `: ${names.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

/** `the waiver of GHSA-… by ada until 2026-12-31 (not reachable)`. */
export function waiverText({ finding, in: where, owner, reason, until }: Waiver): string {
  const place = where === null ? "" : ` in ${where}`;
  return `the waiver of ${finding}${place} by ${owner} until ${new Date(until - 1).toISOString().slice(0, 10)} (${reason})`;
}
