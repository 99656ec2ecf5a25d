import type { DeploymentId, EpochMs, ReleaseId, RunId } from "../../core/ids.ts";
import type { TriggerEvent, TriggerSource } from "../../core/triggers/event.ts";
import type { TriggerSettings } from "../../core/triggers/settings.ts";
import type { Db } from "../../ports/store.ts";
import type { TriggerEventRow } from "../../ports/tables.ts";
import type { World } from "../world.ts";
import { forgotten } from "./record.ts";
import { findSettings } from "./settings.ts";

export type TriggersNow = {
  /** Null: none are in force. */
  readonly inForce: {
    readonly settings: TriggerSettings;
    readonly repository: string;
    readonly appliedAt: EpochMs;
    readonly appliedBy: string;
    /** Where webhooks come in, as seen from this machine. */
    readonly url: string | null;
    readonly polledAt: EpochMs | null;
    readonly pollError: string | null;
    /** What the forge has not been told yet, and why the last time. */
    readonly untold: { readonly count: number; readonly error: string | null };
  } | null;
  /** Newest first. */
  readonly events: readonly HeardEvent[];
};

export type HeardEvent = {
  readonly id: string;
  readonly source: TriggerSource;
  readonly event: TriggerEvent | { readonly is: "ping" };
  readonly phase: TriggerEventRow["phase"];
  readonly reason: string;
  readonly run: RunId | null;
  readonly release: ReleaseId | null;
  readonly deployment: DeploymentId | null;
  readonly receivedAt: EpochMs;
  readonly endedAt: EpochMs | null;
};

/** The triggers in force, and what was heard last. */
export async function triggersNow(
  { store }: Pick<World, "store">,
  { product, limit }: { readonly product: string; readonly limit: number },
): Promise<TriggersNow> {
  const found = await findSettings(store.db, product);
  const rows = await store.db
    .selectFrom("trigger_event")
    .selectAll()
    .where("product", "=", product)
    .where("event", "!=", forgotten)
    .orderBy("number", "desc")
    .limit(limit)
    .execute();
  return {
    inForce:
      found === null
        ? null
        : {
            settings: found.settings,
            repository: found.row.repository,
            appliedAt: found.row.applied_at,
            appliedBy: found.row.applied_by,
            url: urlOf(found.settings),
            polledAt: found.row.polled_at,
            pollError: found.row.poll_error,
            untold: await untoldNow(store.db, product),
          },
    events: rows.map((row) => ({
      id: row.id,
      source: row.source,
      event: JSON.parse(row.event) as HeardEvent["event"],
      phase: row.phase,
      reason: row.reason,
      run: row.run_id,
      release: row.release_id,
      deployment: row.deployment_id,
      receivedAt: row.received_at,
      endedAt: row.ended_at,
    })),
  };
}

async function untoldNow(db: Db, product: string) {
  const failing = await db
    .selectFrom("forge_report")
    .select("error")
    .where("product", "=", product)
    .where("failures", ">", 0)
    .orderBy("updated_at", "desc")
    .execute();
  if (failing[0] !== undefined) return { count: failing.length, error: failing[0].error };
  const given = await db
    .selectFrom("forge_report")
    .select("error")
    .where("product", "=", product)
    .where("error", "is not", null)
    .orderBy("updated_at", "desc")
    .executeTakeFirst();
  return { count: 0, error: given?.error ?? null };
}

function urlOf({ webhook }: TriggerSettings): string | null {
  if (webhook === null) return null;
  const host = ["0.0.0.0", "::"].includes(webhook.host) ? "127.0.0.1" : webhook.host;
  return `http://${host.includes(":") ? `[${host}]` : host}:${webhook.port}/hooks/${webhook.forge}`;
}
