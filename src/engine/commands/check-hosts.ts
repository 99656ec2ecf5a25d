import { type CertificateSeen, standingOf } from "../../core/certificates/standing.ts";
import type { EpochMs } from "../../core/ids.ts";
import { formatDuration } from "../../core/product/units.ts";
import type { CertificateLife, HostCondition } from "../../ports/hosts.ts";

/** What a check says; with a hint where something is wrong. */
export type Report = string | { readonly says: string; readonly hint: string };

export function bad(says: string, hint: string): { readonly says: string; readonly hint: string } {
  return { says, hint };
}

/** Tokens and one-time passwords bear about this much. */
const clockToleranceMs = 5_000;
/** An image of a service is often half of it. */
const lowDiskBytes = 1_000_000_000;

/** Whether a host is there, its clock, its disk and the certificates of both sides, in words. */
export function hostReport({ aheadMs, freeBytes, certificates, trouble, hint }: HostCondition, now: EpochMs): Report {
  if (trouble !== null)
    return bad(trouble, hint ?? "check that the host is up and reachable: slipway server check <host>");
  const seconds = Math.trunc((aheadMs ?? 0) / 1_000) * 1_000;
  if (Math.abs(seconds) >= clockToleranceMs) {
    const off = `${formatDuration(Math.abs(seconds))} ${seconds > 0 ? "ahead of" : "behind"}`;
    return bad(
      `its clock is ${off} this machine's`,
      "certificates and tokens will seem to be not yet or no longer valid; on the host: timedatectl",
    );
  }
  const ending = certificates.map((life) => standingOf(seenAs(life), now)).filter(({ is }) => is !== "well");
  if (ending.length > 0)
    return bad(
      ending.map(({ says }) => says).join("; "),
      "renew it: ours is read again by itself, and an engine reads its own when it starts",
    );
  if (freeBytes !== null && freeBytes < lowDiskBytes)
    return bad(
      `only ${gigabytes(freeBytes)} are free on the disk of its images`,
      "free space there: docker system df shows what takes it",
    );
  const disk = freeBytes === null ? "its disk cannot be asked for" : `${gigabytes(freeBytes)} are free for images`;
  return aheadMs === null ? disk : `its clock is right; ${disk}`;
}

function seenAs({ whose, ...life }: CertificateLife): CertificateSeen {
  return { ...life, hosts: [`${whose} certificate`], trouble: null };
}

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;
