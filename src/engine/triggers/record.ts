import type { EnvironmentName, Json } from "../../core/ids.ts";
import { decideTrigger, type TriggerDecision } from "../../core/triggers/decide.ts";
import {
  type PullEvent,
  type PushEvent,
  refKey,
  type TriggerEvent,
  type TriggerSource,
} from "../../core/triggers/event.ts";
import type { Trx } from "../../ports/store.ts";
import type { TriggerEventRow } from "../../ports/tables.ts";
import { previewOfRef } from "../previews/rows.ts";
import type { World } from "../world.ts";
import { knownRef, settingsOf } from "./settings.ts";
import { type Begun, triggerKind } from "./workflow.ts";

/** So many events are kept whole; those that are still at work are kept in any case. */
const keptEvents = 1_000;
/** So many are known by their names and digests: a signed body that somebody has caught is good for as long as its secret. */
const knownEvents = 100_000;

/** Stands for an event of which only the name is kept. */
export const forgotten = "null";

export type Heard = {
  readonly product: string;
  readonly source: TriggerSource;
  /** What the source calls it: heard twice, it is the same. */
  readonly delivery: string;
  /** Of the signed body; null where nothing is signed. */
  readonly digest: string | null;
};

/** What became of one event. `again`: it was heard before, and nothing was begun now. */
export type Noted = {
  readonly id: string;
  readonly phase: TriggerEventRow["phase"];
  readonly reason: string;
  readonly again: boolean;
};

/**
 * Writes down what was heard, decides what it begins, and lets that begin: one transaction, so a crash has lost all or nothing.
 * Heard again, under the same name or with the same signed body, it begins nothing. Errors: NOT_FOUND (no triggers are in force).
 */
export async function recordEvents(
  world: World,
  heard: Heard,
  events: readonly TriggerEvent[],
): Promise<readonly Noted[]> {
  const { noted, go } = await world.store.db.transaction().execute(async (trx) => {
    const { settings } = await settingsOf(trx, heard.product);
    const noted: Noted[] = [];
    const go: (() => Promise<void>)[] = [];
    for (const [index, event] of events.entries()) {
      const one = { ...heard, delivery: `${heard.delivery}#${index}`, digest: suffixed(heard.digest, index) };
      const before = await heardBefore(trx, one);
      if (before !== undefined) {
        noted.push({ ...pick(before), again: true });
        continue;
      }
      const preview = await previewOf(trx, heard.product, event);
      const decision = decideTrigger(event, settings, await knownRef(trx, heard.product, event), preview);
      const row = await insertEvent(world, trx, one, { event, decision });
      if ("ref" in event) await rememberRef(trx, heard.product, event, decision);
      if (decision.is !== "ignore") {
        // Those of one ref go one after the other, in the order in which they were heard: the last push is what stays.
        const { ref } = decision.is === "begin" ? decision.begin : decision;
        const lockKey = `trigger/${heard.product}/${refKey(ref)}`;
        go.push(await world.engine.startWithin(trx, triggerKind, row.id, { event: row.id }, { lockKey }));
      }
      noted.push({ ...pick(row), again: false });
    }
    await prune(trx, heard.product);
    return { noted, go };
  });
  for (const each of go) await each();
  world.changes.announce();
  return noted;
}

/** Writes down that the source can reach us. */
export async function recordPing(world: World, heard: Heard): Promise<void> {
  await world.store.db.transaction().execute(async (trx) => {
    if ((await heardBefore(trx, heard)) !== undefined) return;
    const decision = { is: "ignore", why: "unmapped", reason: "a ping: the webhook reaches us" } as const;
    await insertEvent(world, trx, heard, { event: { is: "ping" }, decision });
    await prune(trx, heard.product);
  });
  world.changes.announce();
}

async function previewOf(trx: Trx, product: string, event: TriggerEvent): Promise<EnvironmentName | null> {
  if (!("ref" in event)) return null;
  return (await previewOfRef(trx, { product, ref: refKey(event.ref) }))?.name ?? null;
}

const pick = ({ id, phase, reason }: TriggerEventRow): Omit<Noted, "again"> => ({ id, phase, reason });

const suffixed = (digest: string | null, index: number): string | null =>
  digest === null ? null : `${digest}#${index}`;

function heardBefore(trx: Trx, { product, source, delivery, digest }: Heard): Promise<TriggerEventRow | undefined> {
  return trx
    .selectFrom("trigger_event")
    .selectAll()
    .where("product", "=", product)
    .where("source", "=", source)
    .where((is) =>
      digest === null
        ? is("delivery", "=", delivery)
        : is.or([is("delivery", "=", delivery), is("digest", "=", digest)]),
    )
    .executeTakeFirst();
}

async function insertEvent(
  world: World,
  trx: Trx,
  { product, source, delivery, digest }: Heard,
  { event, decision }: { readonly event: Json; readonly decision: TriggerDecision },
): Promise<TriggerEventRow> {
  const now = world.clock.now();
  const last = await trx
    .selectFrom("trigger_event")
    .select("number")
    .where("product", "=", product)
    .orderBy("number", "desc")
    .executeTakeFirst();
  const begun: Begun | null = decision.is === "begin" ? decision.begin : decision.is === "end" ? decision : null;
  const row: TriggerEventRow = {
    id: `evt_${world.newId()}`,
    number: (last?.number ?? 0) + 1,
    product,
    source,
    delivery,
    digest,
    event: JSON.stringify(event),
    begin: begun === null ? null : JSON.stringify(begun),
    phase: begun === null ? "ignored" : "begun",
    reason: decision.reason,
    run_id: null,
    release_id: null,
    deployment_id: null,
    received_at: now,
    ended_at: begun === null ? now : null,
  };
  await trx.insertInto("trigger_event").values(row).execute();
  return row;
}

/** What was heard of a ref, also where it began nothing. What is late or another repository's says nothing of where it is. */
async function rememberRef(
  trx: Trx,
  product: string,
  event: PushEvent | PullEvent,
  decision: TriggerDecision,
): Promise<void> {
  if (decision.is === "ignore" && ["late", "seen", "stranger", "fork"].includes(decision.why)) return;
  const ref = refKey(event.ref);
  // Of a pull request that was closed the last commit stays: a delivery that comes late must not open it again.
  const [before, after] = event.is === "push" ? [event.before, event.after] : [null, event.commit];
  if (after === null) {
    await trx.deleteFrom("trigger_ref").where("product", "=", product).where("ref", "=", ref).execute();
    return;
  }
  const row = { product, ref, before, after };
  await trx
    .insertInto("trigger_ref")
    .values(row)
    .onConflict((known) => known.columns(["product", "ref"]).doUpdateSet(row))
    .execute();
}

async function prune(trx: Trx, product: string): Promise<void> {
  const newest = await trx
    .selectFrom("trigger_event")
    .select("number")
    .where("product", "=", product)
    .orderBy("number", "desc")
    .executeTakeFirst();
  const old = (newest?.number ?? 0) - keptEvents;
  if (old <= 0) return;
  await trx
    .updateTable("trigger_event")
    .set({ event: forgotten, begin: null })
    .where("product", "=", product)
    .where("number", "<=", old)
    // Each was seen to when it came to be old.
    .where("number", ">", old - keptEvents)
    .where("ended_at", "is not", null)
    .execute();
  await trx
    .deleteFrom("trigger_event")
    .where("product", "=", product)
    .where("number", "<=", old + keptEvents - knownEvents)
    .where("ended_at", "is not", null)
    .execute();
}
