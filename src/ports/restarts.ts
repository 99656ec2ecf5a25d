import type { EpochMs, InstanceId } from "../core/ids.ts";

/** What a target does besides where it can: one instance begins anew, in its place. */
export interface Restarts {
  /**
   * Ends the life of an instance that began at `startedAt`, with its grace, and has another begin, at the same address where that
   * is possible. Returns when the old one has ended; the new one is not healthy yet. Repeating it does nothing, because that life is
   * over then. Errors: INSTANCE_NOT_FOUND, HOST_AWAY.
   */
  restart(instance: InstanceId, startedAt: EpochMs, signal: AbortSignal): Promise<void>;
}
