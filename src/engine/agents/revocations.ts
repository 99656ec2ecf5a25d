import type { AgentRevocationRow } from "../../ports/tables.ts";
import { appendHistory } from "../history.ts";
import type { World } from "../world.ts";

type At = { readonly product: string; readonly agent: string };

/** The last time that the agent's tokens were taken back; null: never. */
export async function revocationOf(
  { store }: Pick<World, "store">,
  { product, agent }: At,
): Promise<AgentRevocationRow | null> {
  const row = await store.db
    .selectFrom("agent_revocation")
    .selectAll()
    .where("product", "=", product)
    .where("agent", "=", agent)
    .executeTakeFirst();
  return row ?? null;
}

export function revocations({ store }: Pick<World, "store">): Promise<readonly AgentRevocationRow[]> {
  return store.db.selectFrom("agent_revocation").selectAll().orderBy("revoked_at").execute();
}

/** No token of the agent that there is by now holds any more; in the history with who and why. Those that are made later do. */
export async function recordRevocation(
  { store, clock }: Pick<World, "store" | "clock">,
  { product, agent, actor, reason }: At & { readonly actor: string; readonly reason: string },
): Promise<AgentRevocationRow> {
  const now = clock.now();
  return store.db.transaction().execute(async (trx) => {
    const before = await trx
      .deleteFrom("agent_revocation")
      .where("product", "=", product)
      .where("agent", "=", agent)
      .returning("generation")
      .executeTakeFirst();
    const generation = (before?.generation ?? 0) + 1;
    const row = { product, agent, generation, revoked_at: now, revoked_by: actor, reason };
    await trx.insertInto("agent_revocation").values(row).execute();
    const evidence = [["agent", agent]] as const;
    await appendHistory(trx, { at: now, product, event: "agent.revoked", actor, reason, evidence });
    return row;
  });
}
