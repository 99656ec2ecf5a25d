import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";

/** Linux's name for its own start; elsewhere each process has one of its own, and nobody goes on counting where it has ended. */
function bootOf(): string {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return randomUUID();
  }
}

/** `performance.now` counts from the start of this process what `hrtime` counts from the start of the machine. */
const sinceBootMs = Number(process.hrtime.bigint()) / 1e6 - performance.now();

/** The machine's clock. Structurally the `Clock` port. */
export const systemClock = {
  now: (): number => Date.now(),
  monotonicMs: (): number => sinceBootMs + performance.now(),
  boot: bootOf(),
  sleep: (ms: number, signal?: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason);
      const abort = (): void => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", abort);
        resolve();
      }, ms);
      signal?.addEventListener("abort", abort, { once: true });
    }),
};
