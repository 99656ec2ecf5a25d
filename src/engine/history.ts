import { EventEmitter, once } from "node:events";
import type { Evidence } from "../core/errors/error.ts";
import type { DeploymentId, EnvironmentName, EpochMs, ReleaseId } from "../core/ids.ts";
import type { Trx } from "../ports/store.ts";

export type HistoryEntry = {
  readonly at: EpochMs;
  readonly product: string;
  readonly environment?: EnvironmentName;
  readonly deployment?: DeploymentId;
  readonly release?: ReleaseId;
  readonly event: string;
  readonly actor: string;
  readonly reason: string;
  readonly evidence?: readonly Evidence[];
};

/** Adds a row to the history, in the transaction of the change it tells of. */
export async function appendHistory(trx: Trx, entry: HistoryEntry): Promise<void> {
  await trx
    .insertInto("history")
    .values({
      at: entry.at,
      product: entry.product,
      environment: entry.environment ?? null,
      deployment_id: entry.deployment ?? null,
      release_id: entry.release ?? null,
      event: entry.event,
      actor: entry.actor,
      reason: entry.reason,
      evidence: JSON.stringify(entry.evidence ?? []),
    })
    .execute();
}

/**
 * Wakes those who wait for something to change in the store. Only a hint: a waiter reads the store first and after every
 * wake-up, so a lost or needless hint does no harm.
 */
export class Changes {
  readonly #emitter = new EventEmitter().setMaxListeners(0);

  announce(): void {
    this.#emitter.emit("change");
  }

  /** Resolves at the next announcement, or rejects when the signal is aborted. Take it before reading the store. */
  async next(signal: AbortSignal): Promise<void> {
    await once(this.#emitter, "change", { signal });
  }
}
