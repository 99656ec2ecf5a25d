import { SlipwayError } from "../../core/errors/error.ts";
import { timeText } from "../../core/gates/window.ts";
import type { EpochMs } from "../../core/ids.ts";
import type { Trx } from "../../ports/store.ts";
import type { ApprovalLinkRow } from "../../ports/tables.ts";

/** Uses it up, in the transaction of the word that is given with it. Errors: LINK_INVALID. */
export async function useApprovalLink(trx: Trx, id: string, now: EpochMs): Promise<void> {
  const row = await trx.selectFrom("approval_link").selectAll().where("id", "=", id).executeTakeFirstOrThrow();
  mustBeUsable(row, now);
  await trx.updateTable("approval_link").set({ used_at: now }).where("id", "=", id).execute();
}

/** Errors: LINK_INVALID. */
export function mustBeUsable({ used_at, expires_at }: ApprovalLinkRow, now: EpochMs): void {
  if (used_at !== null) throw invalid(`this link was used ${timeText(used_at, "UTC")}`);
  if (now >= expires_at) throw invalid(`this link was good until ${timeText(expires_at, "UTC")}`);
}

function invalid(message: string): SlipwayError {
  return new SlipwayError("LINK_INVALID", { message });
}
