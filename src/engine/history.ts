import type { Evidence } from "../core/errors/error.ts";
import type { DeploymentId, EnvironmentName, EpochMs, ReleaseId } from "../core/ids.ts";
import type { Db, Trx } from "../ports/store.ts";

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

/** What was said when a deployment was asked for: the row's own reason is of what came since. Undefined where there is none. */
export function firstEntryOf(db: Db, deployment: DeploymentId) {
  return db
    .selectFrom("history")
    .select(["reason", "evidence"])
    .where("deployment_id", "=", deployment)
    .orderBy("id")
    .limit(1)
    .executeTakeFirst();
}

/**
 * Wakes those who wait for something to change in the store. Only a hint: a waiter reads the store first and after every
 * wake-up, so a lost or needless hint does no harm.
 */
export class Changes {
  readonly #waiting = new Set<{ readonly of: ChangeKind; readonly wake: () => void }>();

  /** `gated`: a deployment waits at its gates now. Whoever waits for any change is woken by that too. */
  announce(of: ChangeKind = "any"): void {
    for (const waiter of [...this.#waiting]) if (waiter.of === "any" || waiter.of === of) waiter.wake();
  }

  /** Called at the next announcement, once; returns the way to end that. Taken before reading the store. */
  once(wake: () => void, of: ChangeKind = "any"): () => void {
    const waiter = {
      of,
      wake: () => {
        this.#waiting.delete(waiter);
        wake();
      },
    };
    this.#waiting.add(waiter);
    return () => void this.#waiting.delete(waiter);
  }

  /** Resolves at the next announcement, or rejects when the signal is aborted. Take it before reading the store. */
  async next(signal: AbortSignal, of: ChangeKind = "any"): Promise<void> {
    signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => {
        forget();
        reject(signal.reason);
      };
      const forget = this.once(() => {
        signal.removeEventListener("abort", abort);
        resolve();
      }, of);
      signal.addEventListener("abort", abort, { once: true });
    });
  }
}

export type ChangeKind = "any" | "gated";
