import { isSlipwayError } from "../../core/errors/error.ts";
import type { Json } from "../../core/ids.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Db, Store } from "../../ports/store.ts";

/** Where a crash may come between two records. Tests stop the process there. */
export type BoundaryPoint = {
  readonly workflowId: string;
  readonly seq: number;
  readonly name: string;
  readonly at: "before-perform" | "after-perform" | "after-record";
};

export type EngineLog = (event: string, fields: Readonly<Record<string, Json | undefined>>) => void;

export type SqliteEngineOptions = {
  readonly store: Store;
  readonly clock: Clock;
  readonly log?: EngineLog;
  /**
   * Called at every boundary and waited for; for a `tx` and for a signal, `after-perform` is inside the transaction. When it throws, the
   * workflow stops there as in a crash: nothing more is performed or recorded until the next `open`.
   */
  readonly onBoundary?: (point: BoundaryPoint) => void | Promise<void>;
};

/** How long a step may take to end after its signal was aborted; then its workflow goes on, or ends, without it. */
export const abortGraceMs = 10_000;

/** A transaction holds up every other writer: one that takes longer waits for something it must not wait for. */
export const maxTxMs = 30_000;

/** A due time is looked at again at least this often, so that a jump of the wall clock is noticed. */
export const maxTimerMs = 60_000;

/** Between two attempts to record while the disk is full. */
const storeRetryMs = 500;

/** The workflow goes no further in this process: the engine closes, or the boundary hook says so. Never seen by workflows. */
export class Stopped extends Error {}

export type Services = {
  readonly db: Db;
  readonly unsynced: Store["unsynced"];
  readonly clock: Clock;
  readonly log: EngineLog;
  /** Aborted when the engine closes. */
  readonly closing: AbortSignal;
  boundary(point: BoundaryPoint): Promise<void>;
};

export function servicesOf(
  { store, clock, log = () => {}, onBoundary }: SqliteEngineOptions,
  closing: AbortSignal,
): Services {
  return {
    closing,
    db: store.db,
    unsynced: (write) => store.unsynced(write),
    clock,
    log,
    boundary: async (point) => {
      if (onBoundary === undefined) return;
      try {
        await onBoundary(point);
      } catch (cause) {
        throw new Stopped(`stopped ${point.at} of ${point.name}`, { cause });
      }
    },
  };
}

/**
 * Writes, and while the disk is full or the store fails otherwise, waits and writes again: what has been performed must not be forgotten, and
 * work goes on when there is space. Throws `Stopped` when the signal is aborted first.
 */
export async function persist<T>({ clock, log }: Services, stop: AbortSignal, write: () => Promise<T>): Promise<T> {
  for (let failures = 0; ; failures++) {
    try {
      return await write();
    } catch (error) {
      if (!isStoreTrouble(error)) throw error;
      if (failures === 0) log("store.failing", { code: error.code, message: error.message });
    }
    await clock.sleep(storeRetryMs, stop).catch((cause) => {
      throw new Stopped("stopped while the store fails", { cause });
    });
  }
}

function isStoreTrouble(error: unknown): error is Error & { code: string } {
  return isSlipwayError(error) && (error.code === "DISK_FULL" || error.code === "STORE_FAILED");
}

/** Waits until the wall clock shows `due`, however it jumps. Throws `Stopped` when the signal is aborted first. */
export async function until(due: number, { clock }: Services, stop: AbortSignal): Promise<void> {
  for (let left = due - clock.now(); left > 0; left = due - clock.now()) {
    await clock.sleep(Math.min(left, maxTimerMs), stop).catch((cause) => {
      throw new Stopped("stopped while it slept", { cause });
    });
  }
}
