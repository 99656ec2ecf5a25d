import { performance } from "node:perf_hooks";
import { setTimeout as after } from "node:timers/promises";
import type { Clock } from "../../ports/clock.ts";

/** The machine's own time. */
export const wallClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  boot: "this process",
  sleep: async (ms, signal) => {
    signal?.throwIfAborted();
    try {
      await after(ms, undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      throw signal?.aborted ? signal.reason : error;
    }
  },
};
