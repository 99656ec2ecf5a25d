import type { ReleaseId } from "../../core/ids.ts";
import { appendHistory } from "../history.ts";
import { releaseRow } from "../release/read.ts";
import type { World } from "../world.ts";

export type Pin = {
  readonly release: ReleaseId;
  readonly pinned: boolean;
  readonly actor: string;
  readonly reason: string;
};

/** Keeps a release from being pruned, or lets it go again. Safe to repeat. Errors: UNKNOWN_RELEASE. */
export async function pin(world: World, { release, pinned, actor, reason }: Pin): Promise<void> {
  await world.store.db.transaction().execute(async (trx) => {
    const row = await releaseRow(trx, release);
    if ((row.pinned === 1) === pinned) return;
    await trx
      .updateTable("release")
      .set({ pinned: pinned ? 1 : 0 })
      .where("id", "=", release)
      .execute();
    const event = pinned ? "release.pinned" : "release.unpinned";
    await appendHistory(trx, { at: world.clock.now(), product: row.product, release, event, actor, reason });
  });
  world.changes.announce();
}
