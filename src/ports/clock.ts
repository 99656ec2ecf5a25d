import type { EpochMs } from "../core/ids.ts";

/** Where the time comes from, so that a simulator can own it. */
export interface Clock {
  /** Wall time. May jump when a person or NTP sets it. */
  now(): EpochMs;
  /** Milliseconds from an arbitrary origin; never goes back. For measuring how long something took. */
  monotonicMs(): number;
  /** Names that origin: whoever comes later and has the same one, also another process, may go on counting from it. */
  readonly boot: string;
  /** Resolves after `ms`, or rejects with the signal's reason when it is aborted first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}
