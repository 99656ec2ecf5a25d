import { SlipwayError } from "../../core/errors/error.ts";
import type { DeploymentId, EpochMs } from "../../core/ids.ts";
import { formatDuration } from "../../core/product/units.ts";
import { readSigned, signText } from "../../lib/sign/signed-text.ts";
import type { ApprovalLinkRow } from "../../ports/tables.ts";
import { shown } from "../commands/approve.ts";
import { appendHistory } from "../history.ts";
import { findSettings } from "../triggers/settings.ts";
import type { World } from "../world.ts";
import { mustBeUsable } from "./link-use.ts";

const purpose = "slipway approval v1";
export const longestLinkMs = 14 * 24 * 60 * 60_000;
/** A link that was over for so long is forgotten; that it was made, and what was said by it, is in the history. */
const keptMs = 30 * 24 * 60 * 60_000;

type Asked = {
  readonly deployment: DeploymentId;
  /** Who says yes or no with it. */
  readonly person: string;
  readonly actor: string;
  readonly forMs: number;
};

/**
 * Makes an address at which one person may see what a deployment is about, and say yes or no, once. Whoever has it speaks as that person.
 * Errors: USAGE (nobody knows where people reach us), UNKNOWN_DEPLOYMENT, NOTHING_TO_APPROVE.
 */
export async function makeApprovalLink(
  world: World,
  { deployment, person, actor, forMs }: Asked,
): Promise<{ readonly url: string; readonly until: EpochMs }> {
  await shown(world, deployment);
  const { store, clock, newId, vault } = world;
  const row = await store.db
    .selectFrom("deployment")
    .selectAll()
    .where("id", "=", deployment)
    .executeTakeFirstOrThrow();
  const base = (await findSettings(store.db, row.product))?.settings.url ?? null;
  if (base === null)
    throw new SlipwayError("USAGE", {
      message: "nobody knows where people reach this control plane, so a link would lead nowhere",
      hint: "set triggers.url and triggers.listen, then: slipway triggers apply",
    });
  const now = clock.now();
  const id = `${newId()}${newId()}`;
  const until = now + Math.min(forMs, longestLinkMs);
  await store.db.transaction().execute(async (trx) => {
    await trx
      .deleteFrom("approval_link")
      .where("expires_at", "<", now - keptMs)
      .execute();
    await trx
      .insertInto("approval_link")
      .values({
        id,
        deployment_id: deployment,
        person,
        created_by: actor,
        created_at: now,
        expires_at: until,
        used_at: null,
      })
      .execute();
    await appendHistory(trx, {
      at: now,
      product: row.product,
      environment: row.environment,
      deployment,
      release: row.release_id,
      event: "approval.linked",
      actor,
      reason: `a link for ${person}, for ${formatDuration(until - now)}`,
    });
  });
  return { url: `${base}/approvals/${signText({ n: id }, purpose, (text) => vault.sign(text))}`, until };
}

/** What a link is for, as long as it may be used. Changes nothing. Errors: LINK_INVALID. */
export async function openApprovalLink({ store, vault, clock }: World, link: string): Promise<ApprovalLinkRow> {
  const { n: id } = (readSigned(link, purpose, (text) => vault.sign(text)) ?? {}) as { n?: string };
  const row =
    id === undefined
      ? undefined
      : await store.db.selectFrom("approval_link").selectAll().where("id", "=", id).executeTakeFirst();
  if (row === undefined)
    throw new SlipwayError("LINK_INVALID", { message: "this link was not made here, or was over long ago" });
  mustBeUsable(row, clock.now());
  return row;
}
