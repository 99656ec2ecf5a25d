import { isSlipwayError } from "../../core/errors/error.ts";
import type { Json } from "../../core/ids.ts";
import type { Trx } from "../../ports/store.ts";
import type { WorkflowStepRow } from "../../ports/tables.ts";
import { asFailure } from "../payload.ts";
import { recordStep } from "./journal.ts";
import { maxTxMs, persist } from "./services.ts";
import { boundary, encoded, logFailure, type Outcome, rowOf, settled, type Verb } from "./verb.ts";

/** write + record, in one transaction. A failure undoes the writes and is recorded by itself. */
export async function performTx<T extends Json>(verb: Verb, write: (trx: Trx) => Promise<T>): Promise<Outcome> {
  const { services, stop } = verb;
  const begun = services.clock.now();
  const row = (outcome: Outcome): WorkflowStepRow => ({
    ...rowOf(verb, "tx", begun),
    attempts: 1,
    ...settled(outcome, services.clock.now()),
  });
  await boundary(verb, "before-perform");
  const outcome = await persist(services, stop, () =>
    writeOnce(verb, write, row, () => boundary(verb, "after-perform")),
  );
  await boundary(verb, "after-record");
  if ("failure" in outcome) logFailure(verb, outcome.failure, 1, false);
  return outcome;
}

/** Writes, and journals what came of it by `row`, in one transaction; `written` is called inside it, before the commit. */
export async function writeOnce<T extends Json>(
  verb: Verb,
  write: (trx: Trx) => Promise<T>,
  row: (outcome: Outcome) => WorkflowStepRow,
  written: () => Promise<void> = async () => {},
): Promise<Outcome> {
  const { services } = verb;
  const refusal: { by: unknown } = { by: nobody };
  try {
    return await services.db.transaction().execute(async (trx) => {
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
      await written();
      return outcome;
    });
  } catch (error) {
    // Only what the writing itself threw is an outcome; a failing store or a stop is not.
    if (error !== refusal.by || isStoreFailure(error)) throw error;
    const outcome: Outcome = { failure: asFailure(error) };
    await recordStep(services.db, row(outcome));
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
