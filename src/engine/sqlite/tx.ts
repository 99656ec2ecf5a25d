import { isSlipwayError } from "../../core/errors/error.ts";
import type { Json } from "../../core/ids.ts";
import type { Trx } from "../../ports/store.ts";
import type { WorkflowStepRow } from "../../ports/tables.ts";
import { asFailure } from "../payload.ts";
import { recordStep } from "./journal.ts";
import { maxTxMs, persist, Stopped } from "./services.ts";
import { boundary, encoded, logFailure, type Outcome, onceRow, type Verb } from "./verb.ts";

/** write + record, in one transaction. A failure undoes the writes and is recorded by itself. */
export async function performTx<T extends Json>(verb: Verb, write: (trx: Trx) => Promise<T>): Promise<Outcome> {
  const { services, stop } = verb;
  const row = onceRow(verb, "tx");
  await boundary(verb, "before-perform");
  const outcome = await persist(services, stop, () =>
    writeOnce(verb, write, row, { written: () => boundary(verb, "after-perform") }),
  );
  await boundary(verb, "after-record");
  if ("failure" in outcome) logFailure(verb, outcome.failure, 1, false);
  return outcome;
}

export type Around = {
  /** Called in the transaction before it writes, and before a failure is journalled. */
  readonly before?: (trx: Trx) => Promise<unknown>;
  /** Called in it when its outcome is journalled, before the commit. */
  readonly written?: (trx: Trx, outcome: Outcome) => Promise<unknown>;
  /** What it writes may wait for the flush of the next transaction. */
  readonly unsynced?: boolean;
};

/** Writes, and journals what came of it by `row`, in one transaction. */
export async function writeOnce<T extends Json>(
  verb: Verb,
  write: (trx: Trx) => Promise<T>,
  row: (outcome: Outcome) => WorkflowStepRow,
  { before, written, unsynced = false }: Around = {},
): Promise<Outcome> {
  const { services } = verb;
  const refusal: { by: unknown } = { by: nobody };
  const writing = async (trx: Trx): Promise<Outcome> => {
    await before?.(trx);
    const value = await withinTxLimit((async () => write(trx))(), verb.name).catch((error: unknown) => {
      refusal.by = error;
      throw error;
    });
    const outcome = encoded(value, verb.name);
    if ("failure" in outcome) {
      refusal.by = outcome.failure;
      throw outcome.failure;
    }
    await recordStep(trx, row(outcome));
    await written?.(trx, outcome);
    return outcome;
  };
  try {
    return await (unsynced ? services.unsynced(writing) : services.db.transaction().execute(writing));
  } catch (error) {
    // Only what the writing itself threw is an outcome; a failing store or a stop is not. Nor what a closing engine has refused it.
    if (error !== refusal.by || isStoreFailure(error)) throw error;
    if (verb.stop.aborted) throw new Stopped(`stopped in ${verb.name}`, { cause: error });
    const outcome: Outcome = { failure: asFailure(error) };
    await services.db.transaction().execute(async (trx) => {
      await before?.(trx);
      await recordStep(trx, row(outcome));
    });
    return outcome;
  }
}

const nobody = Symbol("nobody");

const storeFailures: ReadonlySet<string> = new Set(["DISK_FULL", "STORE_FAILED", "STORE_CORRUPT"]);

const isStoreFailure = (error: unknown): boolean => isSlipwayError(error) && storeFailures.has(error.code);

/** Real time, whatever the clock: the guard is against a deadlock, such as a verb or `store.db` used inside the writing. */
async function withinTxLimit<T>(writing: Promise<T>, name: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${name} held its transaction for more than ${maxTxMs} ms`)), maxTxMs);
  });
  return await Promise.race([writing, limit]).finally(() => clearTimeout(timer));
}
