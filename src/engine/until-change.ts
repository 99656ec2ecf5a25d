import { linkedSignal } from "../lib/linked-signal.ts";
import type { ChangeKind } from "./history.ts";
import type { World } from "./world.ts";

/** A look at least this often, besides every announcement, where the caller does not say. */
const lookMs = 1_000;

export type UntilChange = {
  /** Until the announcement, or for so long. Rejects when the caller's signal is aborted, with its reason. */
  readonly wait: (atMostMs?: number) => Promise<void>;
  readonly release: () => void;
};

/**
 * Waits for the next announcement (of a kind, and `calmMs` after it), or a second. Taken before the store is read, so that what changes
 * meanwhile is not missed; `release` in any case.
 */
export function untilChange(
  { changes, clock }: Pick<World, "changes" | "clock">,
  signal: AbortSignal,
  { of = "any", calmMs = 0 }: { readonly of?: ChangeKind; readonly calmMs?: number } = {},
): UntilChange {
  const link = linkedSignal([signal]);
  let forget = (): void => {};
  const announced = new Promise<void>((resolve) => {
    forget = changes.once(resolve, of);
  });
  const calm = (): Promise<void> => announced.then(() => clock.sleep(calmMs, link.signal)).catch(() => {});
  const changed = calmMs === 0 ? announced : calm();
  return {
    wait: async (atMostMs = lookMs) => {
      await Promise.race([changed, clock.sleep(atMostMs, link.signal).catch(() => {})]);
      signal.throwIfAborted();
    },
    release: () => {
      forget();
      link.end(looked);
    },
  };
}

/** Made once: a reason that is made costs a stack each time. */
const looked = new Error("this look is over");
