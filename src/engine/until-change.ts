import { linkedSignal } from "../lib/linked-signal.ts";
import type { World } from "./world.ts";

/** A look at least this often, besides every announcement. */
const lookMs = 1_000;

/**
 * Waits for the next announcement, or a second. Taken before the store is read, so that what changes meanwhile is not missed; `release`
 * in any case.
 */
export function untilChange(
  { changes, clock }: Pick<World, "changes" | "clock">,
  signal: AbortSignal,
): { readonly wait: () => Promise<void>; readonly release: () => void } {
  const stop = new AbortController();
  const link = linkedSignal([signal, stop.signal]);
  const changed = changes.next(link.signal).catch(() => {});
  return {
    wait: async () => {
      await Promise.race([changed, clock.sleep(lookMs, link.signal).catch(() => {})]);
      signal.throwIfAborted();
    },
    release: () => {
      stop.abort(new Error("looked"));
      link.release();
    },
  };
}
