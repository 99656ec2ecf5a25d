import type { EpochMs } from "../ids.ts";
import type { ForgeProblem } from "./problem.ts";

const firstMs = { away: 2_000, refused: 60_000 } as const;
const longestMs = { away: 5 * 60_000, refused: 60 * 60_000 } as const;
/** A limit that a forge gives itself ends sooner; a longer one is a mistake, or meant to keep us silent. */
const longestRetryAfterMs = 2 * 60 * 60_000;
/** What nobody could be told for so long is of no use to anybody any more. */
export const worthMs = 24 * 60 * 60_000;

/**
 * When it is tried again, `failures` having failed in a row, the last one now; null: never. A forge that says how long to wait is left
 * alone for so long, and not sooner.
 */
export function nextTry(
  { is, retryAfterMs }: Pick<ForgeProblem, "is" | "retryAfterMs">,
  { failures, since, now }: { readonly failures: number; readonly since: EpochMs; readonly now: EpochMs },
): EpochMs | null {
  if (is === "wrong" || now - since >= worthMs) return null;
  const backoffMs = Math.min(longestMs[is], firstMs[is] * 2 ** Math.min(20, failures - 1));
  return now + Math.max(backoffMs, Math.min(longestRetryAfterMs, retryAfterMs ?? 0));
}
