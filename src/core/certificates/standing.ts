import type { EpochMs } from "../ids.ts";
import { formatDuration } from "../product/units.ts";

/** A certificate as its edge shows it; `notAfter` 0: it is wanted, and not there. */
export type CertificateSeen = {
  readonly hosts: readonly string[];
  readonly notBefore: EpochMs;
  readonly notAfter: EpochMs;
  /** Why the newest attempt to get or renew it failed; null when it did not. */
  readonly trouble: string | null;
};

/**
 * How a certificate stands, from best to worst: `failing` has enough time left and could not be renewed, `ending` has less than it
 * should whatever is said of its renewal, `missing` is not there, `ended` is refused by every client.
 */
export type CertificateStanding = {
  readonly is: "well" | "failing" | "ending" | "missing" | "ended";
  readonly says: string;
};

const dayMs = 86_400_000;
const minuteMs = 60_000;

/** Who renews begins with a third of the life left, a month of 90 days: after half of that time something is wrong. Longer lives do not make it earlier. */
const lateShare = 6;
const lateMostMs = 14 * dayMs;

/** With less than this left the renewal is late: a sixth of its life, at most 14 days. */
export function lateMs({ notBefore, notAfter }: Pick<CertificateSeen, "notBefore" | "notAfter">): number {
  return Math.min(lateMostMs, (notAfter - notBefore) / lateShare);
}

export function standingOf(seen: CertificateSeen, now: EpochMs): CertificateStanding {
  const { hosts, notAfter, trouble } = seen;
  const leftMs = notAfter - now;
  const says = (what: string): string => `${hosts.join(", ")}: ${what}${trouble === null ? "" : ` (${trouble})`}`;
  if (notAfter === 0) return { is: "missing", says: says("not there") };
  if (leftMs <= 0) return { is: "ended", says: says(`ended ${time(-leftMs)} ago`) };
  const ends = `ends in ${time(leftMs)}`;
  if (leftMs < lateMs(seen))
    return { is: "ending", says: says(trouble === null ? `${ends}, and was not renewed` : ends) };
  return { is: trouble === null ? "well" : "failing", says: says(ends) };
}

/** Whole days, as people count them; the last ones finer. */
function time(ms: number): string {
  const days = Math.floor(ms / dayMs);
  if (days < 1) return formatDuration(Math.floor(ms / minuteMs) * minuteMs);
  return days === 1 ? "1 day" : `${days} days`;
}
